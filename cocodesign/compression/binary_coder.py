"""A binary arithmetic coder: one bit, one probability, integers only.

The interval ``[low, low + range)`` of 48 bits shrinks with every bit to the part that
the probability gives it (Rissanen & Langdon 1979); full bytes leave at the top, and a
carry runs back through a byte held in waiting and the 0xFF bytes behind it (as in
Martin 1979; Schindler 1998). One set of functions serves both directions, so that
encoder and decoder cannot drift apart.

The coder's state is an int64 array, indexed by the names below, and a byte buffer.
"""

from typing import no_type_check

import numpy as np
from numba import njit

# Fields of the state.
_LOW, _RANGE, _CODE, _POSITION, _WAITING, _NUM_PENDING, _DECODES, NUM_FIELDS = range(8)

_TOP = 1 << 48
_BOTTOM = 1 << 40
_STATE_BYTES = 6


@njit(cache=True, nogil=True)
@no_type_check
def start_encoder(state):
    """Begin an empty stream; ``state`` is int64 of length ``NUM_FIELDS``."""
    state[:] = 0
    state[_RANGE] = _TOP - 1
    state[_WAITING] = -1


@njit(cache=True, nogil=True)
@no_type_check
def start_decoder(state, buffer):
    """Begin to read ``buffer``; bytes past its end count as zeros."""
    state[:] = 0
    state[_RANGE] = _TOP - 1
    state[_DECODES] = 1
    for _ in range(_STATE_BYTES):
        _read_byte(state, buffer)


@njit(cache=True, nogil=True)
@no_type_check
def code_bit(state, buffer, bit, probability):
    """Code one bit and return it.

    Args:
        state: The coder's state, changed in place.
        buffer: uint8; the encoder writes, and it must be long enough (2 bytes and one
            more per 16 bits suffice in any case), the decoder reads.
        bit: 0 or 1; any value when decoding.
        probability: That the bit is 1, from 1 to 65,535 in units of 2⁻¹⁶.

    Returns:
        The bit.
    """
    bound = (state[_RANGE] >> 16) * probability
    if state[_DECODES]:
        bit = 1 if state[_CODE] < bound else 0
    if bit:
        state[_RANGE] = bound
    else:
        if state[_DECODES]:
            state[_CODE] -= bound
        else:
            state[_LOW] += bound
        state[_RANGE] -= bound
    while state[_RANGE] < _BOTTOM:
        state[_RANGE] <<= 8
        if state[_DECODES]:
            _read_byte(state, buffer)
        else:
            _shift_out(state, buffer)
    return bit


@njit(cache=True, nogil=True)
@no_type_check
def finish_encoder(state, buffer):
    """Write what is left, as few bytes as decode alike, and return the length."""
    low = state[_LOW]
    for num_zero_bytes in range(_STATE_BYTES - 1, -1, -1):
        mask = (1 << (8 * num_zero_bytes)) - 1
        rounded = (low + mask) & ~mask
        if rounded < low + state[_RANGE]:
            state[_LOW] = rounded
            break
    for _ in range(_STATE_BYTES + 1):
        _shift_out(state, buffer)
    length = state[_POSITION]
    while length and buffer[length - 1] == 0:  # the decoder supplies them
        length -= 1
    return length


@njit(cache=True, nogil=True)
@no_type_check
def _shift_out(state, buffer):
    low = state[_LOW]
    if low < (0xFF << 40) or low >= _TOP:  # the waiting byte is now certain
        carry = low >> 48
        if state[_WAITING] >= 0:
            buffer[state[_POSITION]] = np.uint8((state[_WAITING] + carry) & 0xFF)
            state[_POSITION] += 1
        for _ in range(state[_NUM_PENDING]):
            buffer[state[_POSITION]] = np.uint8((0xFF + carry) & 0xFF)
            state[_POSITION] += 1
        state[_NUM_PENDING] = 0
        state[_WAITING] = (low >> 40) & 0xFF
    else:
        state[_NUM_PENDING] += 1
    state[_LOW] = (low & (_BOTTOM - 1)) << 8


@njit(cache=True, nogil=True)
@no_type_check
def _read_byte(state, buffer):
    position = state[_POSITION]
    byte = np.int64(buffer[position]) if position < buffer.size else np.int64(0)
    state[_CODE] = (state[_CODE] << 8) | byte
    state[_POSITION] = position + 1
