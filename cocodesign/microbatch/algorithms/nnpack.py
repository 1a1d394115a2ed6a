"""NNPACK's transforms, where torch's library happens to hold them.

The symbols are no interface of torch: each is looked up, and without them these
algorithms support nothing.

Source of the interface: Marat Dukhan's NNPACK, ``include/nnpack.h`` (BSD 2-Clause).
"""

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms.algorithm import UNIT_ROUNDOFF, SumKernel
from cocodesign.microbatch.algorithms.transformed import fits_transform
from cocodesign.microbatch.problem import ConvProblem, Direction

Transform = Literal["ft8x8", "ft16x16", "wt8x8"]
_NUMBERS: dict[Transform, int] = {"ft8x8": 1, "ft16x16": 2, "wt8x8": 3}
_TILES: dict[Transform, int] = {"ft8x8": 8, "ft16x16": 16, "wt8x8": 8}
# Generous estimates, which the tests hold against double precision.
_GROWTH: dict[Transform, float] = {"ft8x8": 64, "ft16x16": 256, "wt8x8": 2048}


class _Size(ctypes.Structure):
    _fields_ = (("width", ctypes.c_size_t), ("height", ctypes.c_size_t))


class _Padding(ctypes.Structure):
    _fields_ = tuple(
        (side, ctypes.c_size_t) for side in ("top", "right", "bottom", "left")
    )


class Nnpack:
    """One of NNPACK's transforms: forward and backward_data in single precision.

    NNPACK transforms the filter in every call, and its scratch memory grows slowly with
    the micro-batch, as it works on one tile of all examples at a time.

    Args:
        transform: Fourier tiles of 8 or 16, or Winograd tiles of 8.
    """

    def __init__(self, transform: Transform) -> None:
        self._transform: Transform = transform

    @property
    def name(self) -> str:
        """The name in plans, such as ``nnpack_ft16x16``."""
        return f"nnpack_{self._transform}"

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:
        """Say whether the sizes fit and torch's library has NNPACK."""
        tile = _TILES[self._transform]
        return (
            direction != "backward_filter"
            and problem.dtype == "float32"
            and problem.num_axes == 2
            and fits_transform(problem)
            and max(problem.kernel_size) > 1
            and all(
                padding < kernel <= tile
                for padding, kernel in zip(
                    problem.padding, problem.kernel_size, strict=True
                )
            )
            and (self._transform != "wt8x8" or problem.kernel_size == (3, 3))
            and nnpack_library() is not None
        )

    def workspace_bytes(
        self, problem: ConvProblem, direction: Direction, micro_batch_size: int
    ) -> int:
        """Ask NNPACK, and add the flipped filter of backward_data."""
        call = _Call(problem, direction, self._transform)
        flipped = problem.weight_bytes if direction == "backward_data" else 0
        bias = call.out_channels * problem.element_bytes
        return call.workspace_bytes(micro_batch_size) + flipped + bias

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        """Return an estimate: NNPACK states no bound."""
        is_forward = direction == "forward"
        length = problem.in_channels if is_forward else problem.out_channels
        return _GROWTH[self._transform] * length**0.5 * UNIT_ROUNDOFF[problem.dtype]

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Float[Tensor, "..."],
    ) -> "_NnpackMap":
        """Prepare forward or backward_data."""
        call = _Call(problem, direction, self._transform)
        return _NnpackMap(call, micro_batch_size, w)

    def sum_kernel(
        self, problem: ConvProblem, micro_batch_size: int, like: Float[Tensor, "..."]
    ) -> SumKernel:
        """Refuse: NNPACK has no gradient of the filter."""
        raise NotImplementedError("NNPACK does not compute backward_filter")


class _Call:
    """The sizes of a call; backward_data is a forward pass with a flipped filter."""

    def __init__(
        self, problem: ConvProblem, direction: Direction, transform: Transform
    ) -> None:
        self.is_forward = direction == "forward"
        self._transform = _NUMBERS[transform]
        padding = problem.padding
        size = problem.input_size
        self._in_channels = problem.in_channels
        self.out_channels = problem.out_channels
        if not self.is_forward:
            padding = tuple(
                kernel - 1 - p
                for kernel, p in zip(problem.kernel_size, padding, strict=True)
            )
            size = problem.output_size
            self._in_channels, self.out_channels = self.out_channels, self._in_channels
        self._size = _Size(size[1], size[0])
        self._padding = _Padding(padding[0], padding[1], padding[0], padding[1])
        self._kernel = _Size(problem.kernel_size[1], problem.kernel_size[0])

    def workspace_bytes(self, num_images: int) -> int:
        size = ctypes.c_size_t()
        self._call(num_images, (None,) * 4, None, size)
        return size.value

    def compute(
        self, x: Tensor, w: Tensor, bias: Tensor, y: Tensor, workspace: Tensor
    ) -> None:
        pointers = (x.data_ptr(), w.data_ptr(), bias.data_ptr(), y.data_ptr())
        size = ctypes.c_size_t(workspace.numel())
        self._call(len(x), pointers, workspace.data_ptr(), size)

    def _call(
        self,
        num_images: int,
        pointers: tuple[int | None, ...],
        workspace: int | None,
        size: ctypes.c_size_t,
    ) -> None:
        library = nnpack_library()
        assert library is not None
        status = library.nnp_convolution_output(
            self._transform,
            ctypes.c_size_t(num_images),
            ctypes.c_size_t(self._in_channels),
            ctypes.c_size_t(self.out_channels),
            self._size,
            self._padding,
            self._kernel,
            *map(ctypes.c_void_p, pointers),
            ctypes.c_void_p(workspace),
            ctypes.byref(size),
            0,  # no activation
            None,
            None,  # no threads: one core
            None,
        )
        if status:
            raise RuntimeError(f"NNPACK refused a convolution with status {status}")


class _NnpackMap:
    def __init__(self, call: _Call, micro_batch_size: int, w: Tensor) -> None:
        self._call = call
        if not call.is_forward:
            w = w.transpose(0, 1).flip(2, 3)
        self._w = w.contiguous()
        self._bias = w.new_zeros(call.out_channels)
        size = call.workspace_bytes(micro_batch_size)
        self._workspace = torch.empty(size, dtype=torch.uint8)

    def run(self, source: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> None:
        result = (
            target
            if target.is_contiguous()
            else torch.empty_like(target, memory_format=torch.contiguous_format)
        )
        self._call.compute(
            source.contiguous(), self._w, self._bias, result, self._workspace
        )
        if result is not target:
            target.copy_(result)


@lru_cache
def nnpack_library() -> ctypes.CDLL | None:
    """Return torch's library with NNPACK initialised, ``None`` where it has none."""
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    if not path.is_file():
        return None
    library = ctypes.CDLL(str(path))
    if not all(
        hasattr(library, name) for name in ("nnp_initialize", "nnp_convolution_output")
    ):
        return None
    # A status other than 0 means a processor that NNPACK does not know.
    return None if library.nnp_initialize() else library


def nnpack_algorithms() -> tuple[Nnpack, ...]:
    """Return all transforms; they support nothing where NNPACK is absent."""
    return tuple(Nnpack(transform) for transform in get_args(Transform))
