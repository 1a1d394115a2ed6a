"""All records of a clone, read again only where a file has changed."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cocodesign.errors import RecordError
from cocodesign.results import RECORD_NAME, RunRecord, read_record


@dataclass(frozen=True)
class Contents:
    """What some folders hold.

    Attributes:
        records: The readable records, folder by folder in the order of their names.
        problems: A sentence for every file that is none.
    """

    records: tuple[RunRecord, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Stamp:
    """What changes when a file does: it is always replaced whole."""

    inode: int
    size_bytes: int
    modified_ns: int


class RecordShelf:
    """Reads ``<name>.json`` and ``<run>/record.json`` of some folders.

    A damaged record is told, not raised: the page must open so that one sees which.

    Args:
        folders: Folders to look in, one level deep; missing ones are empty.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._known: dict[Path, tuple[_Stamp, RunRecord | str]] = {}
        self._lock = threading.Lock()

    def read(self) -> Contents:
        """Return what the folders hold now; any thread may ask."""
        with self._lock:
            self._known = self._look()
            found = [content for _, content in self._known.values()]
        return Contents(
            records=tuple(each for each in found if isinstance(each, RunRecord)),
            problems=tuple(each for each in found if isinstance(each, str)),
        )

    def _look(self) -> dict[Path, tuple[_Stamp, RunRecord | str]]:
        known: dict[Path, tuple[_Stamp, RunRecord | str]] = {}
        for folder in self._folders:
            paths = [*folder.glob("*.json"), *folder.glob(f"*/{RECORD_NAME}")]
            for path in sorted(paths):
                stamp = _stamp(path)
                former = self._known.get(path)
                if former is not None and former[0] == stamp:
                    known[path] = former
                elif stamp is not None:
                    content = _read(path)
                    # A new attempt may have removed it meanwhile.
                    if isinstance(content, RunRecord) or path.exists():
                        known[path] = (stamp, content)
        return known


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


def _read(path: Path) -> RunRecord | str:
    try:
        return read_record(path)
    except RecordError as error:
        return str(error)
