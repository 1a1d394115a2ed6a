"""A matrix of few values, packed for products: the form that layers compute from.

Two forms, both by column, so that an input of zero skips its column:

* *sparse*: row (16 bits) and symbol (8 bits) of every non-zero, 3 bytes each;
* *dense*: one byte for every weight, non-zero or not, for matrices that are too full
  for the first: on one core a non-zero costs about ten times as much there as a weight
  costs here, which processes eight at once.

A symbol stands for its value in float32: the products are those of the decoded weights,
but for the order of the additions. Activations are not quantized.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8, Int32, UInt16
from torch import Tensor

from cocodesign.compression.container import Entry
from cocodesign.compression.packed_kernels import count_columns, place_entries
from cocodesign.compression.quantized import UniformQuantizer
from cocodesign.compression.tensor_coding import decode_nonzeros

LARGEST_CODE = 127
"""Largest magnitude of a symbol that one byte holds."""

MOST_ROWS = 1 << 16
"""Most rows that 16 bits tell apart."""

_DENSE_FROM = 0.1  # density; the dense form is the faster one above


@dataclass(frozen=True)
class SparseColumns:
    """The sparse form.

    Attributes:
        starts: Where each column's entries begin; one more than columns.
        rows: Row of each entry, rising within a column.
        codes: Symbol of each entry.
        table: Value of each symbol from -128 to 127.
        num_rows: Rows of the matrix.
    """

    starts: Int32[Tensor, " columns_and_one"]
    rows: UInt16[Tensor, " entries"]
    codes: Int8[Tensor, " entries"]
    table: Float[Tensor, "256"]
    num_rows: int


@dataclass(frozen=True)
class DenseColumns:
    """The dense form.

    Attributes:
        codes: Symbols, one row for each column of the matrix.
        step_size: What a symbol is multiplied by.
    """

    codes: Int8[Tensor, "columns rows"]
    step_size: float


def can_pack(entry: Entry) -> bool:
    """Return whether an entry is a matrix that fits the packed forms."""
    return (
        entry.quantizer is not None
        and len(entry.shape) == 2
        and entry.shape[0] <= MOST_ROWS
        and entry.largest <= LARGEST_CODE
    )


def pack_matrix(entry: Entry) -> SparseColumns | DenseColumns:
    """Pack a matrix from its place in a file, without a dense copy in between.

    Args:
        entry: One that ``can_pack``.

    Returns:
        The form that is the faster one at its density.

    Raises:
        CorruptBitstreamError: If the payload does not decode.
        ValueError: If it cannot be packed.
    """
    if not can_pack(entry):
        raise ValueError(
            f"{entry.name!r} of shape {entry.shape} with symbols up to {entry.largest} "
            f"cannot be packed: at most {MOST_ROWS} rows, symbols to {LARGEST_CODE}"
        )
    num_rows, num_columns = entry.shape
    pieces = [
        _Piece.cut(positions, symbols, num_columns)
        for positions, symbols in decode_nonzeros(entry)
    ]
    num_entries = sum(piece.columns.size for piece in pieces)
    quantizer = entry.quantizer
    is_full = num_entries > _DENSE_FROM * entry.num_weights
    if is_full and isinstance(quantizer, UniformQuantizer):
        return _pack_dense(pieces, num_rows, num_columns, quantizer.step_size)
    starts = np.zeros(num_columns + 1, np.int32)
    for piece in pieces:
        count_columns(piece.columns, starts)
    np.cumsum(starts, out=starts)
    next_free = starts[:-1].copy()
    rows = np.empty(num_entries, np.uint16)
    codes = np.empty(num_entries, np.int8)
    for piece in pieces:
        place_entries(
            piece.first_row,
            piece.row_ends,
            piece.columns,
            piece.values,
            next_free,
            rows,
            codes,
        )
    return SparseColumns(
        torch.from_numpy(starts),
        torch.from_numpy(rows),
        torch.from_numpy(codes),
        _value_table(entry),
        num_rows,
    )


@dataclass(frozen=True)
class _Piece:
    """Entries of some rows in the smallest types, since several wait in memory."""

    first_row: int
    row_ends: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def cut(
        cls, positions: np.ndarray, symbols: np.ndarray, num_columns: int
    ) -> "_Piece":
        rows = positions // max(num_columns, 1)
        first = int(rows[0]) if rows.size else 0
        counts = np.bincount(rows - first) if rows.size else np.zeros(0, np.int64)
        narrow = np.uint16 if num_columns <= MOST_ROWS else np.int32
        return cls(
            first,
            np.cumsum(counts),
            (positions - rows * num_columns).astype(narrow),
            symbols.astype(np.int8),
        )


def _pack_dense(
    pieces: Iterable[_Piece], num_rows: int, num_columns: int, step_size: float
) -> DenseColumns:
    codes = np.zeros((num_columns, num_rows), np.int8)
    for piece in pieces:
        rows = np.repeat(
            np.arange(len(piece.row_ends)), np.diff(piece.row_ends, prepend=0)
        )
        codes[piece.columns, piece.first_row + rows] = piece.values
    return DenseColumns(torch.from_numpy(codes), step_size)


def _value_table(entry: Entry) -> Tensor:
    """Return the value of every byte; those that no symbol uses are not a number."""
    table = torch.full((256,), torch.nan)
    assert entry.quantizer is not None  # can_pack
    if isinstance(entry.quantizer, UniformQuantizer):
        low, high = -entry.largest, entry.largest
    else:
        low = -min(len(entry.quantizer.negative), LARGEST_CODE)
        high = min(len(entry.quantizer.positive), LARGEST_CODE)
    symbols = torch.arange(low, high + 1, dtype=torch.int32)
    table[128 + low : 128 + high + 1] = entry.quantizer.dequantize(symbols)
    return table
