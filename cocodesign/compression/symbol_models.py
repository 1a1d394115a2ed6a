"""The models that predict the decisions of a symbol: zero or not, sign, magnitude.

Each model is a table of slots (``mixing``), one for every state of its context
(``surroundings``). Which models exist, and in which order they vote, is part of the
file format.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from cocodesign.compression.mixing import code_mixed_bit, forget_slots
from cocodesign.compression.surroundings import (
    CHANNEL,
    CHANNEL_2,
    COLUMN_INDEX,
    COLUMN_LEVEL,
    COLUMN_MEAN_LEVEL,
    EXPECTED,
    FINE_LEVELS,
    KERNEL_UP,
    LEVELS,
    NORTH,
    NORTH_2,
    NORTH_EAST,
    NORTH_WEST,
    ROW_INDEX,
    ROW_LEVEL,
    ROW_MEAN_LEVEL,
    RUN,
    SCALE,
    TAP,
    TAPS,
    WEST,
    WEST_2,
    level,
)

_UNARY = 14  # magnitudes up to here are counted; beyond, exponent and mantissa
_EXPONENTS = 24

# Where the tables of each context begin among the slots; rows and columns follow.
_BINS = _UNARY + _EXPONENTS
_Z_ALL = 0
_Z_DENSITY = _Z_ALL + 1
_Z_PATTERN = _Z_DENSITY + LEVELS * LEVELS
_Z_ABOVE = _Z_PATTERN + 256
_Z_RUN = _Z_ABOVE + 27 * LEVELS
_Z_TAP = _Z_RUN + 16 * LEVELS
_Z_LOCAL = _Z_TAP + 9 * TAPS
_Z_KERNEL = _Z_LOCAL + 16 * LEVELS
_Z_MEANS = _Z_KERNEL + 16 * LEVELS
_Z_EXPECTED = _Z_MEANS + LEVELS * LEVELS
_Z_SCALE = _Z_EXPECTED + LEVELS
_S_ALL = _Z_SCALE + FINE_LEVELS
_S_AROUND = _S_ALL + 1
_S_TAP = _S_AROUND + 27
_M_ALL = _S_TAP + 9 * TAPS
_M_EXPECTED = _M_ALL + _BINS
_M_MEANS = _M_EXPECTED + _BINS * LEVELS
_M_ROW = _M_MEANS + _BINS * LEVELS
_M_COLUMN = _M_ROW + _BINS * LEVELS
_M_AROUND = _M_COLUMN + _BINS * LEVELS
_M_TAP = _M_AROUND + _BINS * 64
_M_SCALE = _M_TAP + _BINS * TAPS
_MANTISSA = _M_SCALE + _BINS * FINE_LEVELS
FIXED_SLOTS = _MANTISSA + _EXPONENTS * 64
SLOTS_PER_LINE = 3  # of a row or a column: zero, sign, first step of the magnitude

# Sets of mixing weights.
_SETS_Z_DENSITY = 0
_SETS_Z_PATTERN = _SETS_Z_DENSITY + LEVELS
_SETS_SIGN = _SETS_Z_PATTERN + 16
_SETS_M_BIN = _SETS_SIGN + 1
_SETS_M_EXPECTED = _SETS_M_BIN + _BINS
_SETS_MANTISSA = _SETS_M_EXPECTED + LEVELS
NUM_SETS = _SETS_MANTISSA + 1


@njit(cache=True, nogil=True)
@no_type_check
def code_flags(mixer, buffer, flags):
    """Code which rows or columns hold anything, by their two predecessors."""
    mixer.choice[0] = _SETS_MANTISSA
    mixer.choice[1] = _SETS_MANTISSA
    context = 0
    for i in range(flags.size):
        mixer.chosen[0] = _Z_ALL
        mixer.chosen[1] = _Z_PATTERN + context
        flags[i] = code_mixed_bit(mixer, buffer, flags[i], 2)
        context = ((context << 1) | flags[i]) & 3
    forget_slots(mixer, _Z_ALL, _Z_PATTERN + 4)


@njit(cache=True, nogil=True)
@no_type_check
def code_symbol(mixer, buffer, symbol, past, largest, num_rows):
    """Code one symbol, and return it."""
    here, seen = past.here, past.seen
    not_zero = _code_zero(mixer, buffer, 1 if symbol != 0 else 0, here, seen, num_rows)
    if not_zero == 0:
        return 0
    negative = _code_sign(mixer, buffer, 1 if symbol < 0 else 0, here, num_rows)
    magnitude = _code_magnitude(mixer, buffer, abs(symbol), here, largest, num_rows)
    return -magnitude if negative else magnitude


@njit(cache=True, nogil=True)
@no_type_check
def _code_zero(mixer, buffer, bit, here, seen, num_rows):
    west, north, north_2 = here[WEST], here[NORTH], here[NORTH_2]
    channel = here[CHANNEL]
    column, row = here[COLUMN_LEVEL], here[ROW_LEVEL]
    w, n = min(abs(west), 2), min(abs(north), 2)
    n2, p = min(abs(north_2), 2), min(abs(channel), 2)
    pattern = (
        (west != 0)
        + 2 * (north != 0)
        + 4 * (here[WEST_2] != 0)
        + 8 * (north_2 != 0)
        + 16 * (here[NORTH_WEST] != 0)
        + 32 * (here[NORTH_EAST] != 0)
        + 64 * (channel != 0)
        + 128 * (here[KERNEL_UP] != 0)
    )
    kernel = (
        (channel != 0)
        + 2 * (here[CHANNEL_2] != 0)
        + 4 * (here[KERNEL_UP] != 0)
        + 8 * (west != 0)
    )
    local = 2 * min(abs(west), 3) + 2 * min(abs(north), 3) + min(abs(here[WEST_2]), 2)
    local += n2 + min(abs(here[NORTH_WEST]), 2) + min(abs(here[NORTH_EAST]), 2)
    row_at, column_at = _line_slots(here, num_rows)
    index = mixer.chosen
    index[0] = _Z_ALL
    index[1] = row_at
    index[2] = column_at
    index[3] = _Z_DENSITY + column * LEVELS + row
    index[4] = _Z_PATTERN + pattern
    index[5] = _Z_ABOVE + (w + 3 * n + 9 * n2) * LEVELS + column
    index[6] = _Z_RUN + min(level(seen[RUN]), 15) * LEVELS + row
    index[7] = _Z_TAP + here[TAP] * 9 + w + 3 * p
    index[8] = _Z_LOCAL + min(local, 15) * LEVELS + column
    index[9] = _Z_KERNEL + kernel * LEVELS + row
    index[10] = _Z_MEANS + here[COLUMN_MEAN_LEVEL] * LEVELS + here[ROW_MEAN_LEVEL]
    index[11] = _Z_EXPECTED + here[EXPECTED]
    index[12] = _Z_SCALE + here[SCALE]
    mixer.choice[0] = _SETS_Z_DENSITY + here[EXPECTED]
    mixer.choice[1] = _SETS_Z_PATTERN + kernel
    return code_mixed_bit(mixer, buffer, bit, 13)


@njit(cache=True, nogil=True)
@no_type_check
def _code_sign(mixer, buffer, bit, here, num_rows):
    west, north = np.sign(here[WEST]) + 1, np.sign(here[NORTH]) + 1
    above, channel = np.sign(here[NORTH_2]) + 1, np.sign(here[CHANNEL]) + 1
    row_at, column_at = _line_slots(here, num_rows)
    index = mixer.chosen
    index[0] = _S_ALL
    index[1] = row_at + 1
    index[2] = column_at + 1
    index[3] = _S_AROUND + west + 3 * north + 9 * above
    index[4] = _S_TAP + here[TAP] * 9 + west + 3 * channel
    mixer.choice[0] = _SETS_SIGN
    mixer.choice[1] = _SETS_SIGN
    return code_mixed_bit(mixer, buffer, bit, 5)


@njit(cache=True, nogil=True)
@no_type_check
def _code_magnitude(mixer, buffer, magnitude, here, largest, num_rows):
    """Code a magnitude from 1 to ``largest``."""
    excess = magnitude - 1
    for step in range(min(_UNARY, largest - 1)):
        more = 1 if excess > step else 0
        if _code_magnitude_bin(mixer, buffer, more, here, step, num_rows) == 0:
            return step + 1
    if largest - 1 <= _UNARY:
        return largest
    rest = excess - _UNARY + 1  # at least 1: exponent, then mantissa below its top bit
    exponent = 0
    while exponent < _EXPONENTS - 1:
        more = 1 if rest >> (exponent + 1) > 0 else 0
        if (
            _code_magnitude_bin(mixer, buffer, more, here, _UNARY + exponent, num_rows)
            == 0
        ):
            break
        exponent += 1
    value = 1
    for position in range(exponent):
        context = value if position < 3 else 16 + position
        mixer.chosen[0] = _MANTISSA + exponent * 64 + context
        mixer.choice[0] = _SETS_MANTISSA
        mixer.choice[1] = _SETS_MANTISSA
        bit = (rest >> (exponent - 1 - position)) & 1
        value = 2 * value + code_mixed_bit(mixer, buffer, bit, 1)
    return value - 1 + _UNARY + 1


@njit(cache=True, nogil=True)
@no_type_check
def _code_magnitude_bin(mixer, buffer, bit, here, step, num_rows):
    w, n = min(abs(here[WEST]), 7), min(abs(here[NORTH]), 7)
    row_at, column_at = _line_slots(here, num_rows)
    index = mixer.chosen
    index[0] = _M_ALL + step
    index[1] = _M_EXPECTED + step * LEVELS + here[EXPECTED]
    index[2] = _M_MEANS + step * LEVELS + here[COLUMN_MEAN_LEVEL]
    index[3] = _M_ROW + step * LEVELS + here[ROW_MEAN_LEVEL]
    index[4] = _M_COLUMN + step * LEVELS + here[COLUMN_LEVEL]
    index[5] = _M_AROUND + step * 64 + 8 * w + n
    index[6] = _M_TAP + step * TAPS + here[TAP]
    index[7] = _M_SCALE + step * FINE_LEVELS + here[SCALE]
    count = 8
    if step == 0:
        index[8] = row_at + 2
        index[9] = column_at + 2
        count = 10
    mixer.choice[0] = _SETS_M_BIN + step
    mixer.choice[1] = _SETS_M_EXPECTED + here[EXPECTED]
    return code_mixed_bit(mixer, buffer, bit, count)


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _line_slots(here, num_rows):
    """Return the first slots of this row and of this column."""
    row_at = FIXED_SLOTS + SLOTS_PER_LINE * here[ROW_INDEX]
    return row_at, FIXED_SLOTS + SLOTS_PER_LINE * (num_rows + here[COLUMN_INDEX])
