"""Products with packed matrices on a CUDA device, through CuPy.

On a GPU the matrix lies by rows: a warp adds up one row for one input, its lanes in
turns, and reduces in a fixed order, so that results do not change from run to run.
CuPy compiles the source when the first product is made; it is imported only there.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cocodesign.compression.packed import DenseColumns, SparseColumns

WARPS_PER_BLOCK = 8

SOURCE = r"""
extern "C" {

// y[b, r] = bias[r] + sum over the entries of row r; one warp for each (r, b).
__global__ void multiply_sparse(
    const int* starts, const unsigned short* columns, const signed char* codes,
    const float* table, const float* bias, const float* x, float* y,
    int num_rows, int num_columns)
{
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= num_rows) return;
    const float* inputs = x + (long long)blockIdx.y * num_columns;
    float sum = 0.0f;
    for (int k = starts[row] + lane; k < starts[row + 1]; k += 32)
        sum += table[codes[k] + 128] * inputs[columns[k]];
    for (int offset = 16; offset > 0; offset /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (lane == 0)
        y[(long long)blockIdx.y * num_rows + row] = sum + (bias ? bias[row] : 0.0f);
}

// The same for one byte per weight, [num_rows, num_columns].
__global__ void multiply_dense(
    const signed char* codes, float step, const float* bias, const float* x, float* y,
    int num_rows, int num_columns)
{
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= num_rows) return;
    const float* inputs = x + (long long)blockIdx.y * num_columns;
    const signed char* line = codes + (long long)row * num_columns;
    float sum = 0.0f;
    for (int j = lane; j < num_columns; j += 32)
        sum += line[j] * inputs[j];
    for (int offset = 16; offset > 0; offset /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (lane == 0)
        y[(long long)blockIdx.y * num_rows + row] =
            sum * step + (bias ? bias[row] : 0.0f);
}

}
"""

_MOST_COLUMNS = 1 << 16
_MOST_INPUTS = 65_535  # of a launch: the grid's second axis


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix by rows.

    Attributes:
        starts: int32, where each row's entries begin; one more than rows.
        columns: Column of each entry, 16 bits that the kernel reads as unsigned.
        codes: int8, symbol of each entry.
        table: float32, value of each symbol from -128 to 127.
        num_columns: Columns of the matrix.
    """

    starts: Tensor
    columns: Tensor
    codes: Tensor
    table: Tensor
    num_columns: int


class CudaPackedLinear(nn.Module):
    """A linear layer on packed weights, for inference on one CUDA device.

    Args:
        matrix: The weights ``[out, in]``, packed.
        bias: ``[out]``, or ``None``.
        device: Where it computes.
    """

    def __init__(
        self,
        matrix: SparseColumns | DenseColumns,
        bias: Tensor | None,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.bias = None if bias is None else bias.to(device)
        if isinstance(matrix, SparseColumns):
            self.sparse: SparseRows | None = by_rows(matrix, device)
            self.codes, self.step_size = None, 1.0
            self.out_features = matrix.num_rows
            self.in_features = len(matrix.starts) - 1
        else:
            self.sparse = None
            self.codes = matrix.codes.T.contiguous().to(device)
            self.step_size = matrix.step_size
            self.in_features, self.out_features = matrix.codes.shape

    @torch.no_grad()
    def forward(self, inputs: Float[Tensor, "... in"]) -> Float[Tensor, "... out"]:
        """Multiply and add the bias; no gradient flows.

        Args:
            inputs: float32 on the layer's device, at most 65,535 vectors.

        Returns:
            ``inputs @ weight.T + bias``.

        Raises:
            ValueError: If the inputs are of another dtype, device, width or number.
        """
        x = inputs.reshape(-1, inputs.shape[-1]).contiguous()
        if x.dtype != torch.float32 or not x.is_cuda:
            raise ValueError(
                f"this layer takes float32 on CUDA, got {x.dtype} on {x.device}"
            )
        if x.shape[1] != self.in_features or len(x) > _MOST_INPUTS:
            raise ValueError(
                f"inputs are {list(x.shape)}, expected at most {_MOST_INPUTS} of "
                f"{self.in_features} features"
            )
        y = x.new_empty(len(x), self.out_features)
        bias = 0 if self.bias is None else self.bias.data_ptr()
        tail = (bias, x.data_ptr(), y.data_ptr(), self.out_features, self.in_features)
        if self.sparse is not None:
            s = self.sparse
            pointers = [t.data_ptr() for t in (s.starts, s.columns, s.codes, s.table)]
            _launch("multiply_sparse", y, (*pointers, *tail))
        else:
            assert self.codes is not None  # one of the two forms
            step = np.float32(self.step_size)
            _launch("multiply_dense", y, (self.codes.data_ptr(), step, *tail))
        return y.reshape(*inputs.shape[:-1], self.out_features)


def by_rows(matrix: SparseColumns, device: torch.device | str) -> SparseRows:
    """Reorder a matrix for the GPU.

    Args:
        matrix: By columns, at most 65,536 of them.
        device: Where the result lies.

    Returns:
        The same entries by rows, columns rising within a row.

    Raises:
        ValueError: If there are too many columns.
    """
    num_columns = len(matrix.starts) - 1
    if num_columns > _MOST_COLUMNS:
        raise ValueError(
            f"a matrix of {num_columns} columns, at most {_MOST_COLUMNS} fit 16 bits"
        )
    columns = torch.arange(num_columns).repeat_interleave(matrix.starts.diff().long())
    rows = matrix.rows.to(torch.int64)
    order = rows.argsort(stable=True)
    counts = rows.bincount(minlength=matrix.num_rows)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return SparseRows(
        starts.to(torch.int32).to(device),
        columns[order].to(torch.uint16).view(torch.int16).to(device),
        matrix.codes[order].to(device),
        matrix.table.to(device),
        num_columns,
    )


def _launch(kernel: str, outputs: Tensor, arguments: tuple[Any, ...]) -> None:
    cupy = import_module("cupy")
    num_inputs, num_rows = outputs.shape
    if not outputs.numel():
        return
    grid = (-(-num_rows // WARPS_PER_BLOCK), num_inputs)
    with cupy.cuda.Device(outputs.device.index):
        stream = cupy.cuda.ExternalStream(
            torch.cuda.current_stream(outputs.device).cuda_stream
        )
        with stream:
            function = _module(outputs.device.index).get_function(kernel)
            function(grid, (32 * WARPS_PER_BLOCK,), _integers_as_32_bits(arguments))


@cache
def _module(_device_index: int) -> Any:
    """Compile the source once per device."""
    return import_module("cupy").RawModule(code=SOURCE)


def _integers_as_32_bits(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The last two arguments are C's ``int``; the pointers before them have 64 bits."""
    return (*arguments[:-2], *(np.int32(each) for each in arguments[-2:]))
