"""A small world: a textured ground on which bright rectangles walk."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from cocodesign.models.detection import Detections
from cocodesign.video.frames import Frame
from cocodesign.video.observation import Moment
from cocodesign.video.tracking import Track

WIDTH, HEIGHT = 320, 240
WALKER = (24, 48)  # width and height in pixels


class BrightnessDetector:
    """Finds bright rectangles: a network whose answers are known."""

    def __init__(self) -> None:
        self.num_calls = 0

    def detect(self, frame: torch.Tensor) -> Detections:
        from scipy import ndimage

        self.num_calls += 1
        bright = frame.numpy().min(axis=2) > 150
        labels, _ = ndimage.label(bright)
        boxes = [
            [columns.start, rows.start, columns.stop, rows.stop]
            for rows, columns in ndimage.find_objects(labels)
            if columns.stop - columns.start > 4
        ]
        return Detections(
            torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            torch.full((len(boxes),), 0.9),
            torch.zeros(len(boxes), dtype=torch.long),
        )


def picture(
    walkers: Sequence[tuple[float, float]], *, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> np.ndarray:
    """Draw walkers by their feet."""
    generator = np.random.default_rng(7)
    width, height = size
    coarse = generator.integers(20, 110, (height // 16, width // 16, 1))
    pixels = np.kron(coarse, np.ones((16, 16, 3))).astype(np.uint8)
    for x, y in walkers:
        left, top = round(x - WALKER[0] / 2), round(y - WALKER[1])
        rows = slice(max(0, top), max(0, top + WALKER[1]))
        columns = slice(max(0, left), max(0, left + WALKER[0]))
        pixels[rows, columns] = 230
    return pixels


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    rate: int = 10,
    codec: str = "libx264",
) -> Path:
    """Encode pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 10
        for index, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def make_frame() -> Callable[..., Frame]:
    def make(*walkers: tuple[float, float], time_s: float = 0.0) -> Frame:
        return Frame.from_pixels(picture(walkers), time_s=time_s)

    return make


def track_at(
    x: float,
    y: float,
    *,
    time_s: float = 0.0,
    velocity: tuple[float, float] = (0.0, 0.0),
    number: int = 1,
    class_index: int = 0,
    height: float = 48.0,
    age_s: float = 1.0,
) -> Track:
    """Make a track that has moved evenly for some time."""
    points = tuple(
        (time_s - back, x - velocity[0] * back, y - velocity[1] * back)
        for back in np.linspace(age_s, 0, 11).tolist()
    )
    return Track(
        number=number,
        class_index=class_index,
        box=(x - height / 4, y - height, x + height / 4, y),
        velocity=velocity,
        score=0.9,
        first_s=time_s - age_s,
        last_s=time_s,
        trajectory=points,
    )


def moment_with(*tracks: Track, time_s: float = 0.0, regions=(), view=None) -> Moment:
    """Make a moment of tracks, before a view with a little noise."""
    if view is None:
        generator = np.random.default_rng(round(100 * time_s))
        coarse = np.random.default_rng(7).integers(20, 220, (18, 32))
        view = np.kron(coarse, np.ones((8, 8))) + generator.integers(0, 4, (144, 256))
        view = view.astype(np.uint8)
    return Moment(time_s, (WIDTH, HEIGHT), tracks, tuple(regions), view)


@pytest.fixture(scope="session")
def normal_moments() -> list[Moment]:
    """Forty seconds in which people cross the lower third at usual speeds."""
    generator = np.random.default_rng(0)
    moments = []
    walks = [
        (number, generator.uniform(180, 210), generator.uniform(30, 55))
        for number in range(20)
    ]
    for step in range(400):
        time_s = step / 10
        tracks = []
        for number, y, speed in walks:
            x = (time_s - 2 * number) * speed + 20
            if 20 <= x <= 300:
                tracks.append(
                    track_at(x, y, time_s=time_s, velocity=(speed, 0.0), number=number)
                )
        moments.append(moment_with(*tracks, time_s=time_s))
    return moments
