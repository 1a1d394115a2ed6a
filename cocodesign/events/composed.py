"""StampEvents: a data set of event clips that anyone can build.

Twenty event kits, and clips that are composed: cut-out photographs (Tux Paint's stamps)
are put on frames of real videos, in a new arrangement for every scene, and encoded as
H.264 files. A positive clip shows its event in a few scenes; all other scenes show
photographs of no event, and a background clip shows only those.

What is synthetic: the composition, the random size, place and tint of the photographs,
and that a scene is a still. What is real: the photographs, the frames, the codec. Kits
and the lists of photographs have one author, who knew which photographs there are; read
the numbers as a comparison of methods, not as the difficulty of the world.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cocodesign.errors import DataFormatError
from cocodesign.events.frames import sample_frames
from cocodesign.events.kits import EventKit

Half = Literal["first", "second"]

WIDTH, HEIGHT = 320, 240
NUM_SCENES = 8
SCENE_S = 2
_FRAMES_PER_S = 2
_SHOWING_SCENES = (2, 5)  # of a positive clip, from and below
_CRF = "26"


@dataclass(frozen=True)
class ComposedClip:
    """The recipe of a clip.

    Attributes:
        id: Unique in its set.
        event: Id of the event that it shows, empty for background.
        scenes: Per scene the photographs in it, by name.
        showing: Per scene whether the event is in it.
        seed: Of sizes, places, tints and backgrounds.
    """

    id: str
    event: str
    scenes: tuple[tuple[str, ...], ...]
    showing: tuple[bool, ...]
    seed: int


@dataclass(frozen=True)
class Photographs:
    """Which photograph shows which event.

    Attributes:
        by_event: Per event id the two halves.
        distractors: Photographs of no event.
    """

    by_event: dict[str, dict[Half, tuple[str, ...]]]
    distractors: tuple[str, ...]

    def select(self, events: Sequence[str]) -> "Photographs":
        """Return the photographs of some events, and all distractors.

        Args:
            events: Ids of events.

        Returns:
            A new value.
        """
        return Photographs(
            {event: self.by_event[event] for event in events}, self.distractors
        )


def stamp_kits() -> tuple[EventKit, ...]:
    """Return the twenty event kits."""
    with resources.as_file(_resources()) as folder:
        return tuple(EventKit.read(path) for path in sorted(folder.glob("E*.toml")))


def stamp_photographs() -> Photographs:
    """Return which photograph shows which event."""
    text = _resources().joinpath("photographs.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    distractors = table.pop("distractors")["all"]
    return Photographs(
        {
            event: {"first": tuple(each["first"]), "second": tuple(each["second"])}
            for event, each in table.items()
        },
        tuple(distractors),
    )


def plan_clips(
    photographs: Photographs,
    half: Half,
    *,
    num_positives: int,
    num_backgrounds: int,
    seed: int,
    prefix: str,
) -> tuple[ComposedClip, ...]:
    """Decide what every clip of a set shows.

    Args:
        photographs: What there is.
        half: Which half of each event's photographs may occur.
        num_positives: Clips of every event.
        num_backgrounds: Clips of no event.
        seed: Of all choices.
        prefix: What the clips' ids start with.

    Returns:
        The recipes.
    """
    random = np.random.default_rng(seed)
    events = [*sorted(photographs.by_event) * num_positives, *[""] * num_backgrounds]
    clips = []
    for number, event in enumerate(events):
        showing = np.zeros(NUM_SCENES, bool)
        if event:
            count = random.integers(*_SHOWING_SCENES)
            showing[random.choice(NUM_SCENES, count, replace=False)] = True
        scenes = []
        for shows in showing:
            names = random.choice(photographs.distractors, random.integers(0, 2))
            if shows:
                mine = photographs.by_event[event][half]
                count = min(len(mine), int(random.integers(1, 3)))
                names = random.choice(mine, count, replace=False)
            scenes.append(tuple(map(str, names)))
        clips.append(
            ComposedClip(
                id=f"{prefix}{number:05}",
                event=event,
                scenes=tuple(scenes),
                showing=tuple(map(bool, showing)),
                seed=int(random.integers(2**31)),
            )
        )
    return tuple(clips)


class Composer:
    """Makes video files of recipes.

    Args:
        stamps: The folder of the data set ``stamps``.
        videos: Videos whose frames are the backgrounds.

    Raises:
        VideoError: If a video cannot be decoded.
    """

    def __init__(self, stamps: Path, videos: Sequence[Path]) -> None:
        self._stamps = stamps
        self._backgrounds = [
            np.asarray(
                Image.fromarray(frame.pixels.numpy()).resize((WIDTH, HEIGHT)), np.uint8
            )
            for path in videos
            for frame in sample_frames(path, interval_s=1.0)
        ]

    def write(self, clip: ComposedClip, path: Path) -> None:
        """Compose and encode a clip.

        Args:
            clip: The recipe; the same one gives the same pixels.
            path: The file, H.264 in MP4. It appears when it is complete.
        """
        partial = path.with_name(f".{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(partial), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=_FRAMES_PER_S)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"crf": _CRF, "preset": "veryfast", "threads": "1"}
            for scene in self.compose(clip):
                for _ in range(SCENE_S * _FRAMES_PER_S):
                    frame = av.VideoFrame.from_ndarray(scene, format="rgb24")
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
        partial.replace(path)

    def compose(self, clip: ComposedClip) -> Iterator[NDArray[np.uint8]]:
        """Yield the picture of every scene.

        Args:
            clip: The recipe.

        Yields:
            ``height width 3``, red, green and blue.
        """
        random = np.random.default_rng(clip.seed)
        for names in clip.scenes:
            background = self._backgrounds[random.integers(len(self._backgrounds))]
            picture = Image.fromarray(background)
            for name in names:
                self._paste(picture, name, random)
            yield np.asarray(picture, np.uint8)

    def _paste(
        self, picture: Image.Image, name: str, random: np.random.Generator
    ) -> None:
        try:
            stamp = Image.open(self._stamps / f"{name}.png").convert("RGBA")
        except OSError as error:
            raise DataFormatError(f"the photograph {name} is not there: {error}") from (
                error
            )
        stamp = stamp.crop(stamp.getbbox())
        if random.random() < 0.5:
            stamp = stamp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        side = random.uniform(0.45, 0.95) * HEIGHT
        scale = side / max(stamp.size)
        stamp = stamp.resize([max(1, round(each * scale)) for each in stamp.size])
        gains = random.uniform(0.75, 1.2, 3)
        bands = [
            band.point([min(255, round(value * gain)) for value in range(256)])
            for band, gain in zip(stamp.split()[:3], gains, strict=True)
        ]
        tinted = Image.merge("RGBA", (*bands, stamp.split()[3]))
        left = round(random.uniform(-0.1, 1.1) * WIDTH - tinted.width / 2)
        top = round(random.uniform(0.0, 1.0) * (HEIGHT - tinted.height))
        left = min(max(left, -tinted.width // 4), WIDTH - tinted.width * 3 // 4)
        picture.paste(tinted, (left, top), tinted)


def write_kits(folder: Path) -> None:
    """Write the twenty kits as files to start one's own from.

    Args:
        folder: Where they go.
    """
    for kit in stamp_kits():
        kit.write(folder / f"{kit.id}.toml")


def _resources():
    return resources.files("cocodesign.events").joinpath("stamp_events")
