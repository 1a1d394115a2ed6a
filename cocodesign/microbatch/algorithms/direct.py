"""torch's own convolution, in whole or in parts."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms.algorithm import UNIT_ROUNDOFF
from cocodesign.microbatch.problem import ConvProblem, Direction


class Direct:
    """What ``torch.nn.functional.conv2d`` calls: oneDNN on a CPU, cuDNN on a GPU.

    It supports everything, so every problem has at least this candidate. Its result
    arrives in a tensor of its own and is copied, which costs a micro-batch of scratch
    memory; the undivided call is spared the copy by ``execution.convolve``.
    """

    name = "direct"

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:  # noqa: ARG002 (it is a protocol)
        """Say yes: torch computes any convolution."""
        return True

    def workspace_bytes(
        self, problem: ConvProblem, direction: Direction, micro_batch_size: int
    ) -> int:
        """Return the bytes of one micro-batch's result, nothing for the whole."""
        if micro_batch_size == problem.mini_batch_size:
            return 0
        if direction == "backward_filter":
            return problem.weight_bytes
        if direction == "forward":
            return micro_batch_size * problem.output_bytes
        return micro_batch_size * problem.input_bytes

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        """Return the number of products in a sum times the unit roundoff."""
        return sum_length(problem, direction) * UNIT_ROUNDOFF[problem.dtype]

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,  # noqa: ARG002 (it is a protocol)
        w: Float[Tensor, "..."],
    ) -> "_DirectMap":
        """Prepare forward or backward_data; the filter is used as it is."""
        return _DirectMap(problem, direction, w)

    def sum_kernel(
        self,
        problem: ConvProblem,
        micro_batch_size: int,  # noqa: ARG002 (it is a protocol)
        like: Float[Tensor, "..."],  # noqa: ARG002 (it is a protocol)
    ) -> "_DirectSum":
        """Prepare backward_filter."""
        return _DirectSum(problem)


def sum_length(problem: ConvProblem, direction: Direction) -> int:
    """Return how many products the definition adds up for one element.

    Args:
        problem: The sizes.
        direction: The direction.

    Returns:
        The largest number of products.
    """
    window = math.prod(problem.kernel_size)
    if direction == "forward":
        return problem.in_channels // problem.groups * window
    if direction == "backward_data":
        return problem.out_channels // problem.groups * window
    return problem.mini_batch_size * math.prod(problem.output_size)


def call_forward(
    problem: ConvProblem, x: Float[Tensor, "..."], w: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Call torch's convolution.

    Args:
        problem: The sizes; the mini-batch is that of ``x``.
        x: The input.
        w: The filter.

    Returns:
        The output.
    """
    no_output_padding = [0] * problem.num_axes
    return torch.convolution(
        x,
        w,
        None,
        problem.stride,
        problem.padding,
        problem.dilation,
        False,  # noqa: FBT003 (not transposed)
        no_output_padding,
        problem.groups,
    )


def call_backward_data(
    problem: ConvProblem, dy: Float[Tensor, "..."], w: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Call torch's convolution for the gradient of its input.

    Args:
        problem: The sizes; the mini-batch is that of ``dy``.
        dy: The gradient of the output.
        w: The filter.

    Returns:
        The gradient of the input.
    """
    # Only the shape of x matters, so one element stands for all.
    x = dy.new_empty(1).expand(len(dy), problem.in_channels, *problem.input_size)
    return _backward(problem, dy, x, w, wanted=0)


def call_backward_filter(
    problem: ConvProblem, x: Float[Tensor, "..."], dy: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Call torch's convolution for the gradient of its filter.

    Args:
        problem: The sizes; the mini-batch is that of ``x``.
        x: The input.
        dy: The gradient of the output.

    Returns:
        The gradient of the filter.
    """
    w = x.new_empty(1).expand(problem.weight_shape)
    return _backward(problem, dy, x, w, wanted=1)


def _backward(
    problem: ConvProblem, dy: Tensor, x: Tensor, w: Tensor, *, wanted: int
) -> Tensor:
    mask = [index == wanted for index in range(3)]
    return torch.ops.aten.convolution_backward(
        dy,
        x,
        w,
        None,
        problem.stride,
        problem.padding,
        problem.dilation,
        False,  # noqa: FBT003 (not transposed)
        [0] * problem.num_axes,
        problem.groups,
        mask,
    )[wanted]


class _DirectMap:
    def __init__(self, problem: ConvProblem, direction: Direction, w: Tensor) -> None:
        self._problem = problem
        self._call = call_forward if direction == "forward" else call_backward_data
        self._w = w

    def run(self, source: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> None:
        target.copy_(self._call(self._problem, source, self._w))


class _DirectSum:
    def __init__(self, problem: ConvProblem) -> None:
        self._problem = problem
        self._total: Tensor | None = None

    def add(self, x: Float[Tensor, "..."], dy: Float[Tensor, "..."]) -> None:
        part = call_backward_filter(self._problem, x, dy)
        if self._total is None:
            self._total = part
        else:
            self._total += part

    def total(self) -> Float[Tensor, "..."]:
        assert self._total is not None, "no micro-batch was added"
        return self._total
