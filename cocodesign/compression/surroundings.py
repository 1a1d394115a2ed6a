"""What surrounds a symbol of a matrix, as far as it has been coded.

Encoder and decoder walk through the matrix row by row and see the same past: the
symbols to the left, those above, the same tap of the previous input channels, and how
dense and how large the row, the column and the whole have been. Sizes and densities are
*levels*, on a logarithmic scale.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

LEVELS = 26
"""Levels in half octaves."""

FINE_LEVELS = 64
"""Levels in quarter octaves."""

TAPS = 128
"""Kernel positions that are told apart."""

_ONE = 1 << 12  # densities and mean magnitudes are in units of 2⁻¹²
_LARGE = 1 << 16  # magnitudes above count as this: products of two means fit

# Fields of ``Past.seen``.
(
    _ROWS,
    _ROW_SEEN,
    _ROW_COUNT,
    _ROW_MEAN,
    RUN,
    _DENSITY,
    _MEAN,
    _NUM_SEEN,
) = range(8)

# Fields of ``Past.here``.
(
    WEST,
    WEST_2,
    NORTH,
    NORTH_2,
    NORTH_WEST,
    NORTH_EAST,
    CHANNEL,
    CHANNEL_2,
    KERNEL_UP,
    TAP,
    COLUMN_LEVEL,
    ROW_LEVEL,
    COLUMN_MEAN_LEVEL,
    ROW_MEAN_LEVEL,
    EXPECTED,
    SCALE,
    ROW_INDEX,
    COLUMN_INDEX,
    _NUM_HERE,
) = range(19)


class Past(NamedTuple):
    """What is known of the symbols coded so far; all arrays int64.

    Attributes:
        above: The previous row that was not empty.
        above_2: The one before that.
        row: The symbols of this row.
        column_count: Non-zeros by column.
        column_mean: Mean magnitude by column, in units of 2⁻¹².
        seen: Statistics of the row and of the whole.
        here: What surrounds the next symbol, by the names of this module.
    """

    above: np.ndarray
    above_2: np.ndarray
    row: np.ndarray
    column_count: np.ndarray
    column_mean: np.ndarray
    seen: np.ndarray
    here: np.ndarray


@njit(cache=True, nogil=True)
@no_type_check
def make_past(num_columns):
    """Return the past of a matrix of which nothing is known."""
    seen = np.zeros(_NUM_SEEN, np.int64)
    seen[_DENSITY] = _ONE >> 3
    seen[_MEAN] = _ONE >> 3
    return Past(
        np.zeros(num_columns, np.int64),
        np.zeros(num_columns, np.int64),
        np.zeros(num_columns, np.int64),
        np.zeros(num_columns, np.int64),
        np.zeros(num_columns, np.int64),
        seen,
        np.zeros(_NUM_HERE, np.int64),
    )


@njit(cache=True, nogil=True)
@no_type_check
def start_row(past, r):
    """Begin row ``r``."""
    seen = past.seen
    past.row[:] = 0
    seen[_ROW_SEEN] = 0
    seen[_ROW_COUNT] = 0
    seen[_ROW_MEAN] = seen[_MEAN]
    seen[RUN] = 0
    past.here[ROW_INDEX] = r
    past.here[WEST] = 0
    past.here[WEST_2] = 0


@njit(cache=True, nogil=True)
@no_type_check
def look_around(past, c, num_taps, tap_width):
    """Fill ``past.here`` for column ``c``."""
    here, seen, above, row = past.here, past.seen, past.above, past.row
    here[NORTH] = above[c]
    here[NORTH_2] = past.above_2[c]
    here[NORTH_WEST] = above[c - 1] if c else 0
    here[NORTH_EAST] = above[c + 1] if c + 1 < above.size else 0
    here[CHANNEL] = row[c - num_taps] if c >= num_taps else 0
    here[CHANNEL_2] = row[c - 2 * num_taps] if c >= 2 * num_taps else 0
    here[KERNEL_UP] = row[c - tap_width] if c >= tap_width else 0
    here[TAP] = min(c % num_taps, TAPS - 1)
    here[COLUMN_INDEX] = c
    density = seen[_DENSITY]
    here[COLUMN_LEVEL] = level(
        (past.column_count[c] * _ONE + 2 * density) // (seen[_ROWS] + 2)
    )
    here[ROW_LEVEL] = level(
        (seen[_ROW_COUNT] * _ONE + 8 * density) // (seen[_ROW_SEEN] + 8)
    )
    column_mean = past.column_mean[c] if seen[_ROWS] else seen[_MEAN]
    here[COLUMN_MEAN_LEVEL] = level(column_mean >> 2)
    here[ROW_MEAN_LEVEL] = level(seen[_ROW_MEAN] >> 2)
    near = 2 * abs(here[WEST]) + 2 * abs(here[NORTH]) + abs(here[WEST_2])
    near += abs(here[NORTH_2]) + abs(here[CHANNEL]) + abs(here[KERNEL_UP])
    expected = (near * _ONE >> 3) + column_mean + seen[_ROW_MEAN]
    here[EXPECTED] = level(expected >> 3)
    here[SCALE] = _fine_level(column_mean * seen[_ROW_MEAN] // (seen[_MEAN] + 1))


@njit(cache=True, nogil=True)
@no_type_check
def remember(past, c, symbol):
    """Take the symbol of column ``c`` into the statistics."""
    here, seen = past.here, past.seen
    magnitude = abs(symbol)
    past.row[c] = symbol
    here[WEST_2] = here[WEST]
    here[WEST] = symbol
    scaled = min(magnitude, _LARGE) * _ONE
    hit = 0
    if symbol != 0:
        hit = 1
        past.column_count[c] += 1
        seen[_ROW_COUNT] += 1
        seen[RUN] = 0
    else:
        seen[RUN] += 1
    seen[_ROW_SEEN] += 1
    past.column_mean[c] += (scaled - past.column_mean[c]) // min(seen[_ROWS] + 2, 64)
    seen[_ROW_MEAN] += (scaled - seen[_ROW_MEAN]) // min(seen[_ROW_SEEN] + 4, 256)
    seen[_MEAN] += (scaled - seen[_MEAN]) >> 8
    seen[_DENSITY] += ((hit << 12) - seen[_DENSITY] + 128) >> 8


@njit(cache=True, nogil=True)
@no_type_check
def end_row(past):
    """Make this row the one above."""
    past.above_2[:] = past.above
    past.above[:] = past.row
    past.seen[_ROWS] += 1


@njit(cache=True, nogil=True)
@no_type_check
def level(x):
    """Quantize ``x`` ≥ 0 to half octaves: 0, 1, 2, 3, 4, 6, 8 give 0 to 6."""
    if x < 2:
        return x
    log = 0
    y = x
    while y > 1:
        y >>= 1
        log += 1
    return min(2 * log + ((x >> (log - 1)) & 1), LEVELS - 1)


@njit(cache=True, nogil=True)
@no_type_check
def _fine_level(x):
    """Quantize ``x`` ≥ 0 to quarter octaves."""
    if x < 4:
        return x
    log = 0
    y = x
    while y > 7:
        y >>= 1
        log += 1
    return min(4 * log + y, FINE_LEVELS - 1)
