"""Convolution as a product of matrices.

With the windows of a picture as the columns of ``[C/G prod(kernel), positions]``, the
filter is a matrix ``[K/G, C/G prod(kernel)]`` that multiplies them, group by group.
"""

import math
from collections.abc import Iterator
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms.algorithm import UNIT_ROUNDOFF
from cocodesign.microbatch.algorithms.direct import sum_length
from cocodesign.microbatch.problem import ConvProblem, Direction


class MatrixProduct:
    """A product per picture and group: any stride, dilation, groups and axes.

    Windows of one element at every position are the picture itself (``gemm``); all
    others are first copied into columns (``im2col``), which takes as many times the
    picture's memory as a window has elements.

    Args:
        unfolds: Whether to take the problems whose windows must be copied, or those
            whose windows need not.
    """

    def __init__(self, *, unfolds: bool) -> None:
        self._unfolds = unfolds

    @property
    def name(self) -> str:
        """The name in plans."""
        return "im2col" if self._unfolds else "gemm"

    def supports(self, problem: ConvProblem, direction: Direction) -> bool:  # noqa: ARG002 (all or none)
        """Say whether the windows need to be copied, if this is the copying one."""
        return needs_columns(problem) == self._unfolds

    def workspace_bytes(
        self,
        problem: ConvProblem,
        direction: Direction,  # noqa: ARG002 (all take the same)
        micro_batch_size: int,
    ) -> int:
        """Return the bytes of the columns and of the padded pictures."""
        if not self._unfolds:
            return 0
        elements = math.prod(problem.kernel_size) * math.prod(problem.output_size)
        if any(problem.padding):
            elements += math.prod(_padded_size(problem))
        per_image = problem.in_channels * elements * problem.element_bytes
        return micro_batch_size * per_image

    def error_bound(self, problem: ConvProblem, direction: Direction) -> float:
        """Return the number of products in a sum times the unit roundoff."""
        return sum_length(problem, direction) * UNIT_ROUNDOFF[problem.dtype]

    def map_kernel(
        self,
        problem: ConvProblem,
        direction: Direction,
        micro_batch_size: int,
        w: Float[Tensor, "..."],
    ) -> "_MatrixMap":
        """Prepare forward or backward_data."""
        columns = _Columns(problem, micro_batch_size, w) if self._unfolds else None
        return _MatrixMap(problem, direction, w, columns)

    def sum_kernel(
        self, problem: ConvProblem, micro_batch_size: int, like: Float[Tensor, "..."]
    ) -> "_MatrixSum":
        """Prepare backward_filter."""
        columns = _Columns(problem, micro_batch_size, like) if self._unfolds else None
        return _MatrixSum(problem, like, columns)


def needs_columns(problem: ConvProblem) -> bool:
    """Say whether the windows are anything but the picture itself.

    Args:
        problem: The sizes.

    Returns:
        False for windows of one element at every position.
    """
    return (
        max(problem.kernel_size) > 1 or max(problem.stride) > 1 or any(problem.padding)
    )


class _MatrixMap:
    def __init__(
        self,
        problem: ConvProblem,
        direction: Direction,
        w: Tensor,
        columns: "_Columns | None",
    ) -> None:
        self._groups = problem.groups
        self._is_forward = direction == "forward"
        self._matrices = w.flatten(1).unflatten(0, (problem.groups, -1))
        self._columns = columns

    def run(self, source: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> None:
        if self._is_forward:
            columns = self._columns.unfold(source) if self._columns else source
            self._multiply(self._matrices, columns, target)
        elif self._columns:
            columns = self._columns.of(len(source))
            self._multiply(self._matrices.mT, source, columns)
            self._columns.fold(target)
        else:
            self._multiply(self._matrices.mT, source, target)

    def _multiply(self, matrices: Tensor, source: Tensor, target: Tensor) -> None:
        sources = _by_group(source, self._groups)
        targets = _by_group(target, self._groups)
        for group, matrix in enumerate(matrices):
            repeated = matrix.expand(len(source), *matrix.shape)
            torch.bmm(repeated, sources[:, group], out=targets[:, group])


class _MatrixSum:
    def __init__(
        self, problem: ConvProblem, like: Tensor, columns: "_Columns | None"
    ) -> None:
        self._groups = problem.groups
        self._columns = columns
        self._gradient = like.new_zeros(problem.weight_shape)

    def add(self, x: Float[Tensor, "..."], dy: Float[Tensor, "..."]) -> None:
        columns = _by_group(
            self._columns.unfold(x) if self._columns else x, self._groups
        )
        gradients = _by_group(dy, self._groups)
        totals = self._gradient.flatten(1).unflatten(0, (self._groups, -1))
        for group, total in enumerate(totals):
            for index in range(len(x)):
                total.addmm_(gradients[index, group], columns[index, group].mT)

    def total(self) -> Float[Tensor, "..."]:
        return self._gradient


class _Columns:
    """The windows of some pictures, copied from them and added back to them."""

    def __init__(self, problem: ConvProblem, num_images: int, like: Tensor) -> None:
        self._problem = problem
        channels = problem.in_channels
        shape = (channels, *problem.kernel_size, *problem.output_size)
        self._columns = like.new_empty((num_images, *shape))
        self._padded: Tensor | None = None
        if any(problem.padding):
            padded_size = _padded_size(problem)
            self._padded = like.new_zeros((num_images, channels, *padded_size))

    def of(self, num_images: int) -> Tensor:
        """Return the columns as ``[image, C prod(kernel), positions]``."""
        taps = self._problem.in_channels * math.prod(self._problem.kernel_size)
        return self._columns[:num_images].view(num_images, taps, -1)

    def unfold(self, x: Tensor) -> Tensor:
        """Fill the columns from pictures, and return them."""
        source = x
        if self._padded is not None:
            source = self._padded[: len(x)]
            source[:, :, *_inside(self._problem)] = x
        for tap, window in _windows(self._problem):
            self._columns[: len(x), :, *tap] = source[:, :, *window]
        return self.of(len(x))

    def fold(self, dx: Tensor) -> None:
        """Add the columns up where they came from; ``dx`` is overwritten."""
        target = dx if self._padded is None else self._padded[: len(dx)]
        target.zero_()
        for tap, window in _windows(self._problem):
            target[:, :, *window] += self._columns[: len(dx), :, *tap]
        if self._padded is not None:
            dx.copy_(target[:, :, *_inside(self._problem)])


def _by_group(tensor: Tensor, groups: int) -> Tensor:
    """View ``[image, channel, *axes]`` as ``[image, group, channel, position]``."""
    return tensor.flatten(2).unflatten(1, (groups, -1))


def _padded_size(problem: ConvProblem) -> tuple[int, ...]:
    return tuple(
        size + 2 * padding
        for size, padding in zip(problem.input_size, problem.padding, strict=True)
    )


def _inside(problem: ConvProblem) -> tuple[slice, ...]:
    """Return where a picture lies in its padded form."""
    return tuple(
        slice(padding, padding + size)
        for size, padding in zip(problem.input_size, problem.padding, strict=True)
    )


def _windows(
    problem: ConvProblem,
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Yield every tap with the places in a padded picture that it meets."""
    for tap in product(*map(range, problem.kernel_size)):
        yield (
            tap,
            tuple(
                slice(start, start + (count - 1) * stride + 1, stride)
                for start, count, stride in zip(
                    (t * d for t, d in zip(tap, problem.dilation, strict=True)),
                    problem.output_size,
                    problem.stride,
                    strict=True,
                )
            ),
        )
