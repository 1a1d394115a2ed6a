"""PETS-inject: real video with anomalies of real material pasted in.

A fixed camera's video is cut in two: from its first part everything normal is learnt;
into its second part events are inserted whose time, place and kind are known. Objects
are people of the first part, cut out by their difference from the background, and
photographs with transparency; camera faults are made of the frames themselves. An
inserted object has no shadow and its edges are not the camera's: scores on inserted
events say that a method works, not how it would do on real ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy import ndimage

from cocodesign.video.frames import Frame
from cocodesign.video.observation import Moment

Pixels = UInt8[np.ndarray, "height width 3"]
_LEAST_DIFFERENCE = 18.0  # grey levels between a person and the background
_FAST = 3  # times a walker's own speed
_EVENT_START, _EVENT_END = 0.45, 0.85  # of an event's stretch of frames


@dataclass(frozen=True)
class Sprite:
    """Something cut out.

    Attributes:
        pixels: Red, green and blue.
        opacity: From 0 to 1.
        foot: Where its foot stood, ``x y`` in pixels.
    """

    pixels: Pixels
    opacity: Float[np.ndarray, "height width"]
    foot: tuple[float, float]

    @classmethod
    def of_picture(cls, path: Path, height: int) -> "Sprite":
        """Read a picture with transparency.

        Args:
            path: The picture.
            height: That it gets, in pixels, without its empty border.

        Returns:
            The sprite, its foot at the origin.
        """
        picture = Image.open(path).convert("RGBA")
        picture = picture.crop(picture.getchannel("A").getbbox())
        width = max(1, round(picture.width * height / picture.height))
        content = np.array(picture.resize((width, height)))
        return cls(content[..., :3].copy(), content[..., 3] / 255, (0.0, 0.0))


@dataclass(frozen=True)
class Event:
    """One anomaly to insert.

    Attributes:
        kind: Its name.
        right_reasons: Kinds of findings that explain it.
        sprites: What is shown, frame by frame, the last one again and again; empty for
            a fault of the camera.
        feet: Where, frame by frame, ``x y`` in pixels; the last one again and again.
    """

    kind: str
    right_reasons: tuple[str, ...]
    sprites: tuple[Sprite, ...] = ()
    feet: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class InjectedFrame:
    """A frame of the test.

    Attributes:
        frame: The picture.
        stretch: Which event's stretch of frames it belongs to.
        event: The event that is on it; ``None`` on normal frames.
        box: Of the inserted object; ``None`` on normal frames and camera faults.
    """

    frame: Frame
    stretch: int
    event: Event | None
    box: tuple[float, float, float, float] | None


def camera_events() -> tuple[Event, ...]:
    """Return the four faults of the camera."""
    return (
        Event("blur", ("blur",)),
        Event("freeze", ("freeze",)),
        Event("cover", ("cover", "blur")),
        Event("shift", ("shift",)),
    )


def object_events(
    frames: Sequence[Frame],
    moments: Sequence[Moment],
    *,
    foreign: Path,
    abandoned: Path,
) -> tuple[Event, ...]:
    """Make four events of the video's own people and of two photographs.

    Args:
        frames: The normal part.
        moments: The same, understood.
        foreign: A photograph with transparency: something large that walks by.
        abandoned: The same: something small that is left.

    Returns:
        A walker at three times the speed, one where nobody walked, the foreign object
        on a walker's path, and the abandoned one.

    Raises:
        ValueError: If nobody walks through the normal part.
    """
    walker = _cut_walker(frames, moments)
    size = (frames[0].width, frames[0].height)
    feet = tuple(sprite.foot for sprite in walker)
    tall = round(float(np.median([len(sprite.pixels) for sprite in walker])))
    start, end = _empty_path(moments, size)
    steps = np.linspace(0, 1, len(walker))
    across = tuple(
        (start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1]))
        for t in steps.tolist()
    )
    middle = feet[len(feet) // 2]
    return (
        Event("fast", ("speed",), walker[::_FAST], feet[::_FAST]),
        Event("place", ("place",), walker, across),
        Event(
            "foreign",
            ("class", "shape", "unknown"),
            (Sprite.of_picture(foreign, round(1.2 * tall)),),
            feet,
        ),
        Event(
            "abandoned",
            ("unknown", "class", "still", "shape"),
            (Sprite.of_picture(abandoned, round(0.5 * tall)),),
            (middle,),
        ),
    )


def inject(frames: Sequence[Frame], events: Sequence[Event]) -> Iterator[InjectedFrame]:
    """Insert events one after the other, with normal frames before and after each.

    Args:
        frames: Of the test part, in order.
        events: At least one; the frames are shared out among them in equal stretches.

    Yields:
        Every frame, changed where an event is.

    Raises:
        ValueError: If there are fewer than ten frames for an event.
    """
    length = len(frames) // max(1, len(events))
    if not events or length < 10:
        raise ValueError(
            f"{len(events)} events need ten frames each, got {len(frames)} frames"
        )
    for index, frame in enumerate(frames):
        stretch = min(index // length, len(events) - 1)
        event, offset = events[stretch], index - stretch * length
        first, end = round(_EVENT_START * length), round(_EVENT_END * length)
        if not first <= offset < end:
            yield InjectedFrame(frame, stretch, None, None)
            continue
        step = offset - first
        if event.sprites:
            pixels, box = _pasted(frame.pixels(), event, step)
        else:
            still = frames[stretch * length + first]
            pixels, box = _faulty(frame, still, event.kind), None
        changed = Frame.from_pixels(pixels, time_s=frame.time_s)
        yield InjectedFrame(changed, stretch, event, box)


def _faulty(frame: Frame, still: Frame, kind: str) -> Pixels:
    pixels = frame.pixels()
    if kind == "freeze":
        return still.pixels()
    if kind == "blur":
        return _softened(pixels, 13)
    if kind == "shift":
        return np.roll(pixels, (frame.height // 12, frame.width // 10), axis=(0, 1))
    covered = pixels.copy()  # a hand over the lens: dark, without detail
    covered[:] = _softened(pixels, 61) // 4
    return covered


def _softened(pixels: Pixels, size_px: int) -> Pixels:
    channels = np.moveaxis(pixels, 2, 0)
    return np.stack(
        [ndimage.uniform_filter(each, size_px) for each in channels], axis=2
    )


def _pasted(
    pixels: Pixels, event: Event, step: int
) -> tuple[Pixels, tuple[float, float, float, float]]:
    sprite = event.sprites[min(step, len(event.sprites) - 1)]
    x, y = event.feet[min(step, len(event.feet) - 1)]
    height, width = sprite.opacity.shape
    top, left = round(y) - height, round(x - width / 2)
    rows = slice(max(0, top), min(len(pixels), top + height))
    columns = slice(max(0, left), min(pixels.shape[1], left + width))
    cut = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    opacity = sprite.opacity[cut][..., None]
    mixed = opacity * sprite.pixels[cut] + (1 - opacity) * pixels[rows, columns]
    pixels[rows, columns] = mixed.round().astype(np.uint8)
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return pixels, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _cut_walker(
    frames: Sequence[Frame], moments: Sequence[Moment]
) -> tuple[Sprite, ...]:
    """Cut out the person that walks farthest, frame by frame."""
    seen: dict[int, list[int]] = {}
    for index, moment in enumerate(moments):
        for track in moment.seen_tracks:
            if track.class_name == "person" and _is_inside(track.box, moment.size):
                seen.setdefault(track.number, []).append(index)
    if not seen:
        raise ValueError("nobody walks through the normal part of the video")
    number = max(seen, key=lambda each: _walked_px(each, seen[each], moments))
    background = np.median(
        np.stack([frame.pixels() for frame in frames[:: max(1, len(frames) // 25)]]),
        axis=0,
    )
    return tuple(
        _cut(
            frames[index].pixels(),
            background,
            next(each.box for each in moments[index].tracks if each.number == number),
        )
        for index in seen[number]
    )


def _walked_px(number: int, indices: list[int], moments: Sequence[Moment]) -> float:
    first, last = (
        next(each.box for each in moments[index].tracks if each.number == number)
        for index in (indices[0], indices[-1])
    )
    return float(np.hypot(last[0] - first[0], last[3] - first[3]))


def _cut(
    pixels: Pixels,
    background: Float[np.ndarray, "height width 3"],
    box: tuple[float, float, float, float],
) -> Sprite:
    left, top, right, bottom = (max(0, round(each)) for each in box)
    part = pixels[top:bottom, left:right]
    difference = np.abs(part - background[top:bottom, left:right]).max(axis=2)
    person: Bool[np.ndarray, "height width"] = ndimage.binary_closing(
        difference > _LEAST_DIFFERENCE, iterations=3
    )
    opacity = ndimage.uniform_filter(person.astype(float), 3)
    return Sprite(part.copy(), opacity, ((left + right) / 2, float(bottom)))


def _empty_path(
    moments: Sequence[Moment], size: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return two points of a walk through the lower picture where nobody walked."""
    feet = np.array(
        [
            ((track.box[0] + track.box[2]) / 2, track.box[3])
            for moment in moments
            for track in moment.seen_tracks
        ]
    )
    x, y = np.meshgrid(
        np.linspace(0.1, 0.75, 14) * size[0], np.linspace(0.5, 0.95, 10) * size[1]
    )
    starts = np.stack([x.ravel(), y.ravel()], 1)
    ends = starts + np.array([0.15 * size[0], 0.0])
    away = [
        min(np.linalg.norm(feet - point, axis=1).min() for point in pair)
        for pair in zip(starts, ends, strict=True)
    ]
    best = int(np.argmax(away))
    start, end = starts[best].tolist(), ends[best].tolist()
    return (start[0], start[1]), (end[0], end[1])


def _is_inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    return box[0] > 2 and box[1] > 2 and box[2] < size[0] - 2 and box[3] < size[1] - 2
