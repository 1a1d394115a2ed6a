"""Products with packed matrices, column by column, on one core.

``y = W x`` is the sum of W's columns, each times its input: after a ReLU most inputs
are zero, and their columns cost nothing, not even reading them. Numbers are added in
the order of the columns, in float32, whatever the batch.
"""

from typing import no_type_check

import numpy as np
from numba import njit

_OFFSET = 128  # of the table of values: codes run from -127 to 127


@njit(cache=True, nogil=True)
@no_type_check
def count_columns(columns, starts):
    """Count the entries of each column into ``starts[column + 1]``."""
    for k in range(columns.size):
        starts[columns[k] + 1] += 1


@njit(cache=True, nogil=True)
@no_type_check
def place_entries(first_row, row_ends, columns, values, next_free, rows, codes):
    """Move entries that are sorted by row to their columns.

    Args:
        first_row: Row of the first entries.
        row_ends: End of each row among the entries.
        columns: Column of each entry.
        values: Symbol of each entry.
        next_free: Where each column's next entry goes; advanced.
        rows: Rows of the entries by column; filled.
        codes: Symbols of the entries by column; filled.
    """
    k = 0
    for r in range(row_ends.size):
        while k < row_ends[r]:
            at = next_free[columns[k]]
            next_free[columns[k]] += 1
            rows[at] = first_row + r
            codes[at] = values[k]
            k += 1


@njit(cache=True, nogil=True)
@no_type_check
def multiply_sparse(starts, rows, codes, table, x, y):
    """Add ``W x`` to ``y`` for one input vector; W is sparse, by column."""
    for j in range(x.size):
        xj = x[j]
        if xj != 0:
            # Unsigned indices spare the test for Python's negative ones: 1.6 times.
            for k in range(np.uint64(starts[j]), np.uint64(starts[j + 1])):
                value = table[np.uint64(codes[k] + _OFFSET)]
                y[np.uint64(rows[k])] += xj * value


@njit(cache=True, nogil=True)
@no_type_check
def multiply_sparse_batch(starts, rows, codes, table, x, y):
    """Add ``W x`` to ``y`` for a batch: ``x`` is [in, batch], ``y`` [out, batch]."""
    batch = x.shape[1]
    for j in range(x.shape[0]):
        any_active = False
        for b in range(batch):
            any_active |= x[j, b] != 0
        if any_active:
            for k in range(np.uint64(starts[j]), np.uint64(starts[j + 1])):
                value = table[np.uint64(codes[k] + _OFFSET)]
                r = np.uint64(rows[k])
                for b in range(batch):
                    y[r, b] += value * x[j, b]


@njit(cache=True, nogil=True)
@no_type_check
def multiply_dense(codes, step, x, y):
    """Add ``W x`` to ``y`` for one input vector; ``codes`` is int8 [in, out]."""
    num_rows = y.size
    for j in range(x.size):
        if x[j] != 0:
            scale = x[j] * step
            for r in range(num_rows):
                y[r] += scale * codes[j, r]


@njit(cache=True, nogil=True)
@no_type_check
def multiply_dense_batch(codes, step, x, y):
    """Add ``W x`` to ``y`` for a batch: ``x`` is [batch, in], ``y`` [batch, out]."""
    for b in range(x.shape[0]):
        multiply_dense(codes, step, x[b], y[b])
