# pyright: strict
"""Which part of a convolution each rank has, needs and computes.

A convolution can be cut along its examples, its output channels, its input channels, or
a spatial axis. Only the spatial cut needs its neighbours' data: the windows of an
output's rows reach into rows that other ranks own. All numbers here are of one axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from cocodesign.microbatch.problem import ConvProblem

Axis = Literal["batch", "out_channels", "in_channels", "depth", "height", "width"]
_SPATIAL: tuple[Axis, ...] = ("depth", "height", "width")


@dataclass(frozen=True)
class Span:
    """A half-open range of positions, empty if it does not rise.

    Attributes:
        start: The first position.
        stop: The one after the last.
    """

    start: int
    stop: int

    @property
    def size(self) -> int:
        """The number of positions."""
        return max(0, self.stop - self.start)

    def overlap(self, other: "Span") -> "Span":
        """Return what both have."""
        return Span(max(self.start, other.start), min(self.stop, other.stop))


@dataclass(frozen=True)
class SpatialCut:
    """A spatial axis cut into one piece a rank.

    Attributes:
        owned: What each rank has of the input.
        needed: What it needs of the input to compute its outputs.
        outputs: What it computes.
        input_size: The extent of the whole input.
    """

    owned: tuple[Span, ...]
    needed: tuple[Span, ...]
    outputs: tuple[Span, ...]
    input_size: int

    def message(self, from_rank: int, to_rank: int) -> Span:
        """Return what one rank has and another one needs."""
        return self.owned[from_rank].overlap(self.needed[to_rank])

    def distances(self) -> tuple[int, ...]:
        """Return the distances in ranks over which anything is sent, around a ring."""
        count = len(self.owned)
        return tuple(
            distance
            for distance in range(1, count)
            if any(self.message(r, (r + distance) % count).size for r in range(count))
        )


def partition_axes(problem: ConvProblem) -> tuple[Axis, ...]:
    """Return the axes along which a problem can be cut.

    Args:
        problem: The sizes; a grouped convolution is not cut along its channels.

    Returns:
        The axes.
    """
    channels: tuple[Axis, ...] = ("out_channels", "in_channels")
    spatial = _SPATIAL[3 - problem.num_axes :]
    return ("batch", *(channels if problem.groups == 1 else ()), *spatial)


def spatial_index(axis: Axis, num_axes: int) -> int | None:
    """Return which spatial axis is meant, ``None`` if it is none.

    Args:
        axis: The axis.
        num_axes: How many spatial axes the problem has.

    Returns:
        The index among the spatial axes.

    Raises:
        ValueError: If the axis is unknown, or the problem has no such axis.
    """
    if axis not in get_args(Axis):
        raise ValueError(f"axis must be one of {get_args(Axis)}, got {axis!r}")
    if axis not in _SPATIAL:
        return None
    index = _SPATIAL.index(axis) - (3 - num_axes)
    if index < 0:
        raise ValueError(f"a convolution of {num_axes} axes has no {axis}")
    return index


def even_spans(extent: int, count: int) -> tuple[Span, ...]:
    """Cut an extent into as equal pieces as possible, the larger ones first.

    Args:
        extent: What is cut.
        count: The number of pieces, at most ``extent``.

    Returns:
        The pieces.

    Raises:
        ValueError: If a piece would be empty.

    Example:
        >>> [span.size for span in even_spans(7, 3)]
        [3, 2, 2]
    """
    if not 1 <= count <= extent:
        raise ValueError(
            f"an extent of {extent} cannot be cut for {count} ranks: take fewer ranks "
            "or another axis"
        )
    base, larger = divmod(extent, count)
    starts = [rank * base + min(rank, larger) for rank in range(count + 1)]
    return tuple(Span(start, stop) for start, stop in pairwise(starts))


def cut_convolution(problem: ConvProblem, index: int, count: int) -> SpatialCut:
    """Cut a convolution along a spatial axis.

    Args:
        problem: The sizes.
        index: Which spatial axis.
        count: The number of ranks.

    Returns:
        The cut; what is needed may reach beyond the input, where zeros are.
    """
    stride, padding = problem.stride[index], problem.padding[index]
    reach = problem.dilation[index] * (problem.kernel_size[index] - 1)
    outputs = even_spans(problem.output_size[index], count)
    needed = tuple(
        Span(
            span.start * stride - padding,
            (span.stop - 1) * stride - padding + reach + 1,
        )
        for span in outputs
    )
    size = problem.input_size[index]
    return SpatialCut(even_spans(size, count), needed, outputs, size)


def cut_transposed(problem: ConvProblem, index: int, count: int) -> SpatialCut:
    """Cut a transposed convolution, the data gradient of a problem, along an axis.

    Args:
        problem: The sizes of the convolution whose data gradient it is.
        index: Which spatial axis.
        count: The number of ranks.

    Returns:
        The cut, whose input is the problem's output and the other way round.
    """
    stride, padding = problem.stride[index], problem.padding[index]
    reach = problem.dilation[index] * (problem.kernel_size[index] - 1)
    size = problem.output_size[index]
    outputs = even_spans(problem.input_size[index], count)
    whole = Span(0, size)
    needed = tuple(
        Span(
            -(-(span.start + padding - reach) // stride),
            (span.stop - 1 + padding) // stride + 1,
        ).overlap(whole)
        for span in outputs
    )
    return SpatialCut(even_spans(size, count), needed, outputs, size)


def largest(spans: Sequence[Span]) -> int:
    """Return the size of the largest span."""
    return max(span.size for span in spans)
