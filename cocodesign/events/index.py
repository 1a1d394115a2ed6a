"""An index of clips on disk: what the banks said about every sampled frame.

A folder holds, per bank, the scores and the features of all frames one after the other
as float16, and ``index.json``, which says how many of them count and to which clip and
time each belongs. Rows are appended; ``index.json`` is replaced in one step afterwards.
What a killed run left behind it is cut off by the next one, so a build can be repeated
until it is done. Readers map the files into memory: only rows that are looked at are
read.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocodesign.errors import DataFormatError, VideoError
from cocodesign.events.banks import Concept, ConceptBank
from cocodesign.events.frames import TimedFrame, sample_frames
from cocodesign.files import write_atomically

_TABLE = "index.json"
_VERSION = 1
_SAVE_INTERVAL = 50  # clips
_ITEM_BYTES = 2


@dataclass(frozen=True)
class IndexedClip:
    """A clip and its rows.

    Attributes:
        id: Unique in the index.
        path: The video.
        first_row: Of its frames.
        times_s: When each sampled frame is shown.
        error: Why it, or the rest of it, could not be decoded; empty if it could.
    """

    id: str
    path: str
    first_row: int
    times_s: tuple[float, ...]
    error: str = ""

    @property
    def rows(self) -> slice:
        """Its frames among the rows."""
        return slice(self.first_row, self.first_row + len(self.times_s))


class ClipIndex:
    """Scores and features of the sampled frames of many clips.

    Args:
        folder: What ``build_index`` wrote.

    Raises:
        DataFormatError: If there is no index, or its files are too short.
    """

    def __init__(self, folder: Path) -> None:
        table = _read_table(folder)
        self.folder = folder
        self.clips = _clips_of(table)
        self.concepts = tuple(
            Concept(**each) for bank in table["banks"] for each in bank["concepts"]
        )
        num_rows = sum(len(clip.times_s) for clip in self.clips)
        self._scores = [
            _map_rows(_scores_file(folder, bank), num_rows, len(bank["concepts"]))
            for bank in table["banks"]
        ]
        self._features = [
            _map_rows(_features_file(folder, bank), num_rows, bank["num_features"])
            for bank in table["banks"]
        ]

    def scores(self, clip: IndexedClip) -> NDArray[np.float32]:
        """Return what a clip's frames show.

        Args:
            clip: One of ``clips``.

        Returns:
            One row per frame and one column per concept, 0 to 1.
        """
        return _joined(self._scores, clip)

    def features(self, clip: IndexedClip) -> NDArray[np.float32]:
        """Return descriptions of a clip's frames.

        Args:
            clip: One of ``clips``.

        Returns:
            One row per frame.
        """
        return _joined(self._features, clip)


def build_index(
    folder: Path,
    clips: Mapping[str, Path],
    banks: Sequence[ConceptBank],
    *,
    interval_s: float = 2.0,
    num_workers: int = 1,
    on_clip: Callable[[IndexedClip], None] | None = None,
) -> ClipIndex:
    """Index clips, or go on with an index that is there.

    A clip that cannot be decoded is in the index with its error and the frames before
    it; detectors give a clip without frames the lowest score.

    Args:
        folder: Where the index is, or will be. One process writes it at a time.
        clips: Videos by id; ids that are indexed already are skipped.
        banks: What recognises concepts; the same ones in every call.
        interval_s: Seconds between sampled frames.
        num_workers: How many frames are recognised at the same time, while the next
            ones are decoded; with more than one the banks are called from several
            threads, and best have one thread each.
        on_clip: Told of every clip that was indexed.

    Returns:
        The index.

    Raises:
        DataFormatError: If the index there was made by other banks.
        ValueError: If there is no worker.
    """
    if num_workers < 1:
        raise ValueError(f"num_workers must be at least 1, got {num_workers}")
    table = _continued_table(folder, banks, interval_s)
    indexed = list(_clips_of(table))
    known = {clip.id for clip in indexed}
    num_rows = sum(len(clip.times_s) for clip in indexed)
    _cut(folder, table, num_rows)
    missing = {name: path for name, path in clips.items() if name not in known}
    with ThreadPoolExecutor(num_workers) as pool:
        for number, (name, path) in enumerate(missing.items(), start=1):
            frames = sample_frames(path, interval_s=interval_s)
            recognised = _recognise(frames, banks, pool, num_workers)
            times_s, error = _append_frames(folder, recognised)
            clip = IndexedClip(name, str(path), num_rows, times_s, error)
            indexed.append(clip)
            num_rows += len(times_s)
            if number % _SAVE_INTERVAL == 0:
                _save(folder, table, indexed)
            if on_clip is not None:
                on_clip(clip)
    _save(folder, table, indexed)
    return ClipIndex(folder)


def _recognise(
    frames: Iterator[TimedFrame],
    banks: Sequence[ConceptBank],
    pool: Executor,
    num_workers: int,
) -> Iterator[tuple[float, dict[str, bytes]]]:
    """Yield each frame's time and rows, in order; few frames exist at a time."""
    pending: deque[Future[tuple[float, dict[str, bytes]]]] = deque()
    failure: VideoError | None = None
    while True:
        try:
            frame = next(frames, None)
        except VideoError as error:  # what came before it counts
            frame, failure = None, error
        if frame is None:
            break
        pending.append(pool.submit(_rows_of, frame, banks))
        if len(pending) > 2 * num_workers:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
    if failure is not None:
        raise failure


def _rows_of(
    frame: TimedFrame, banks: Sequence[ConceptBank]
) -> tuple[float, dict[str, bytes]]:
    rows: dict[str, bytes] = {}
    for bank in banks:
        output = bank(frame.pixels)
        for kind, values in (("scores", output.scores), ("features", output.features)):
            rows[f"{bank.name}.{kind}"] = values.numpy().astype("<f2").tobytes()
    return round(frame.time_s, 6), rows


def _append_frames(
    folder: Path, recognised: Iterator[tuple[float, dict[str, bytes]]]
) -> tuple[tuple[float, ...], str]:
    """Append a clip's rows, and return the times of its frames and the error."""
    times_s: list[float] = []
    parts: dict[str, list[bytes]] = {}
    error = ""
    try:
        for time_s, rows in recognised:
            times_s.append(time_s)
            for name, row in rows.items():
                parts.setdefault(name, []).append(row)
    except VideoError as failure:
        error = str(failure)
    for name, row_list in parts.items():
        with (folder / name).open("ab") as stream:
            stream.write(b"".join(row_list))
    return tuple(times_s), error


def _continued_table(
    folder: Path, banks: Sequence[ConceptBank], interval_s: float
) -> dict[str, Any]:
    described = [
        {
            "name": bank.name,
            "concepts": [asdict(each) for each in bank.concepts],
            "num_features": bank.num_features,
        }
        for bank in banks
    ]
    if not (folder / _TABLE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        return {
            "version": _VERSION,
            "interval_s": interval_s,
            "banks": described,
            "clips": [],
        }
    table = _read_table(folder)
    if table["banks"] != described or table["interval_s"] != interval_s:
        names = ", ".join(each["name"] for each in table["banks"])
        raise DataFormatError(
            f"{folder} was indexed by {names} every {table['interval_s']:g} s: index "
            "with these, or into another folder"
        )
    return table


def _save(folder: Path, table: Mapping[str, Any], clips: Sequence[IndexedClip]) -> None:
    content = {**table, "clips": [asdict(clip) for clip in clips]}
    write_atomically(folder / _TABLE, json.dumps(content))


def _read_table(folder: Path) -> dict[str, Any]:
    path = folder / _TABLE
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFormatError(
            f"{path} is no index of clips: {error}; `cocodesign events index` makes one"
        ) from error
    if not isinstance(table, dict) or table.get("version") != _VERSION:
        raise DataFormatError(f"{path} is no index of clips of version {_VERSION}")
    return table


def _clips_of(table: Mapping[str, Any]) -> tuple[IndexedClip, ...]:
    return tuple(
        IndexedClip(**{**each, "times_s": tuple(each["times_s"])})
        for each in table["clips"]
    )


def _cut(folder: Path, table: Mapping[str, Any], num_rows: int) -> None:
    """Cut off rows that no table counted."""
    for bank in table["banks"]:
        for path, width in (
            (_scores_file(folder, bank), len(bank["concepts"])),
            (_features_file(folder, bank), bank["num_features"]),
        ):
            with path.open("ab") as stream:
                stream.truncate(num_rows * width * _ITEM_BYTES)


def _scores_file(folder: Path, bank: Mapping[str, Any]) -> Path:
    return folder / f"{bank['name']}.scores"


def _features_file(folder: Path, bank: Mapping[str, Any]) -> Path:
    return folder / f"{bank['name']}.features"


def _map_rows(path: Path, num_rows: int, width: int) -> NDArray[np.float16]:
    if num_rows * width == 0:  # nothing can be mapped
        return np.zeros((num_rows, width), np.float16)
    size_bytes = path.stat().st_size if path.is_file() else 0
    if size_bytes < num_rows * width * _ITEM_BYTES:
        raise DataFormatError(
            f"{path} has {size_bytes} bytes, not the {num_rows} rows of {width} "
            "numbers that its index counts: index the clips again"
        )
    return np.memmap(path, "<f2", "r", shape=(num_rows, width))


def _joined(
    parts: Sequence[NDArray[np.float16]], clip: IndexedClip
) -> NDArray[np.float32]:
    rows = [np.asarray(each[clip.rows], np.float32) for each in parts]
    return np.concatenate(rows, 1)
