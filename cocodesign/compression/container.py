"""The ``.ccz`` container, byte by byte as ``docs/ccz.md`` specifies it.

This module knows the layout and nothing of how symbols are coded::

    magic (4)  version (1)  SHA-256 of all that follows (32)
    table: stored length, flag, bytes      one record per tensor
    payloads, one after the other, in the table's order

A file may come from anywhere: every count is checked before memory is taken, and no
tensor may claim more than 4,096 weights per byte of its payload.
"""

import hashlib
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.compression.quantized import (
    LARGEST_SYMBOL,
    Codebook,
    Quantizer,
    UniformQuantizer,
)
from cocodesign.errors import CorruptBitstreamError

MAGIC = b"\x89CCZ"
VERSION = 1
WEIGHTS_PER_BYTE = 4096
"""Most weights for each byte of a payload: what bounds a decoder's memory."""

STORED, GAPS, MIXED = range(3)
"""How a payload is coded: as it is, by ``gap_coding``, by ``context_mixing``."""

DTYPES = (
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
)
"""Names of the dtypes, in the order of their codes."""

ITEM_BYTES = (4, 8, 2, 2, 8, 4, 2, 1, 1, 1)

_DIGEST_START, _BODY_START = 5, 37
_MOST_TABLE_BYTES = 1 << 26
_MOST_DIMENSIONS = 16
_MOST_WEIGHTS = 1 << 40
_NO_QUANTIZER, _STEP, _CODEBOOK = range(3)


@dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Attributes:
        name: As in the state dictionary.
        shape: Its sizes.
        dtype: Name of its dtype.
        coding: ``STORED``, ``GAPS`` or ``MIXED``.
        stored_dtype: Name of the dtype that its values were rounded to, if ``STORED``.
        quantizer: What its symbols stand for; ``None`` if ``STORED``.
        largest: Largest magnitude of its symbols; 0 if ``STORED``.
        payload: Its bytes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    coding: int
    stored_dtype: str
    quantizer: Quantizer | None
    largest: int
    payload: bytes | memoryview

    @property
    def num_weights(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


def pack_container(entries: Sequence[Entry]) -> bytes:
    """Lay out a file.

    Args:
        entries: The tensors; a payload that is too short for its number of weights is
            padded with zeros, which every coding ignores.

    Returns:
        The file's content.
    """
    entries = [_padded(entry) for entry in entries]
    table = _varint(len(entries)) + b"".join(_record(entry) for entry in entries)
    deflated = _deflate(table)
    packed = len(deflated) < len(table)
    stored = deflated if packed else table
    body = _varint(len(stored)) + bytes([packed]) + stored
    body += b"".join(entry.payload for entry in entries)
    return MAGIC + bytes([VERSION]) + hashlib.sha256(body).digest() + body


def unpack_container(content: bytes | memoryview) -> tuple[Entry, ...]:
    """Read a file's table and cut out its payloads; nothing is decoded yet.

    Args:
        content: The file.

    Returns:
        Its tensors.

    Raises:
        CorruptBitstreamError: If it is truncated, altered, of another format or
            version, or if its table makes no sense.
    """
    if content[: len(MAGIC)] != MAGIC or len(content) < _BODY_START + 2:
        raise CorruptBitstreamError(
            f"not a .ccz file: {len(content)} bytes that begin with "
            f"{bytes(content[:4])!r}"
        )
    if content[len(MAGIC)] != VERSION:
        raise CorruptBitstreamError(
            f"format version {content[len(MAGIC)]}, but this code reads {VERSION}"
        )
    body = memoryview(content)[_BODY_START:]
    if hashlib.sha256(body).digest() != content[_DIGEST_START:_BODY_START]:
        raise CorruptBitstreamError(
            "the content does not have the SHA-256 that the file states: it was "
            "altered or cut short; get it again"
        )
    outer = _Reader(body)
    length, packed = outer.varint(), outer.byte()
    stored = outer.take(length)
    if packed > 1:
        raise CorruptBitstreamError(f"table flag {packed}, must be 0 or 1")
    reader = _Reader(_inflate(stored) if packed else stored)
    num_entries = reader.varint()
    entries, names = [], set()
    for _ in range(num_entries):
        entry = _read_record(reader, outer)
        if entry.name in names:
            raise CorruptBitstreamError(f"two tensors are called {entry.name!r}")
        names.add(entry.name)
        entries.append(entry)
    if reader.left or outer.left:
        raise CorruptBitstreamError(
            f"{reader.left} bytes behind the table, {outer.left} behind the payloads"
        )
    return tuple(entries)


def _padded(entry: Entry) -> Entry:
    needed = -(-entry.num_weights // WEIGHTS_PER_BYTE)
    if entry.coding != MIXED or len(entry.payload) >= needed:
        return entry
    fields = {**entry.__dict__, "payload": bytes(entry.payload).ljust(needed, b"\0")}
    return Entry(**fields)


def _record(entry: Entry) -> bytes:
    name = entry.name.encode()
    parts = [
        _varint(len(name)),
        name,
        bytes([DTYPES.index(entry.dtype), len(entry.shape)]),
        *(_varint(size) for size in entry.shape),
        bytes([entry.coding]),
    ]
    if entry.coding == STORED:
        parts.append(bytes([DTYPES.index(entry.stored_dtype)]))
    else:
        parts += [_varint(entry.largest), _pack_quantizer(entry.quantizer)]
    parts.append(_varint(len(entry.payload)))
    return b"".join(parts)


def _read_record(reader: "_Reader", payloads: "_Reader") -> Entry:
    try:
        name = bytes(reader.take(reader.varint())).decode()
    except UnicodeDecodeError as error:
        raise CorruptBitstreamError(f"a tensor's name is no UTF-8: {error}") from error
    dtype = reader.dtype()
    num_dimensions = reader.byte()
    if num_dimensions > _MOST_DIMENSIONS:
        raise CorruptBitstreamError(
            f"{name!r} has {num_dimensions} dimensions, at most {_MOST_DIMENSIONS}"
        )
    shape = tuple(reader.varint() for _ in range(num_dimensions))
    if math.prod(max(size, 1) for size in shape) > _MOST_WEIGHTS:
        raise CorruptBitstreamError(f"{name!r} has the impossible shape {shape}")
    coding = reader.byte()
    stored_dtype, quantizer, largest = "", None, 0
    if coding == STORED:
        stored_dtype = reader.dtype()
    elif coding in (GAPS, MIXED):
        largest = reader.varint()
        quantizer = _read_quantizer(reader)
    else:
        raise CorruptBitstreamError(f"{name!r} has the unknown coding {coding}")
    length = reader.varint()
    entry = Entry(
        name,
        shape,
        dtype,
        coding,
        stored_dtype,
        quantizer,
        largest,
        payloads.take(length),
    )
    _check(entry)
    return entry


def _check(entry: Entry) -> None:
    """Refuse sizes that the payload cannot hold."""
    size, length = entry.num_weights, len(entry.payload)
    if entry.coding == STORED:
        expected = size * ITEM_BYTES[DTYPES.index(entry.stored_dtype)]
        if length != expected:
            raise CorruptBitstreamError(
                f"{entry.name!r} has {length} bytes, its shape needs {expected}"
            )
    elif size > WEIGHTS_PER_BYTE * length:
        raise CorruptBitstreamError(
            f"{entry.name!r} claims {size} weights in {length} bytes, at most "
            f"{WEIGHTS_PER_BYTE} per byte are allowed"
        )
    if entry.largest > LARGEST_SYMBOL:
        raise CorruptBitstreamError(
            f"{entry.name!r} claims symbols up to {entry.largest}, at most "
            f"{LARGEST_SYMBOL} are allowed"
        )


def _pack_quantizer(quantizer: Quantizer | None) -> bytes:
    if quantizer is None:
        return bytes([_NO_QUANTIZER])
    if isinstance(quantizer, UniformQuantizer):
        return bytes([_STEP]) + struct.pack("<f", quantizer.step_size)
    values = [*quantizer.negative, *quantizer.positive]
    return (
        bytes([_CODEBOOK])
        + _varint(len(quantizer.negative))
        + _varint(len(quantizer.positive))
        + struct.pack(f"<{len(values)}f", *values)
    )


def _read_quantizer(reader: "_Reader") -> Quantizer | None:
    kind = reader.byte()
    if kind == _NO_QUANTIZER:
        return None
    try:
        if kind == _STEP:
            return UniformQuantizer(struct.unpack("<f", reader.take(4))[0])
        if kind == _CODEBOOK:
            num_negative, num_positive = reader.varint(), reader.varint()
            total = num_negative + num_positive
            values = struct.unpack(f"<{total}f", reader.take(4 * total))
            return Codebook(values[:num_negative], values[num_negative:])
    except ValueError as error:
        raise CorruptBitstreamError(f"a quantizer makes no sense: {error}") from error
    raise CorruptBitstreamError(f"unknown kind of quantizer {kind}")


def _varint(number: int) -> bytes:
    """Write an unsigned integer, seven bits a byte, the lowest first (LEB128)."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(content) + compressor.flush()


def _inflate(content: bytes | memoryview) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        table = inflater.decompress(content, _MOST_TABLE_BYTES)
    except zlib.error as error:
        raise CorruptBitstreamError(f"the table does not inflate: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise CorruptBitstreamError(
            f"the table inflates to more than {_MOST_TABLE_BYTES} bytes or has no end"
        )
    return table


class _Reader:
    """Reads fields one after the other, and never past the end."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = content
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._position

    def take(self, length: int) -> bytes | memoryview:
        if length > self.left:
            raise CorruptBitstreamError(
                f"{length} bytes wanted at {self._position}, {self.left} are left"
            )
        start, self._position = self._position, self._position + length
        return self._content[start : self._position]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        number = 0
        for shift in range(0, 63, 7):
            byte = self.byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise CorruptBitstreamError(
            f"an integer of more than 63 bits ends at byte {self._position}"
        )

    def dtype(self) -> str:
        code = self.byte()
        if code >= len(DTYPES):
            raise CorruptBitstreamError(f"unknown dtype code {code}")
        return DTYPES[code]
