"""Files that are either complete or absent.

Everything the package writes goes through ``write_atomically``: a reader, or a
machine that loses power, sees the old content or the new one, never half of it.
"""

import hashlib
import os
import tempfile
import threading
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_UMASK_LOCK = threading.Lock()


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace a file's content in one step.

    The content is written to a temporary file in the same folder, flushed to the
    disk and renamed over ``path``; the folder is flushed too, so that the rename
    survives a power cut. Missing parent folders are made. On any failure, such as
    a full disk, ``path`` keeps its old content and the temporary file is removed.

    Args:
        path: The file to create or replace.
        content: The new content; text is encoded as UTF-8.
    """
    payload = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(payload)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would hide it from a group
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that renames in it last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _umask() -> int:
    """Return the process's umask, which POSIX only tells while setting one."""
    with _UMASK_LOCK:  # else a second thread would read, and leave behind, 0o077
        umask = os.umask(0o077)
        os.umask(umask)
    return umask
