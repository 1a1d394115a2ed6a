"""Profile ``fast``: gaps and values of the non-zeros, in interleaved rANS.

A tensor is cut into blocks of 2²⁰ symbols, so that several threads can decode it. In a
block, each non-zero is the number of zeros before it and its value; both are classes
with extra bits (``frequencies``), coded by four numeral systems that take turns
(``numeral_systems``; after Giesen 2014, arXiv:1402.3392, Section 2): gaps and values of
even and of odd non-zeros, so that four chains of multiplications overlap. The time goes
with the number of non-zeros, not with that of weights.

A decoder that has read everything is back in the encoder's first state: damage that
the file's digest did not catch is seen there.
"""

from typing import NamedTuple

import numpy as np

from cocodesign.compression.frequencies import (
    TOTAL,
    normalise,
    num_classes,
    pack_frequencies,
    unpack_frequencies,
)
from cocodesign.compression.numeral_systems import (
    FIRST_STATE,
    GAP_SPLIT_BITS,
    NUM_STATES,
    VALUE_SPLIT_BITS,
    Table,
    count_classes,
    decode_nonzeros,
    encode_nonzeros,
    place,
)
from cocodesign.errors import CorruptBitstreamError

BLOCK_SIZE = 1 << 20
"""Symbols in a block; the last one of a tensor may hold fewer."""

_BLOCK_HEADER = np.dtype(
    [
        ("num_nonzero", "<u4"),
        ("num_words", "<u4"),
        ("num_extra_bytes", "<u4"),
        ("states", "<u8", NUM_STATES),
    ]
)


class Nonzeros(NamedTuple):
    """The non-zero symbols of a stretch of a tensor.

    Attributes:
        positions: int32, increasing, relative to the stretch's first symbol.
        values: int32, none of them zero.
    """

    positions: np.ndarray
    values: np.ndarray


def encode_gaps(symbols: np.ndarray) -> bytes:
    """Encode symbols.

    Args:
        symbols: int32 of any shape, magnitudes below 2³⁰; coded in C order.

    Returns:
        The payload: both frequency tables, then the blocks.

    Example:
        >>> symbols = np.array([0, 0, 5, 0, -1], np.int32)
        >>> decode_gaps(encode_gaps(symbols), 5).tolist()
        [0, 0, 5, 0, -1]
    """
    flat = np.ascontiguousarray(symbols, np.int32).reshape(-1)
    blocks = [flat[i : i + BLOCK_SIZE] for i in range(0, flat.size, BLOCK_SIZE)]
    nonzeros = [np.flatnonzero(block).astype(np.int32) for block in blocks]
    gap_counts = np.zeros(num_classes(GAP_SPLIT_BITS), np.int64)
    value_counts = np.zeros(num_classes(VALUE_SPLIT_BITS), np.int64)
    for block, positions in zip(blocks, nonzeros, strict=True):
        count_classes(positions, block[positions], gap_counts, value_counts)
    gaps, values = normalise(gap_counts), normalise(value_counts)
    parts = [pack_frequencies(gaps), pack_frequencies(values)]
    for block, positions in zip(blocks, nonzeros, strict=True):
        parts.append(
            _encode_block(positions, block[positions], _table(gaps), _table(values))
        )
    return b"".join(parts)


def decode_gaps(payload: bytes | memoryview, num_symbols: int) -> np.ndarray:
    """Decode symbols.

    Args:
        payload: What ``encode_gaps`` gave.
        num_symbols: How many symbols it holds.

    Returns:
        The symbols, int32 of one axis.

    Raises:
        CorruptBitstreamError: If the payload is damaged.
    """
    symbols = np.zeros(num_symbols, np.int32)
    for first, block in zip(
        range(0, num_symbols, BLOCK_SIZE),
        read_blocks(payload, num_symbols),
        strict=True,
    ):
        positions, values = block.decode()
        place(positions, values, symbols[first : first + BLOCK_SIZE])
    return symbols


class Block(NamedTuple):
    """One block of a payload, located but not decoded.

    Attributes:
        num_symbols: Symbols in it, zeros included.
        num_nonzero: Non-zeros among them.
        states: The decoder's first states.
        words: Words of the numeral system.
        extra: Extra bits, eight in a byte, the lowest first.
        gaps: Table of the gaps.
        values: Table of the values.
    """

    num_symbols: int
    num_nonzero: int
    states: np.ndarray
    words: np.ndarray
    extra: np.ndarray
    gaps: Table
    values: Table

    def decode(self) -> Nonzeros:
        """Decode the block; may run in any thread, since it holds no lock.

        Returns:
            Its non-zeros.

        Raises:
            CorruptBitstreamError: If it is damaged.
        """
        found = Nonzeros(
            np.empty(self.num_nonzero, np.int32), np.empty(self.num_nonzero, np.int32)
        )
        states = self.states.copy()
        intact = decode_nonzeros(
            found.positions,
            found.values,
            states,
            self.words,
            self.extra,
            self.gaps,
            self.values,
            self.num_symbols,
        )
        if not intact:
            raise CorruptBitstreamError(
                f"a block of {self.num_nonzero} non-zeros does not decode to its end"
            )
        return found


def read_blocks(payload: bytes | memoryview, num_symbols: int) -> list[Block]:
    """Locate the blocks of a payload.

    Args:
        payload: What ``encode_gaps`` gave.
        num_symbols: How many symbols it holds.

    Returns:
        The blocks, views into the payload.

    Raises:
        CorruptBitstreamError: If it is truncated, too long or malformed.
    """
    gaps, position = unpack_frequencies(payload, 0, GAP_SPLIT_BITS)
    values, position = unpack_frequencies(payload, position, VALUE_SPLIT_BITS)
    gap_table, value_table = _table(gaps), _table(values)
    blocks = []
    for first in range(0, num_symbols, BLOCK_SIZE):
        size = min(BLOCK_SIZE, num_symbols - first)
        header_end = position + _BLOCK_HEADER.itemsize
        if header_end > len(payload):
            raise CorruptBitstreamError(f"no block at byte {position}")
        header = np.frombuffer(payload, _BLOCK_HEADER, count=1, offset=position)[0]
        num_words, num_extra = int(header["num_words"]), int(header["num_extra_bytes"])
        words_end = header_end + 4 * num_words
        position = words_end + num_extra
        num_nonzero = int(header["num_nonzero"])
        if position > len(payload) or num_nonzero > size:
            raise CorruptBitstreamError(
                f"a block claims {num_nonzero} non-zeros of {size} symbols and "
                f"{4 * num_words + num_extra} bytes of {len(payload) - header_end}"
            )
        if num_nonzero and not (gaps.any() and values.any()):
            raise CorruptBitstreamError("non-zeros without a frequency table")
        blocks.append(
            Block(
                size,
                num_nonzero,
                header["states"].astype(np.uint64),
                # Copies, since the kernels are compiled for aligned arrays.
                _cut(payload, np.dtype("<u4"), num_words, header_end),
                _cut(payload, np.dtype(np.uint8), num_extra, words_end),
                gap_table,
                value_table,
            )
        )
    if position != len(payload):
        raise CorruptBitstreamError(
            f"{len(payload) - position} bytes behind the last block"
        )
    return blocks


def _cut(
    payload: bytes | memoryview, dtype: np.dtype, count: int, offset: int
) -> np.ndarray:
    return np.frombuffer(payload, dtype, count=count, offset=offset).copy()


def _table(frequencies: np.ndarray) -> Table:
    start = np.cumsum(frequencies) - frequencies
    owners = np.repeat(np.arange(len(frequencies)), frequencies).astype(np.uint16)
    if owners.size == 0:
        owners = np.zeros(TOTAL, np.uint16)
    return Table(frequencies.astype(np.uint64), start.astype(np.uint64), owners)


def _encode_block(
    positions: np.ndarray, values: np.ndarray, gap_table: Table, value_table: Table
) -> bytes:
    # A class costs at most 12 bits, an extra field at most 26: both fit.
    words = np.empty(positions.size + 2 * NUM_STATES, np.uint32)
    extra = np.zeros(8 * positions.size + 8, np.uint8)
    states = np.full(NUM_STATES, FIRST_STATE, np.uint64)
    num_words, num_extra = encode_nonzeros(
        positions, values, states, words, extra, gap_table, value_table
    )
    header = np.zeros(1, _BLOCK_HEADER)
    header["num_nonzero"] = positions.size
    header["num_words"] = num_words
    header["num_extra_bytes"] = num_extra
    header["states"] = states
    return (
        header.tobytes()
        + words[:num_words][::-1].astype("<u4").tobytes()  # written last to first
        + extra[:num_extra].tobytes()
    )
