"""Profile ``max``: every weight predicted from its surroundings.

A tensor is a matrix of symbols, rows first. Rows and columns without a single non-zero
are named beforehand; each remaining symbol is a few binary decisions: is it zero, its
sign, its magnitude in steps. Each is predicted by several models (``symbol_models``),
each of which counts what happened in one *context*: this row, this column, how dense
both are, the symbols to the left, those of the rows above, the same tap of the previous
channel. What the models say is mixed (``mixing``) and drives an arithmetic coder
(``binary_coder``).

All arithmetic is in 64-bit integers: a file decodes to the same weights everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numba import njit

from cocodesign.compression.binary_coder import (
    finish_encoder,
    start_decoder,
    start_encoder,
)
from cocodesign.compression.mixing import make_mixer
from cocodesign.compression.surroundings import (
    end_row,
    look_around,
    make_past,
    remember,
    start_row,
)
from cocodesign.compression.symbol_models import (
    FIXED_SLOTS,
    NUM_SETS,
    SLOTS_PER_LINE,
    code_flags,
    code_symbol,
)

_SLAB_SYMBOLS = 1 << 18


@dataclass(frozen=True)
class Layout:
    """A tensor seen as a matrix.

    Attributes:
        num_rows: Its first axis.
        num_columns: All others.
        num_taps: Columns per input channel, such as 9 for a kernel of 3×3.
        tap_width: Columns per line of a kernel.
    """

    num_rows: int
    num_columns: int
    num_taps: int = 1
    tap_width: int = 1


def encode_mixed(symbols: np.ndarray, layout: Layout, largest: int) -> bytes:
    """Encode symbols.

    Args:
        symbols: int32, as many as the layout has.
        layout: Their matrix.
        largest: Their largest magnitude; 0 if all are zero.

    Returns:
        The payload, empty if all are zero.

    Example:
        >>> layout = Layout(num_rows=2, num_columns=3)
        >>> symbols = np.array([[0, 0, 5], [0, 0, -1]], np.int32)
        >>> payload = encode_mixed(symbols, layout, largest=5)
        >>> [slab.tolist() for slab in decode_mixed(payload, layout, 5)]
        [[[0, 0, 5], [0, 0, -1]]]
    """
    if not largest:
        return b""
    matrix = np.ascontiguousarray(symbols, np.int32).reshape(
        layout.num_rows, layout.num_columns
    )
    # A decision costs at most 16 bits; a symbol needs at most 2 and its magnitude's.
    decisions = 2 + min(largest, 14) + 2 * largest.bit_length()
    num_decisions = matrix.size + decisions * int(np.count_nonzero(matrix))
    num_decisions += layout.num_rows + layout.num_columns
    buffer = np.zeros(2 * num_decisions + 16, np.uint8)
    rows = (matrix != 0).any(axis=1).astype(np.int64)
    columns = (matrix != 0).any(axis=0).astype(np.int64)
    mixer, past = _start(buffer, rows, columns, False)  # noqa: FBT003
    used = np.flatnonzero(columns)
    _code_rows(
        mixer,
        past,
        buffer,
        matrix.copy(),
        0,
        rows,
        used,
        layout.num_taps,
        layout.tap_width,
        largest,
    )
    return buffer[: finish_encoder(mixer.coder, buffer)].tobytes()


def decode_mixed(
    payload: bytes | memoryview, layout: Layout, largest: int
) -> Iterator[np.ndarray]:
    """Decode symbols, some rows at a time.

    Args:
        payload: What ``encode_mixed`` gave; trailing zeros are ignored, and a damaged
            one decodes to something else.
        layout: The symbols' matrix.
        largest: Their largest magnitude.

    Yields:
        int32 ``[rows, columns]``, at most 2¹⁸ symbols or one row at a time.
    """
    num_rows, num_columns = layout.num_rows, layout.num_columns
    slab_rows = max(1, _SLAB_SYMBOLS // max(num_columns, 1))
    buffer = np.frombuffer(payload, np.uint8).copy()  # the kernels take one type
    rows = np.zeros(num_rows, np.int64)
    columns = np.zeros(num_columns, np.int64)
    mixer = past = None
    if largest:
        mixer, past = _start(buffer, rows, columns, True)  # noqa: FBT003
    used = np.flatnonzero(columns)
    for first in range(0, num_rows, slab_rows):
        slab = np.zeros((min(slab_rows, num_rows - first), num_columns), np.int32)
        if largest and used.size:
            _code_rows(
                mixer,
                past,
                buffer,
                slab,
                first,
                rows,
                used,
                layout.num_taps,
                layout.tap_width,
                largest,
            )
        yield slab


@njit(cache=True, nogil=True)
@no_type_check
def _start(buffer, rows, columns, decodes):
    """Code which rows and columns hold anything; return mixer and past."""
    num_lines = rows.size + columns.size
    mixer = make_mixer(FIXED_SLOTS + SLOTS_PER_LINE * num_lines, NUM_SETS)
    if decodes:
        start_decoder(mixer.coder, buffer)
    else:
        start_encoder(mixer.coder)
    code_flags(mixer, buffer, rows)
    code_flags(mixer, buffer, columns)
    return mixer, make_past(columns.size)


@njit(cache=True, nogil=True)
@no_type_check
def _code_rows(mixer, past, buffer, slab, first, rows, used, taps, width, largest):
    """Code the rows from ``first`` on; when decoding, fill them in."""
    for r in range(slab.shape[0]):
        if rows[first + r] == 0:
            continue
        start_row(past, first + r)
        for position in range(used.size):
            c = used[position]
            look_around(past, c, taps, width)
            symbol = code_symbol(mixer, buffer, slab[r, c], past, largest, rows.size)
            slab[r, c] = symbol
            remember(past, c, symbol)
        end_row(past)
