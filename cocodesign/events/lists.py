"""The lists that come with other collections of clips: UCF101, ActivityNet, Kinetics.

Each reader yields the same value, a segment of a video with its event; the videos
themselves are the user's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocodesign.errors import DataFormatError
from cocodesign.events.med import read_table


@dataclass(frozen=True)
class Segment:
    """A part of a video that shows an event.

    Attributes:
        path: The video, relative to the collection's folder.
        event: The event's name.
        start_s: Where the part begins.
        end_s: Where it ends, exclusive; ``None`` is the end of the video.
        subset: ``training``, ``validation`` or ``testing``, as the list says it.
    """

    path: Path
    event: str
    start_s: float = 0.0
    end_s: float | None = None
    subset: str = ""

    def __post_init__(self) -> None:
        if self.start_s < 0 or (self.end_s is not None and self.end_s <= self.start_s):
            raise ValueError(
                f"{self.path}: a segment from {self.start_s} to {self.end_s} s"
            )


def read_ucf101(folder: Path, split: int = 1) -> tuple[Segment, ...]:
    """Read UCF101's ``trainlist0N.txt`` and ``testlist0N.txt``.

    Args:
        folder: The folder ``ucfTrainTestlist``.
        split: 1, 2 or 3.

    Returns:
        One segment per clip, whole; the event is the folder's name as words.

    Raises:
        DataFormatError: If a list is missing or malformed.
    """
    segments = []
    for kind, subset in (("train", "training"), ("test", "testing")):
        path = folder / f"{kind}list{split:02}.txt"
        for line in _lines(path):
            clip = Path(line.split()[0])
            if not clip.parent.name:
                raise DataFormatError(f"{path}: {line!r} names no class and clip")
            segments.append(Segment(clip, _as_words(clip.parent.name), subset=subset))
    return tuple(segments)


def read_activitynet(path: Path, suffix: str = ".mp4") -> tuple[Segment, ...]:
    """Read ActivityNet's ``activity_net.v1-3.min.json``.

    Args:
        path: The JSON file.
        suffix: Of the videos' files, which are called ``v_<id>``.

    Returns:
        One segment per annotation, in the order of the file.

    Raises:
        DataFormatError: If the file is malformed.
    """
    try:
        database = json.loads(path.read_text(encoding="utf-8"))["database"]
        return tuple(
            segment
            for name, video in database.items()
            for segment in _activitynet_segments(f"v_{name}{suffix}", video)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(f"{path} is no ActivityNet list: {error!r}") from error


def read_kinetics(path: Path, suffix: str = ".mp4") -> tuple[Segment, ...]:
    """Read a list of Kinetics: ``label, youtube_id, time_start, time_end, split``.

    Args:
        path: The CSV file.
        suffix: Of the clips' files, called ``<id>_<start>_<end>`` with six digits each.

    Returns:
        One segment per row, whole: the files are cut already.

    Raises:
        DataFormatError: If a column is missing or a time is no number.
    """
    columns = ("label", "youtube_id", "time_start", "time_end")
    segments = []
    for row in read_table(path, columns):
        try:
            start, end = (int(float(row[key])) for key in columns[2:])
        except ValueError as error:
            raise DataFormatError(f"{path}: {row['youtube_id']}: {error}") from error
        name = f"{row['youtube_id']}_{start:06}_{end:06}{suffix}"
        segments.append(Segment(Path(name), row["label"], subset=row.get("split", "")))
    return tuple(segments)


def _activitynet_segments(name: str, video: Mapping[str, Any]) -> Iterator[Segment]:
    for annotation in video["annotations"]:
        start_s, end_s = map(float, annotation["segment"])
        yield Segment(
            Path(name), annotation["label"], start_s, end_s, subset=video["subset"]
        )


def _as_words(name: str) -> str:
    """Turn ``ApplyEyeMakeup`` into ``apply eye makeup``."""
    spaced = "".join(f" {each.lower()}" if each.isupper() else each for each in name)
    return spaced.strip()


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} cannot be read: {error}") from error
    return [line for line in text.splitlines() if line.strip()]
