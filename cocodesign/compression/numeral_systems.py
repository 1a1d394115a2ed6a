"""Four interleaved numeral systems over the non-zeros of a block: the inner loops.

The states of a lane are those of range asymmetric numeral systems (Duda 2013,
arXiv:1311.2540, Section 3): coding class ``s`` of frequency ``f`` out of 2¹² takes
``x`` to ``(x // f) 2¹² + start + x % f``; decoding undoes it. The encoder walks
backwards and spills 32-bit words, the decoder walks forwards and takes them in.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

from cocodesign.compression.frequencies import (
    PRECISION_BITS,
    TOTAL,
    class_of,
    class_start,
)

GAP_SPLIT_BITS = 4
VALUE_SPLIT_BITS = 6

NUM_STATES = 4
"""Gaps and values of even, then of odd non-zeros."""

FIRST_STATE = 1 << 31


class Table(NamedTuple):
    """How one kind of class is coded.

    Attributes:
        frequency: uint64, of every class; they sum to 2¹².
        start: uint64, sum of the frequencies before it.
        class_of_slot: uint16, the class that owns each of the 2¹² slots.
    """

    frequency: np.ndarray
    start: np.ndarray
    class_of_slot: np.ndarray


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _unsigned(value):
    """Map 1, -1, 2, -2, ... to 0, 1, 2, 3, ..."""
    return 2 * (abs(value) - 1) + (value < 0)


@njit(cache=True, nogil=True)
@no_type_check
def count_classes(positions, values, gap_counts, value_counts):
    """Add how often each class occurs."""
    previous = -1
    for i in range(positions.size):
        gap_class, _ = class_of(positions[i] - previous - 1, GAP_SPLIT_BITS)
        value_class, _ = class_of(_unsigned(np.int64(values[i])), VALUE_SPLIT_BITS)
        gap_counts[gap_class] += 1
        value_counts[value_class] += 1
        previous = positions[i]


@njit(cache=True, nogil=True)
@no_type_check
def encode_nonzeros(positions, values, states, words, extra, gap_table, value_table):
    """Fill words (backwards) and extra bits; return how many words and bytes."""
    bit = 0
    previous = -1
    for i in range(positions.size):
        gap = positions[i] - previous - 1
        previous = positions[i]
        u = _unsigned(np.int64(values[i]))
        for integer, split in ((gap, GAP_SPLIT_BITS), (u, VALUE_SPLIT_BITS)):
            _, num_bits = class_of(integer, split)
            for k in range(num_bits):
                if (integer >> k) & 1:
                    extra[bit >> 3] |= np.uint8(1 << (bit & 7))
                bit += 1
    num_words = 0
    for i in range(positions.size - 1, -1, -1):
        gap = positions[i] - (positions[i - 1] if i else -1) - 1
        u = _unsigned(np.int64(values[i]))
        lane = 2 * (i & 1)
        number, _ = class_of(u, VALUE_SPLIT_BITS)
        num_words = _push(states, lane + 1, number, value_table, words, num_words)
        number, _ = class_of(gap, GAP_SPLIT_BITS)
        num_words = _push(states, lane, number, gap_table, words, num_words)
    return num_words, (bit + 7) >> 3


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _push(states, lane, number, table, words, num_words):
    """Put one class on a state; spill its low word first if it would overflow."""
    frequency, start = table.frequency[number], table.start[number]
    x = states[lane]
    if x >= frequency << np.uint64(63 - PRECISION_BITS):
        words[num_words] = np.uint32(x & np.uint64(0xFFFFFFFF))
        num_words += 1
        x >>= np.uint64(32)
    quotient = x // frequency
    states[lane] = (quotient << np.uint64(PRECISION_BITS)) + (
        x - quotient * frequency + start
    )
    return num_words


@njit(cache=True, nogil=True)
@no_type_check
def decode_nonzeros(positions, values, states, words, extra, gaps, signed, num_symbols):
    """Fill positions and values.

    Nothing is read or written out of bounds whatever the input: what is missing counts
    as zero, and is noticed in the end.

    Args:
        positions: int32; filled.
        values: int32; filled.
        states: The four states, uint64.
        words: Spilled words, uint32.
        extra: Extra bits, uint8.
        gaps: Table of the gaps.
        signed: Table of the values.
        num_symbols: What no position may reach.

    Returns:
        Whether everything was read and all states are back where the encoder began.
    """
    word = 0
    bit = 0
    position = -1
    gap_state, value_state, next_gap, next_value = states
    for i in range(positions.size):
        number, gap_state, word = _pull(gap_state, gaps, words, word)
        gap, count = class_start(number, GAP_SPLIT_BITS)
        if count:
            gap += _extra_bits(extra, bit, count)
            bit += count
        number, value_state, word = _pull(value_state, signed, words, word)
        u, count = class_start(number, VALUE_SPLIT_BITS)
        if count:
            u += _extra_bits(extra, bit, count)
            bit += count
        position += gap + 1
        if position >= num_symbols:
            return False
        positions[i] = position
        values[i] = -(u >> 1) - 1 if u & 1 else (u >> 1) + 1
        gap_state, next_gap = next_gap, gap_state
        value_state, next_value = next_value, value_state
    first = np.uint64(FIRST_STATE)
    back = gap_state == first and value_state == first
    back = back and next_gap == first and next_value == first
    return back and word == words.size and (bit + 7) >> 3 == extra.size


@njit(cache=True, nogil=True)
@no_type_check
def place(positions, values, symbols):
    """Write values to their positions: what NumPy does, in a third of the time."""
    for i in range(positions.size):
        symbols[np.uint64(positions[i])] = values[i]


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _pull(x, table, words, word):
    """Take one class from a state; refill it with a word if it became short."""
    slot = x & np.uint64(TOTAL - 1)
    number = np.int64(table.class_of_slot[slot])
    x = table.frequency[number] * (x >> np.uint64(PRECISION_BITS))
    x += slot - table.start[number]
    if x < np.uint64(FIRST_STATE):
        taken = np.uint64(words[word]) if word < words.size else np.uint64(0)
        x = (x << np.uint64(32)) | taken
        word += 1
    return number, x, word


@njit(cache=True, nogil=True)
@no_type_check
def _extra_bits(extra, bit, count):
    value = 0
    for k in range(count):
        at = bit + k
        if at >> 3 < extra.size:
            value |= np.int64((extra[at >> 3] >> (at & 7)) & 1) << k
    return value
