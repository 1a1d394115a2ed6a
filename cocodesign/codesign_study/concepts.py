"""Pictures of people and things on frames of a real video, to learn concepts from.

People are cut out of the video where a published detector sees them, so the labels of
people are that detector's. Things are photographs with transparency, pasted on places
where it sees nobody: **composed**, not filmed. Training, validation and test differ in
stretches of the video, in people's moments and in where, how large and how tinted a
photograph is; **the photographs are the same** (seven to eighty-seven of a thing are
too few to learn what an unseen animal looks like).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from cocodesign.events.frames import sample_frames
from cocodesign.models.pictures import standardise
from cocodesign.seeding import stream_seed
from cocodesign.video.detection import FindsObjects

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

PICTURE_PX = 64
NOTHING, PERSON = 0, 1
FOLDERS: Mapping[str, str] = {
    "animal": "animals",
    "food": "food",
    "plant": "plants",
    "vehicle": "vehicles",
    "tool": "household/tools",
    "musical instrument": "hobbies/music",
}
"""Where the photographs of each thing are."""

CONCEPTS: tuple[str, ...] = ("nothing", "person", *FOLDERS)

_ENDS: Mapping[Part, tuple[float, float]] = {
    "train": (0.0, 0.4),
    "validation": (0.4, 0.5),
    "test": (0.5, 1.0),
}  # shares of the video
_LEAST_PERSON_SCORE = 0.4
_LEAST_PERSON_PX = 24
_PHOTO_SIDES = (0.5, 1.0)  # of a picture's
_PERSON_SIDES = (1.0, 1.4)  # of a picture over the person's height
_MEAN, _STD = (127.5, 127.5, 127.5), (64.0, 64.0, 64.0)
_GAINS = (0.75, 1.2)  # of red, green and blue
_PATIENCE = 50  # draws of a place without people


@dataclass(frozen=True)
class Scene:
    """A frame and the people in it.

    Attributes:
        time_s: When it is shown.
        pixels: Red, green and blue.
        people: Boxes ``x_start y_start x_end y_end`` in pixels.
    """

    time_s: float
    pixels: UInt8[np.ndarray, "height width 3"]
    people: Float[np.ndarray, "person 4"]


@dataclass(frozen=True)
class Pictures:
    """Pictures with the concept that each shows.

    Attributes:
        pixels: Standardised to about -2 to 2.
        labels: Indices into ``CONCEPTS``.
    """

    pixels: Float[Tensor, "picture 3 64 64"]
    labels: Int[Tensor, " picture"]


def prepare(pixels: UInt8[Tensor, "batch height width 3"]) -> Tensor:
    """Return pixels as the network wants them, channels before height and width."""
    return standardise(pixels.permute(0, 3, 1, 2), _MEAN, _STD)


def watch_scenes(
    video: Path, network: FindsObjects, *, interval_s: float = 1.0
) -> list[Scene]:
    """Sample a video and find the people in it.

    Args:
        video: Of a fixed camera.
        network: Finds people: class 0.
        interval_s: Seconds between samples.

    Returns:
        The scenes in the order of time.
    """
    scenes = []
    for frame in sample_frames(video, interval_s=interval_s, max_side_px=None):
        found = network.detect(frame.pixels)
        people = (found.classes == 0) & (found.scores >= _LEAST_PERSON_SCORE)
        boxes = found.boxes[people].numpy().astype(float)
        scenes.append(Scene(frame.time_s, frame.pixels.numpy(), boxes))
    return scenes


def scenes_of(scenes: Sequence[Scene], part: Part) -> Sequence[Scene]:
    """Return the stretch of a video that belongs to a part."""
    start, end = _ENDS[part]
    return scenes[round(start * len(scenes)) : round(end * len(scenes))]


def photographs_of(stamps: Path, concept: str) -> list[Path]:
    """Return the photographs of a thing, in the order of their names.

    Args:
        stamps: The folder of the data set ``stamps``.
        concept: One of ``FOLDERS``.

    Returns:
        The files.
    """
    return sorted((stamps / FOLDERS[concept]).rglob("*.png"))


def make_pictures(
    scenes: Sequence[Scene], stamps: Path, part: Part, count: int, *, seed: int
) -> Pictures:
    """Make as many pictures of each concept.

    Args:
        scenes: Of the whole video.
        stamps: The folder of the data set ``stamps``.
        part: Which stretch of the video.
        count: Pictures in all; concepts follow one another in turn.
        seed: Of all choices.

    Returns:
        The pictures.

    Raises:
        ValueError: If nobody is seen in that stretch.
    """
    random = np.random.default_rng(stream_seed(seed, f"pictures of {part}"))
    stretch = scenes_of(scenes, part)
    people = [
        (scene, box)
        for scene in stretch
        for box in scene.people
        if box[3] - box[1] >= _LEAST_PERSON_PX
    ]
    if not people:
        raise ValueError(f"nobody is seen in the video's stretch for {part}")
    photographs = {
        concept: [
            Image.open(path).convert("RGBA") for path in photographs_of(stamps, concept)
        ]
        for concept in FOLDERS
    }
    labels = [number % len(CONCEPTS) for number in range(count)]
    made = []
    for label in labels:
        if label == PERSON:
            scene, box = people[random.integers(len(people))]
            made.append(_person(scene, box, random))
            continue
        background = _empty_place(stretch[int(random.integers(len(stretch)))], random)
        if label != NOTHING:
            choices = photographs[CONCEPTS[label]]
            photograph = choices[random.integers(len(choices))]
            side = random.uniform(*_PHOTO_SIDES) * PICTURE_PX
            paste(background, photograph, side, random)
        made.append(np.asarray(background))
    pixels = torch.from_numpy(np.stack(made))
    return Pictures(prepare(pixels), torch.tensor(labels))


def paste(
    background: Image.Image,
    photograph: Image.Image,
    side_px: float,
    random: np.random.Generator,
) -> None:
    """Paste a photograph somewhere, tinted, mirrored half of the time.

    Args:
        background: Is changed.
        photograph: With transparency.
        side_px: Its longer side in pixels.
        random: Of place, tint and mirroring.
    """
    cut = photograph.crop(photograph.getchannel("A").getbbox())
    scale = side_px / max(cut.size)
    cut = cut.resize([max(1, round(each * scale)) for each in cut.size])
    if random.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    content = np.asarray(cut).astype(float)
    content[..., :3] *= random.uniform(*_GAINS, 3)
    tinted = Image.fromarray(content.clip(0, 255).astype(np.uint8))
    left = round(random.uniform(0, 1) * (background.width - tinted.width))
    top = round(random.uniform(0, 1) * (background.height - tinted.height))
    background.paste(tinted, (left, top), tinted)


def _person(
    scene: Scene, box: Float[np.ndarray, "4"], random: np.random.Generator
) -> UInt8[np.ndarray, "64 64 3"]:
    side = (box[3] - box[1]) * random.uniform(*_PERSON_SIDES)
    centre = (box[:2] + box[2:]) / 2 + random.uniform(-0.1, 0.1, 2) * side
    left, top = (centre - side / 2).tolist()
    window = (left, top, left + side, top + side)
    cut = Image.fromarray(scene.pixels).resize(
        (PICTURE_PX, PICTURE_PX),
        Image.Resampling.BILINEAR,
        box=_inside(window, scene.pixels.shape),
    )
    if random.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(cut)


def _inside(
    window: tuple[float, float, float, float], shape: tuple[int, ...]
) -> tuple[float, float, float, float]:
    left, top, right, bottom = window
    height, width = shape[:2]
    return max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)


def _empty_place(scene: Scene, random: np.random.Generator) -> Image.Image:
    """Cut a place out in which nobody is seen; after many draws, any place."""
    height, width = scene.pixels.shape[:2]
    left = top = 0
    for _ in range(_PATIENCE):
        side = round(random.uniform(1.0, 1.5) * PICTURE_PX)
        left = int(random.integers(width - side))
        top = int(random.integers(height - side))
        starts = np.maximum(scene.people[:, :2], [left, top])
        ends = np.minimum(scene.people[:, 2:], [left + side, top + side])
        if not np.any(np.all(ends > starts, axis=1)):
            break
    else:
        side = PICTURE_PX
    cut = Image.fromarray(scene.pixels[top : top + side, left : left + side])
    return cut.resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BILINEAR)
