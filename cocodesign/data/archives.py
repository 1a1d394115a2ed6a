"""Taking single files out of archives, without ever unpacking one.

A member is looked up by its exact name and copied to a name that the manifest
chose, so nothing in an archive decides where anything is written. Links, devices
and encrypted members are refused.
"""

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from cocodesign.data.content import store_content
from cocodesign.data.manifest import DataFile
from cocodesign.data.sources import Compression
from cocodesign.errors import DataMismatchError

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
)


def store_members(
    archive: Path,
    members: Mapping[str, DataFile],
    folder: Path,
    compression: Compression,
) -> None:
    """Copy some members of an archive into a folder, verified.

    Args:
        archive: A tar file, compressed or not, or a zip file such as a wheel.
        members: What each wanted member is, by its path inside the archive.
        folder: Where the files go.
        compression: How the members themselves are compressed.

    Raises:
        DataMismatchError: If the archive is damaged, lacks a member, has something
            else than a file in its place, or the content is not the expected one.
    """
    try:
        # By its name: a tar file whose last member is a zip file looks like one.
        if archive.suffix in (".whl", ".zip"):
            stored = _from_zip(archive, members, folder, compression)
        else:
            stored = _from_tar(archive, members, folder, compression)
    except _DAMAGED as error:
        raise DataMismatchError(f"{archive.name} is damaged: {error}") from error
    if missing := sorted(set(members) - stored):
        raise DataMismatchError(f"{archive.name} has no {', '.join(missing)}")


def _from_zip(
    archive: Path,
    members: Mapping[str, DataFile],
    folder: Path,
    compression: Compression,
) -> set[str]:
    stored = set[str]()
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            file = members.get(info.filename)
            if file is None:
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where none is stated
            if kind not in (0, stat.S_IFREG) or info.flag_bits & 1:
                raise DataMismatchError(f"{info.filename} is a link or encrypted")
            with opened.open(info) as stream:
                store_content(stream, file, folder, compression)
            stored.add(info.filename)
    return stored


def _from_tar(
    archive: Path,
    members: Mapping[str, DataFile],
    folder: Path,
    compression: Compression,
) -> set[str]:
    stored = set[str]()
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            path = info.name.removeprefix("./")
            file = members.get(path)
            if file is None:
                continue
            stream = opened.extractfile(info) if info.isreg() else None
            if stream is None:
                raise DataMismatchError(f"{path} is a link or a device, not a file")
            with stream:
                store_content(stream, file, folder, compression)
            stored.add(path)
    return stored
