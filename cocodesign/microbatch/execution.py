"""Runs a division: micro-batch after micro-batch into one result."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.microbatch.algorithms import DIRECT, Algorithm, algorithm_named
from cocodesign.microbatch.algorithms.direct import (
    call_backward_data,
    call_backward_filter,
    call_forward,
)
from cocodesign.microbatch.division import Part
from cocodesign.microbatch.problem import ConvProblem, Direction


def convolve(
    problem: ConvProblem,
    direction: Direction,
    first: Float[Tensor, "..."],
    second: Float[Tensor, "..."],
    parts: Sequence[Part],
    *,
    out: Float[Tensor, "..."] | None = None,
    beta: float = 0.0,
) -> Float[Tensor, "..."]:
    """Compute one direction of a convolution in parts: ``out = result + beta out``.

    ``beta`` is applied once, before the first part, and every further part adds. (In
    the original library each part got the caller's beta, so that with 0 the gradient
    of the filter was the last micro-batch's alone.)

    Args:
        problem: The sizes.
        direction: Which pass.
        first: ``x`` for forward and backward_filter, ``dy`` for backward_data.
        second: ``w``, or ``dy`` for backward_filter.
        parts: A division of the mini-batch.
        out: Where the result goes, of its shape and dense; made if ``None``. It then
            is channels-last if ``first`` is.
        beta: The weight of what ``out`` holds; 0 ignores it, also if not finite.

    Returns:
        ``out``.

    Raises:
        ValueError: If the parts do not cover the mini-batch, or ``beta`` is not zero
            without ``out``.
    """
    covered = sum(part.micro_batch_size for part in parts)
    if covered != len(first):
        raise ValueError(
            f"the parts cover {covered} examples, but there are {len(first)}"
        )
    if beta and out is None:
        raise ValueError(f"beta = {beta} weighs what out holds, but there is no out")
    if out is None and len(parts) == 1 and parts[0].algorithm == DIRECT.name:
        return _call_direct(problem, direction, first, second)
    first, second = _dense(first), _dense(second)
    if direction == "backward_filter":
        result = _sum_over_parts(problem, first, second, parts)
        if out is None:
            return result
        return _accumulate(out, result, beta)
    if out is not None and not beta:
        _map_over_parts(problem, direction, first, second, parts, out)
        return out
    result = _empty_result(problem, direction, first)
    _map_over_parts(problem, direction, first, second, parts, result)
    return result if out is None else _accumulate(out, result, beta)


def _call_direct(
    problem: ConvProblem, direction: Direction, first: Tensor, second: Tensor
) -> Tensor:
    """Call torch as if there were no plan: nothing is copied."""
    if direction == "forward":
        return call_forward(problem, first, second)
    if direction == "backward_data":
        return call_backward_data(problem, first, second)
    return call_backward_filter(problem, first, second)


def _map_over_parts(
    problem: ConvProblem,
    direction: Direction,
    source: Tensor,
    w: Tensor,
    parts: Sequence[Part],
    target: Tensor,
) -> None:
    for algorithm, ranges in _ranges_by_algorithm(parts):
        largest = max(stop - start for start, stop in ranges)
        kernel = algorithm.map_kernel(problem, direction, largest, w)
        for start, stop in ranges:
            kernel.run(source[start:stop], target[start:stop])


def _sum_over_parts(
    problem: ConvProblem, x: Tensor, dy: Tensor, parts: Sequence[Part]
) -> Tensor:
    total: Tensor | None = None
    for algorithm, ranges in _ranges_by_algorithm(parts):
        largest = max(stop - start for start, stop in ranges)
        kernel = algorithm.sum_kernel(problem, largest, x)
        for start, stop in ranges:
            kernel.add(x[start:stop], dy[start:stop])
        part = kernel.total()
        total = part if total is None else total.add_(part)
        del kernel
    assert total is not None
    return total


def _ranges_by_algorithm(
    parts: Sequence[Part],
) -> Iterator[tuple[Algorithm, list[tuple[int, int]]]]:
    """Yield each algorithm with the ranges of examples that it takes."""
    start = 0
    for name, same in groupby(parts, key=lambda part: part.algorithm):
        ranges: list[tuple[int, int]] = []
        for part in same:
            ranges.append((start, start + part.micro_batch_size))
            start += part.micro_batch_size
        yield algorithm_named(name), ranges


def _empty_result(problem: ConvProblem, direction: Direction, like: Tensor) -> Tensor:
    if direction == "forward":
        shape = (len(like), problem.out_channels, *problem.output_size)
    else:
        shape = (len(like), problem.in_channels, *problem.input_size)
    result = like.new_empty(shape)
    if like.ndim == 4 and not like.is_contiguous():
        result = result.contiguous(memory_format=torch.channels_last)
    return result


def _dense(tensor: Tensor) -> Tensor:
    """Return the tensor contiguous or channels-last, copied only if it is neither."""
    if tensor.is_contiguous():
        return tensor
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        return tensor
    return tensor.contiguous()


def _accumulate(out: Tensor, result: Tensor, beta: float) -> Tensor:
    return out.copy_(result) if beta == 0 else out.mul_(beta).add_(result)
