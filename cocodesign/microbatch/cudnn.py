"""cuDNN's convolutions with the algorithm and the workspace in the caller's hand.

cuDNN 9 still holds the interface that the programme's library was built on (its
documentation calls it legacy): an explicit algorithm, its exact workspace, and a beta
that lets every micro-batch add to the filter's gradient. It is called by ctypes in the
library that torch has loaded. Descriptors are made once per micro-batch size, so a
division runs without any wait for the device and can be captured in a CUDA graph.

Descriptors need no device; computing does. Source: the cuDNN 9 API reference,
``cudnn_cnn`` library, "Legacy API".
"""

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from importlib import util
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.division import Part
from cocodesign.microbatch.problem import ConvProblem, Direction

_LIBRARY = "libcudnn.so.9"
_NCHW, _CROSS_CORRELATION = 0, 1
_TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 9}
_NOT_SUPPORTED_FROM, _NOT_SUPPORTED_TO = 3000, 4000  # statuses of this class
# Numbers of cudnnConvolution{Fwd,BwdData,BwdFilter}Algo_t; absent ones do not exist.
_ALGORITHMS: dict[str, dict[Direction, int]] = {
    "cudnn_implicit_gemm": {"forward": 0, "backward_data": 0, "backward_filter": 0},
    "cudnn_precomp_gemm": {"forward": 1, "backward_data": 1, "backward_filter": 1},
    "cudnn_gemm": {"forward": 2, "backward_filter": 3},
    "cudnn_fft": {"forward": 4, "backward_data": 2, "backward_filter": 2},
    "cudnn_fft_tiling": {"forward": 5, "backward_data": 3, "backward_filter": 6},
    "cudnn_winograd": {"forward": 6, "backward_data": 4},
    "cudnn_winograd_nonfused": {
        "forward": 7,
        "backward_data": 5,
        "backward_filter": 5,
    },
}
_FUNCTIONS: dict[Direction, str] = {
    "forward": "Forward",
    "backward_data": "BackwardData",
    "backward_filter": "BackwardFilter",
}


class CudnnError(RuntimeError):
    """cuDNN refused a call; the message holds function and status."""


@lru_cache
def cudnn_library() -> ctypes.CDLL | None:
    """Return the cuDNN that torch loads, ``None`` where there is none."""
    package = util.find_spec("nvidia.cudnn") if util.find_spec("nvidia") else None
    folders = list(package.submodule_search_locations or ()) if package else []
    candidates = [str(Path(folder) / "lib" / _LIBRARY) for folder in folders]
    for path in [*candidates, _LIBRARY]:
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        if hasattr(library, "cudnnConvolutionForward"):
            return library
    return None


class CudnnConvolution:
    """One direction of one problem, for any algorithm and micro-batch size.

    Args:
        problem: The sizes; tensors are contiguous.
        direction: Which pass.
        allows_tf32: Whether single precision may be rounded for tensor cores.

    Raises:
        CudnnError: If there is no cuDNN here, or it refuses the sizes.
    """

    def __init__(
        self, problem: ConvProblem, direction: Direction, *, allows_tf32: bool = False
    ) -> None:
        library = cudnn_library()
        if library is None:
            raise CudnnError("torch of this environment has no cuDNN 9 beside it")
        self._library = library
        self._problem = problem
        self._direction: Direction = direction
        self._filter = self._create("FilterDescriptor")
        shape = _ints(_with_height(problem.weight_shape, problem.num_axes, 1))
        number = _TYPES[problem.dtype]
        self._call(
            "cudnnSetFilterNdDescriptor", self._filter, number, _NCHW, len(shape), shape
        )
        self._convolution = self._create("ConvolutionDescriptor")
        is_short = problem.dtype in ("float16", "bfloat16")
        self._call(
            "cudnnSetConvolutionNdDescriptor",
            self._convolution,
            len(shape) - 2,
            _ints(_with_height(problem.padding, problem.num_axes, 0)),
            _ints(_with_height(problem.stride, problem.num_axes, 1)),
            _ints(_with_height(problem.dilation, problem.num_axes, 1)),
            _CROSS_CORRELATION,
            _TYPES["float32"] if is_short else number,
        )
        self._call("cudnnSetConvolutionGroupCount", self._convolution, problem.groups)
        # 1 lets tensor cores take half precision, 3 keeps single precision exact.
        math_type = 1 if is_short or allows_tf32 else 3
        self._call("cudnnSetConvolutionMathType", self._convolution, math_type)
        scalar = ctypes.c_double if problem.dtype == "float64" else ctypes.c_float
        self._one, self._zero = scalar(1.0), scalar(0.0)
        self._tensors: dict[int, tuple[ctypes.c_void_p, ctypes.c_void_p]] = {}

    def output_shape(self, num_examples: int) -> tuple[int, ...]:
        """Return the shape of an output by cuDNN's own reckoning."""
        count = 2 + max(2, self._problem.num_axes)
        shape = (ctypes.c_int * count)()
        self._call(
            "cudnnGetConvolutionNdForwardOutputDim",
            self._convolution,
            self._described(num_examples)[0],
            self._filter,
            count,
            shape,
        )
        extents = list(shape)
        return (*extents[:2], *extents[count - self._problem.num_axes :])

    def algorithms(self) -> tuple[str, ...]:
        """Return the names of the algorithms that this direction has in cuDNN."""
        return tuple(
            name for name, numbers in _ALGORITHMS.items() if self._direction in numbers
        )

    def workspace_bytes(self, algorithm: str, num_examples: int) -> int | None:
        """Ask what an algorithm needs; this takes a device.

        Args:
            algorithm: One of ``algorithms``.
            num_examples: The micro-batch.

        Returns:
            Bytes, ``None`` if the algorithm cannot compute this.
        """
        size = ctypes.c_size_t()
        function = f"cudnnGetConvolution{_FUNCTIONS[self._direction]}WorkspaceSize"
        status = getattr(self._library, function)(
            _handle(),
            *self._descriptors(num_examples),
            self._number(algorithm),
            ctypes.byref(size),
        )
        if _NOT_SUPPORTED_FROM <= status < _NOT_SUPPORTED_TO:
            return None
        self._check(function, status)
        return size.value

    def run(
        self,
        algorithm: str,
        first: Float[Tensor, "..."],
        second: Float[Tensor, "..."],
        out: Float[Tensor, "..."],
        workspace: Tensor,
        *,
        accumulates: bool = False,
    ) -> None:
        """Compute one micro-batch on torch's current stream.

        Args:
            algorithm: One of ``algorithms``.
            first: ``x`` for forward and backward_filter, ``dy`` for backward_data.
            second: ``w``, or ``dy`` for backward_filter.
            out: The result's place.
            workspace: At least ``workspace_bytes`` of bytes.
            accumulates: Whether to add to ``out`` instead of overwriting it.
        """
        beta = self._one if accumulates else self._zero
        described = self._descriptors(len(first))
        pointers = {
            "forward": (first, second),
            "backward_data": (second, first),  # the filter comes first
            "backward_filter": (first, second),
        }[self._direction]
        function = f"cudnnConvolution{_FUNCTIONS[self._direction]}"
        status = getattr(self._library, function)(
            _handle(),
            ctypes.byref(self._one),
            described[0],
            ctypes.c_void_p(pointers[0].data_ptr()),
            described[1],
            ctypes.c_void_p(pointers[1].data_ptr()),
            described[2],
            self._number(algorithm),
            ctypes.c_void_p(workspace.data_ptr()),
            ctypes.c_size_t(workspace.numel() * workspace.element_size()),
            ctypes.byref(beta),
            described[3],
            ctypes.c_void_p(out.data_ptr()),
        )
        self._check(function, status)

    def run_parts(
        self,
        parts: Sequence[Part],
        first: Float[Tensor, "..."],
        second: Float[Tensor, "..."],
        out: Float[Tensor, "..."],
        workspace: Tensor,
    ) -> None:
        """Compute a mini-batch in parts, without a wait between them.

        Args:
            parts: A division into algorithms of this module.
            first: As for ``run``, all examples.
            second: As for ``run``.
            out: The result's place; overwritten.
            workspace: Enough for every part.
        """
        start = 0
        for part in parts:
            stop = start + part.micro_batch_size
            if self._direction == "backward_filter":
                self.run(
                    part.algorithm,
                    first[start:stop],
                    second[start:stop],
                    out,
                    workspace,
                    accumulates=start > 0,
                )
            else:
                self.run(
                    part.algorithm,
                    first[start:stop],
                    second,
                    out[start:stop],
                    workspace,
                )
            start = stop

    def _number(self, algorithm: str) -> int:
        return _ALGORITHMS[algorithm][self._direction]

    def _descriptors(self, num_examples: int) -> tuple[ctypes.c_void_p, ...]:
        """Return both operands', the convolution's and the result's descriptors."""
        x, y = self._described(num_examples)
        return {
            "forward": (x, self._filter, self._convolution, y),
            "backward_data": (self._filter, y, self._convolution, x),
            "backward_filter": (x, y, self._convolution, self._filter),
        }[self._direction]

    def _described(self, num_examples: int) -> tuple[ctypes.c_void_p, ctypes.c_void_p]:
        if num_examples not in self._tensors:
            problem = self._problem
            self._tensors[num_examples] = (
                self._tensor((num_examples, problem.in_channels, *problem.input_size)),
                self._tensor(
                    (num_examples, problem.out_channels, *problem.output_size)
                ),
            )
        return self._tensors[num_examples]

    def _tensor(self, shape: tuple[int, ...]) -> ctypes.c_void_p:
        extents = _with_height(shape, self._problem.num_axes, 1)
        strides = [1]
        for extent in reversed(extents[1:]):
            strides.append(strides[-1] * extent)
        descriptor = self._create("TensorDescriptor")
        self._call(
            "cudnnSetTensorNdDescriptor",
            descriptor,
            _TYPES[self._problem.dtype],
            len(extents),
            _ints(extents),
            _ints(tuple(reversed(strides))),
        )
        return descriptor

    def _create(self, kind: str) -> ctypes.c_void_p:
        descriptor = ctypes.c_void_p()
        self._call(f"cudnnCreate{kind}", ctypes.byref(descriptor))
        return descriptor

    def _call(self, function: str, *arguments: object) -> None:
        self._check(function, getattr(self._library, function)(*arguments))

    def _check(self, function: str, status: int) -> None:
        if status:
            raise CudnnError(
                f"{function} of {self._problem.label} {self._direction} ended with "
                f"status {status}"
            )


def _with_height(
    values: tuple[int, ...], num_axes: int, neutral: int
) -> tuple[int, ...]:
    """Give one-dimensional sizes a second axis, which cuDNN wants."""
    if num_axes > 1:
        return values
    return (*values[:-1], neutral, values[-1])


def _ints(values: tuple[int, ...]) -> "ctypes.Array[ctypes.c_int]":
    return (ctypes.c_int * len(values))(*values)


@lru_cache
def _handle_of(device: int) -> ctypes.c_void_p:
    library = cudnn_library()
    assert library is not None
    handle = ctypes.c_void_p()
    with torch.cuda.device(device):
        status = library.cudnnCreate(ctypes.byref(handle))
    if status:
        raise CudnnError(f"cudnnCreate on device {device} ended with status {status}")
    return handle


def _handle() -> ctypes.c_void_p:
    """Return the current device's handle, set to torch's current stream."""
    library = cudnn_library()
    assert library is not None
    handle = _handle_of(torch.cuda.current_device())
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    status = library.cudnnSetStream(handle, stream)
    if status:
        raise CudnnError(f"cudnnSetStream ended with status {status}")
    return handle
