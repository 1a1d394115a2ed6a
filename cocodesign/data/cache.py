"""The folder that keeps data sets between runs.

``data_home()/<name>`` holds the files of a data set and, once they were all found to
have the manifest's digests, a mark ``.verified.json`` with these digests. A set
without its mark is not there yet, whatever files lie in its folder.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import platformdirs
from filelock import FileLock, Timeout

from cocodesign.data.manifest import DataFile, DatasetManifest
from cocodesign.errors import DataCacheError
from cocodesign.files import sha256_of, sync_folder, write_atomically

DatasetState = Literal["ready", "incomplete", "absent"]

_MARK_NAME = ".verified.json"
_PATIENCE_S = 1.0  # how long a wait for the lock stays unmentioned


def data_home() -> Path:
    """Return the folder that keeps data sets; it need not exist yet.

    Returns:
        ``COCODESIGN_DATA`` if that is set, else ``cocodesign`` in the cache folder
        that the platform gives the user.
    """
    chosen = os.environ.get("COCODESIGN_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("cocodesign", appauthor=False)


def dataset_folder(name: str) -> Path:
    """Return the folder of a data set in the cache; it need not exist yet."""
    return data_home() / name


def dataset_state(manifest: DatasetManifest) -> DatasetState:
    """Look at the cache quickly: names, sizes and mark, no content.

    Args:
        manifest: What should be there.

    Returns:
        ``ready`` to be read, ``incomplete`` if a fetch would have to work on what is
        there, or ``absent``.
    """
    folder = dataset_folder(manifest.name)
    if not folder.is_dir():
        return "absent"
    if _read_mark(folder) == manifest.digests and all(
        _size_of(folder / file.name) == file.size_bytes for file in manifest.files
    ):
        return "ready"
    return "incomplete"


def find_differing(manifest: DatasetManifest) -> dict[DataFile, str]:
    """Compare the cached files with the manifest, reading all of their content.

    Args:
        manifest: What should be there.

    Returns:
        What is wrong with a file, in words, for each one that is missing or differs.
    """
    folder = dataset_folder(manifest.name)
    problems = dict[DataFile, str]()
    for file in manifest.files:
        size_bytes = _size_of(folder / file.name)
        if size_bytes is None:
            problems[file] = f"{file.name} is missing"
        elif size_bytes != file.size_bytes:
            problems[file] = (
                f"{file.name} has {size_bytes} bytes, expected {file.size_bytes}"
            )
        elif (actual := sha256_of(folder / file.name)) != file.sha256:
            problems[file] = f"{file.name} has sha256 {actual}, expected {file.sha256}"
    return problems


def mark_verified(manifest: DatasetManifest) -> None:
    """State that all files were found to have the manifest's digests."""
    text = json.dumps(manifest.digests, indent=1) + "\n"
    write_atomically(dataset_folder(manifest.name) / _MARK_NAME, text)


def unmark(manifest: DatasetManifest) -> None:
    """Withdraw ``mark_verified``."""
    (dataset_folder(manifest.name) / _MARK_NAME).unlink(missing_ok=True)


@contextmanager
def locked(
    name: str, *, timeout_s: float, on_wait: Callable[[], None]
) -> Iterator[None]:
    """Hold a data set's lock; the system frees it if this process dies.

    Args:
        name: The data set.
        timeout_s: The longest wait.
        on_wait: Called once if another process holds the lock.

    Yields:
        Nothing.

    Raises:
        DataCacheError: If the lock was not free in time.
    """
    home = data_home()
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / f".{name}.lock")
    try:
        try:
            lock.acquire(timeout=min(_PATIENCE_S, timeout_s))
        except Timeout:
            on_wait()
            lock.acquire(timeout=max(0.0, timeout_s - _PATIENCE_S))
    except Timeout as error:
        raise DataCacheError(
            f"another process has been fetching {name} for more than {timeout_s:g} s "
            f"(it holds {lock.lock_file}): wait for it or stop it, then try again"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def staging(name: str) -> Iterator[Path]:
    """Make a temporary folder on the cache's own file system, under the lock.

    What an earlier fetch left there because it was killed is removed first.

    Args:
        name: The data set whose lock this process holds.

    Yields:
        An empty folder, removed afterwards.
    """
    home = data_home()
    for leftover in home.glob(f".{name}.staging-*"):
        # A program that the killed fetch started may still write there: next time.
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=f".{name}.staging-") as folder:
        yield Path(folder)


def publish(staged: Path, manifest: DatasetManifest) -> None:
    """Move verified files from a staging folder into the cache, then set the mark.

    Each file is moved in one step, so a fetch that is killed here leaves right files
    without a mark, and the next one takes only what is missing.

    Args:
        staged: Holds files of the manifest, each with the right content.
        manifest: The data set; its other files are in the cache already.
    """
    folder = dataset_folder(manifest.name)
    for file in manifest.files:
        source, target = staged / file.name, folder / file.name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            sync_folder(target.parent)
    mark_verified(manifest)
    sync_folder(folder.parent)


def _read_mark(folder: Path) -> object:
    """Return the digests that the folder was marked with, ``None`` without a mark."""
    try:
        return json.loads((folder / _MARK_NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _size_of(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
