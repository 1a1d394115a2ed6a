"""From a stream of bytes to a verified file.

Everything that enters the cache passes through ``store_content``, whatever source it
comes from: a file has its final name only once its length and digest are right.
"""

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from cocodesign.data.manifest import DataFile
from cocodesign.data.sources import Compression
from cocodesign.errors import DataMismatchError

_CHUNK_BYTES = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with a gzip header and checksum


@runtime_checkable  # the tests check the types of arguments
class ByteStream(Protocol):
    """What a source hands over: an answer of a server, a member of an archive."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


def store_content(
    stream: ByteStream, file: DataFile, folder: Path, compression: Compression
) -> Path:
    """Write a stream into a folder, if it is the file that it should be.

    Args:
        stream: Where the content is read from, no further than the file's length.
        file: What the content should be.
        folder: Where the file goes, under its own name; flushed to the disk.
        compression: How the stream is compressed.

    Returns:
        The path of the file.

    Raises:
        DataMismatchError: If length or digest differ, or the stream cannot be
            decompressed; nothing is left under the file's name.
    """
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    digest, size_bytes = hashlib.sha256(), 0
    with partial.open("wb") as output:
        for chunk in _decompressed(stream, compression, file.name):
            size_bytes += len(chunk)
            if size_bytes > file.size_bytes:  # a decompression bomb, or another file
                raise DataMismatchError(
                    f"{file.name} is longer than {file.size_bytes} bytes"
                )
            digest.update(chunk)
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())
    if size_bytes < file.size_bytes:
        raise DataMismatchError(
            f"{file.name} has {size_bytes} of {file.size_bytes} bytes"
        )
    if digest.hexdigest() != file.sha256:
        raise DataMismatchError(
            f"{file.name} has sha256 {digest.hexdigest()}, expected {file.sha256}"
        )
    return partial.replace(target)


def _decompressed(
    stream: ByteStream, compression: Compression, name: str
) -> Iterator[bytes]:
    """Yield the content in pieces of bounded size, however well it was compressed."""
    if compression == "none":
        while piece := stream.read(_CHUNK_BYTES):
            yield piece
        return
    decoder = zlib.decompressobj(_GZIP)
    try:
        while pending := stream.read(_CHUNK_BYTES):
            while pending or not decoder.eof:
                if decoder.eof:  # gzip files may be joined end to end
                    decoder = zlib.decompressobj(_GZIP)
                piece = decoder.decompress(pending, _CHUNK_BYTES)
                pending = decoder.unconsumed_tail or decoder.unused_data
                if not piece and not pending:
                    break
                yield piece
    except zlib.error as error:
        raise DataMismatchError(f"{name} is no intact gzip file: {error}") from error
    if not decoder.eof:
        raise DataMismatchError(f"{name} is a gzip file that ends too early")
