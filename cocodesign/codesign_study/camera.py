"""An HD stream and clips, of moments that the network never saw."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cocodesign.codesign_study.concepts import (
    FOLDERS,
    Scene,
    paste,
    photographs_of,
    scenes_of,
)
from cocodesign.events.frames import sample_frames
from cocodesign.seeding import stream_seed

HD_SIZE = (1920, 1080)
_CLIP_SIZE = (512, 384)
_CLIP_FRAMES = 4  # a second apart
_PHOTO_PX = (48, 80)


def write_hd_stream(video: Path, path: Path, *, start_s: float, end_s: float) -> None:
    """Write a stretch of a video as 1080p H.264, enlarged: no detail is added.

    Args:
        video: Ten frames a second are taken of it.
        path: The file, MP4. It appears when it is complete.
        start_s: Where the stretch begins.
        end_s: Where it ends.
    """
    frames = (
        frame.pixels.numpy()
        for frame in takewhile(
            lambda each: each.time_s < end_s,
            sample_frames(video, interval_s=0.1, max_side_px=None),
        )
        if frame.time_s >= start_s
    )
    _write(frames, path, size=HD_SIZE, rate=10)


def write_clips(
    scenes: Sequence[Scene], stamps: Path, folder: Path, num_each: int, *, seed: int
) -> dict[str, Path]:
    """Write clips that show a thing on unseen frames, and as many that show none.

    Args:
        scenes: Of the whole video.
        stamps: The folder of the data set ``stamps``.
        folder: Where the clips go.
        num_each: Clips of each thing.
        seed: Of all choices.

    Returns:
        The files by id; an id begins with what the clip shows.
    """
    random = np.random.default_rng(stream_seed(seed, "clips"))
    stretch = scenes_of(scenes, "test")
    folder.mkdir(parents=True, exist_ok=True)
    clips: dict[str, Path] = {}
    for concept in (*FOLDERS, ""):
        photographs = photographs_of(stamps, concept) if concept else []
        for number in range(num_each):
            name = f"{concept or 'none'}-{number}"
            pictures = []
            for _ in range(_CLIP_FRAMES):
                scene = stretch[int(random.integers(len(stretch)))]
                picture = Image.fromarray(scene.pixels).resize(_CLIP_SIZE)
                if photographs:
                    chosen = photographs[random.integers(len(photographs))]
                    stamp = Image.open(chosen).convert("RGBA")
                    paste(picture, stamp, random.uniform(*_PHOTO_PX), random)
                pictures.append(np.asarray(picture))
            clips[name] = folder / f"{name.replace(' ', '_')}.mp4"
            _write(pictures, clips[name], size=_CLIP_SIZE, rate=1)
    return clips


def _write(
    pictures: Iterable[UInt8[np.ndarray, "height width 3"]],
    path: Path,
    *,
    size: tuple[int, int],
    rate: int,
) -> None:
    partial = path.with_name(f".{path.name}")
    with av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "ultrafast", "threads": "1"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(*size, format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    partial.replace(path)
