"""A convolution cut over ranks, with gradients, equal to that of one process.

What each rank has, along the axis of the cut:

=============  ==================  ==================  ==================
axis           input               filter              output
=============  ==================  ==================  ==================
batch          its examples        whole               its examples
out_channels   whole               its filters         its channels
in_channels    its channels        its channels        whole, the same
height, …      its rows            whole               its rows
=============  ==================  ==================  ==================

Autograd sends gradients the reverse way. A gradient of what every rank holds whole is
summed over the ranks, so that it is the same everywhere.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cocodesign.collectives import Communicator, all_reduce
from cocodesign.microbatch.distribution.partition import (
    Axis,
    SpatialCut,
    cut_convolution,
    cut_transposed,
    even_spans,
    spatial_index,
)
from cocodesign.microbatch.problem import ConvProblem


def local_parts(
    problem: ConvProblem,
    axis: Axis,
    rank: int,
    world_size: int,
    x: Float[Tensor, "..."],
    w: Float[Tensor, "..."],
    *,
    is_transposed: bool = False,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return a rank's part of the input and of the filter.

    Args:
        problem: The sizes of the whole.
        axis: Along which it is cut.
        rank: Whose part.
        world_size: The number of ranks.
        x: The whole input; of a transposed convolution the problem's output.
        w: The whole filter.
        is_transposed: Whether the problem's data gradient is computed.

    Returns:
        Views of both.

    Raises:
        ValueError: If a rank would have nothing.
    """
    index = spatial_index(axis, problem.num_axes)
    into, out_of = (0, 1) if is_transposed else (1, 0)  # the filter's channel axes
    if index is not None:
        cut = _cut(problem, index, world_size, is_transposed=is_transposed)
        span = cut.owned[rank]
        return x.narrow(2 + index, span.start, span.size), w
    if axis == "batch":
        span = even_spans(len(x), world_size)[rank]
        return x.narrow(0, span.start, span.size), w
    if axis == "out_channels":
        span = even_spans(w.shape[out_of], world_size)[rank]
        return x, w.narrow(out_of, span.start, span.size)
    span = even_spans(x.shape[1], world_size)[rank]
    return x.narrow(1, span.start, span.size), w.narrow(into, span.start, span.size)


def partitioned_convolution(
    problem: ConvProblem,
    axis: Axis,
    x: Float[Tensor, "..."],
    w: Float[Tensor, "..."],
    communicator: Communicator,
    *,
    is_transposed: bool = False,
) -> Float[Tensor, "..."]:
    """Compute this rank's part of a convolution; all ranks call it together.

    Every rank has to take part in the backward pass as well, as gradients travel.

    Args:
        problem: The sizes of the whole.
        axis: Along which it is cut, one of ``partition_axes``.
        x: This rank's part of the input, from ``local_parts``.
        w: This rank's part of the filter.
        communicator: The ranks.
        is_transposed: Whether to compute the problem's data gradient, which is a
            transposed convolution of an input of the problem's output size.

    Returns:
        This rank's part of the output.

    Raises:
        ValueError: If a rank would have nothing, or the axis is unknown.
    """
    index = spatial_index(axis, problem.num_axes)
    if axis in ("out_channels", "in_channels") and problem.groups > 1:
        raise ValueError(
            f"a convolution in {problem.groups} groups is not cut along {axis}: take "
            "batch or a spatial axis"
        )
    if index is not None:
        w = _SumGradient.apply(w, communicator)
        cut = _cut(problem, index, communicator.world_size, is_transposed=is_transposed)
        slab = _Gather.apply(x.contiguous(), 2 + index, cut, communicator)
        convolve = _transposed_slab if is_transposed else _slab
        return convolve(problem, index, slab, w, cut, communicator.rank)
    if axis == "batch":
        w = _SumGradient.apply(w, communicator)
        return _whole(problem, x, w, is_transposed=is_transposed)
    if axis == "out_channels":
        x = _SumGradient.apply(x, communicator)
        return _whole(problem, x, w, is_transposed=is_transposed)
    partial = _whole(problem, x, w, is_transposed=is_transposed)
    return _Sum.apply(partial, communicator)


def _cut(
    problem: ConvProblem, index: int, world_size: int, *, is_transposed: bool
) -> SpatialCut:
    cut = cut_transposed if is_transposed else cut_convolution
    return cut(problem, index, world_size)


def _whole(
    problem: ConvProblem, x: Tensor, w: Tensor, *, is_transposed: bool
) -> Tensor:
    """Convolve a part that needs nothing from other ranks."""
    return _convolve(
        problem,
        x,
        w,
        problem.padding,
        output_padding=_output_padding(problem) if is_transposed else None,
    )


def _slab(
    problem: ConvProblem,
    index: int,
    slab: Tensor,
    w: Tensor,
    cut: SpatialCut,
    rank: int,
) -> Tensor:
    """Convolve the rows that a rank gathered, with zeros where the input ends."""
    needed = cut.needed[rank]
    # A window may lie outside altogether where the padding is wide.
    before = max(0, min(0, needed.stop) - needed.start)
    after = max(0, needed.stop - max(cut.input_size, needed.start))
    slab = _padded(slab, index, before, after)
    padding = list(problem.padding)
    padding[index] = 0
    return _convolve(problem, slab, w, tuple(padding))


def _transposed_slab(
    problem: ConvProblem,
    index: int,
    slab: Tensor,
    w: Tensor,
    cut: SpatialCut,
    rank: int,
) -> Tensor:
    """Convolve transposed what a rank gathered, and cut out the rows that are its."""
    outputs, needed = cut.outputs[rank], cut.needed[rank]
    if not needed.size:  # no window reaches these rows
        shape = [len(slab), problem.in_channels, *problem.input_size]
        shape[2 + index] = outputs.size
        # Sums of nothing: zeros that take part in the backward pass.
        return slab.new_zeros(shape) + slab.sum() + w[:0].sum()
    padding, output_padding = list(problem.padding), _output_padding(problem)
    padding[index] = output_padding[index] = 0
    y = _convolve(problem, slab, w, tuple(padding), output_padding=output_padding)
    first = needed.start * problem.stride[index] - problem.padding[index]
    skipped = outputs.start - first
    missing = outputs.size - (y.shape[2 + index] - skipped)
    return _padded(y, index, -skipped, missing)


def _convolve(
    problem: ConvProblem,
    x: Tensor,
    w: Tensor,
    padding: tuple[int, ...],
    *,
    output_padding: list[int] | None = None,
) -> Tensor:
    return torch.convolution(
        x,
        w,
        None,
        problem.stride,
        padding,
        problem.dilation,
        output_padding is not None,
        output_padding or [0] * problem.num_axes,
        problem.groups,
    )


def _output_padding(problem: ConvProblem) -> list[int]:
    """Return what a transposed convolution adds to reach the problem's input size."""
    shortest = (
        (output - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
        for output, stride, padding, dilation, kernel in zip(
            problem.output_size,
            problem.stride,
            problem.padding,
            problem.dilation,
            problem.kernel_size,
            strict=True,
        )
    )
    return [
        size - least for size, least in zip(problem.input_size, shortest, strict=True)
    ]


def _padded(x: Tensor, index: int, before: int, after: int) -> Tensor:
    """Add zeros on a spatial axis, or take away where a number is negative."""
    if not before and not after:
        return x
    flat = [0, 0] * (x.ndim - 2)
    place = 2 * (x.ndim - 3 - index)  # functional.pad begins at the last axis
    flat[place : place + 2] = [before, after]
    return functional.pad(x, flat)


class _Gather(torch.autograd.Function):
    """Collect the rows that a rank needs; send their gradients back and add them up."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, x: Tensor, dim: int, cut: SpatialCut, communicator: Communicator
    ) -> Tensor:
        ctx.dim, ctx.cut, ctx.communicator = dim, cut, communicator
        rank, count = communicator.rank, communicator.world_size
        needed = _within(cut, rank)
        slab = _like(x, dim, needed[1] - needed[0])
        own = cut.message(rank, rank)
        if own.size:
            _part(slab, dim, own.start - needed[0], own.size).copy_(
                _part(x, dim, own.start - cut.owned[rank].start, own.size)
            )
        for distance in cut.distances():
            to_rank, from_rank = (rank + distance) % count, (rank - distance) % count
            given, taken = cut.message(rank, to_rank), cut.message(from_rank, rank)
            sent = _part(x, dim, given.start - cut.owned[rank].start, given.size)
            received = _like(x, dim, taken.size)
            communicator.exchange(sent.contiguous(), to_rank, received, from_rank)
            if taken.size:
                _part(slab, dim, taken.start - needed[0], taken.size).copy_(received)
        return slab

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        dim, cut, communicator = ctx.dim, ctx.cut, ctx.communicator
        rank, count = communicator.rank, communicator.world_size
        needed = _within(cut, rank)
        dx = _like(gradient, dim, cut.owned[rank].size).zero_()
        own = cut.message(rank, rank)
        if own.size:
            _part(dx, dim, own.start - cut.owned[rank].start, own.size).copy_(
                _part(gradient, dim, own.start - needed[0], own.size)
            )
        for distance in cut.distances():
            # The reverse way: what came from one side goes back there.
            to_rank, from_rank = (rank - distance) % count, (rank + distance) % count
            given, taken = cut.message(to_rank, rank), cut.message(rank, from_rank)
            sent = _part(gradient, dim, given.start - needed[0], given.size)
            received = _like(gradient, dim, taken.size)
            communicator.exchange(sent.contiguous(), to_rank, received, from_rank)
            if taken.size:
                start = taken.start - cut.owned[rank].start
                _part(dx, dim, start, taken.size).add_(received)
        return dx, None, None, None


class _SumGradient(torch.autograd.Function):
    """Nothing forward; the gradient summed over the ranks."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, x: Tensor, communicator: Communicator
    ) -> Tensor:
        ctx.communicator = communicator
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        return all_reduce(gradient.contiguous(), ctx.communicator), None


class _Sum(torch.autograd.Function):
    """The sum over the ranks; its gradient, the same on all of them, as it comes."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,  # noqa: ARG004 (torch's signature)
        x: Tensor,
        communicator: Communicator,
    ) -> Tensor:
        return all_reduce(x.contiguous(), communicator)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # noqa: ARG004 # pyright: ignore[reportIncompatibleMethodOverride]
        return gradient, None


def _within(cut: SpatialCut, rank: int) -> tuple[int, int]:
    """Return what a rank needs of what is there, without the zeros around it."""
    needed = cut.needed[rank]
    start = min(max(needed.start, 0), cut.input_size)
    return start, max(start, min(needed.stop, cut.input_size))


def _like(x: Tensor, dim: int, size: int) -> Tensor:
    shape = list(x.shape)
    shape[dim] = size
    return x.new_empty(shape)


def _part(x: Tensor, dim: int, start: int, size: int) -> Tensor:
    return x.narrow(dim, start if size else 0, size)
