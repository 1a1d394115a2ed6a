"""Planned convolutions as torch operators: autograd, ``torch.compile``, shapes.

The operators carry the layer's plan as one string, so that a compiler sees tensors and
a constant. Their outputs' shapes and memory formats are known without computing.

A transposed convolution is the data gradient of a convolution, hence ``transposed``
layers exchange ``forward`` and ``backward_data``; ``dw`` has the same formula with
input and output exchanged.
"""

from functools import lru_cache

import torch
from torch import Tensor

from cocodesign.microbatch.algorithms import DIRECT
from cocodesign.microbatch.allocations import named_region
from cocodesign.microbatch.division import Part
from cocodesign.microbatch.execution import convolve
from cocodesign.microbatch.plan import LayerPlan
from cocodesign.microbatch.problem import Direction


@torch.library.custom_op("cocodesign::planned_convolution", mutates_args=())
def planned_convolution(
    x: Tensor, w: Tensor, bias: Tensor | None, layer: str
) -> Tensor:
    """Convolve in the parts that a layer's plan asks for.

    Args:
        x: The layer's input, of the plan's shape or with fewer examples.
        w: Its weight.
        bias: Its bias.
        layer: The plan, from ``LayerPlan.to_json``.

    Returns:
        The layer's output, channels-last if the input is.
    """
    plan = _layer(layer)
    direction: Direction = "backward_data" if plan.is_transposed else "forward"
    y = _run(plan, direction, x, w)
    if bias is not None:
        y += bias.view(-1, *(1,) * plan.problem.num_axes)
    return y


@planned_convolution.register_fake
def _(x: Tensor, w: Tensor, bias: Tensor | None, layer: str) -> Tensor:  # noqa: ARG001 (an operator's signature)
    plan = _layer(layer)
    direction: Direction = "backward_data" if plan.is_transposed else "forward"
    return _shaped(plan, direction, x)


@torch.library.custom_op("cocodesign::planned_data_gradient", mutates_args=())
def planned_data_gradient(dy: Tensor, w: Tensor, layer: str) -> Tensor:
    """Return the gradient of a planned layer's input.

    Args:
        dy: The gradient of its output.
        w: Its weight.
        layer: The plan.

    Returns:
        The gradient.
    """
    plan = _layer(layer)
    direction: Direction = "forward" if plan.is_transposed else "backward_data"
    return _run(plan, direction, dy, w)


@planned_data_gradient.register_fake
def _(dy: Tensor, w: Tensor, layer: str) -> Tensor:  # noqa: ARG001 (an operator's signature)
    plan = _layer(layer)
    direction: Direction = "forward" if plan.is_transposed else "backward_data"
    return _shaped(plan, direction, dy)


@torch.library.custom_op("cocodesign::planned_filter_gradient", mutates_args=())
def planned_filter_gradient(x: Tensor, dy: Tensor, layer: str) -> Tensor:
    """Return the gradient of a planned layer's weight.

    Args:
        x: The layer's input.
        dy: The gradient of its output.
        layer: The plan.

    Returns:
        The gradient, contiguous.
    """
    plan = _layer(layer)
    first, second = (dy, x) if plan.is_transposed else (x, dy)
    return _run(plan, "backward_filter", first, second).contiguous()


@planned_filter_gradient.register_fake
def _(x: Tensor, dy: Tensor, layer: str) -> Tensor:  # noqa: ARG001 (an operator's signature)
    return x.new_empty(_layer(layer).problem.weight_shape)


def _save(ctx, inputs, output) -> None:  # noqa: ARG001 (torch's signature)
    x, w, bias, layer = inputs
    needs_w = ctx.needs_input_grad[1]
    ctx.save_for_backward(x if needs_w else None, w)
    ctx.layer = layer
    ctx.num_axes = _layer(layer).problem.num_axes
    ctx.has_bias = bias is not None


def _differentiate(ctx, dy: Tensor):
    x, w = ctx.saved_tensors
    needs_x, needs_w, needs_bias, _ = ctx.needs_input_grad
    dx = planned_data_gradient(dy, w, ctx.layer) if needs_x else None
    dw = planned_filter_gradient(x, dy, ctx.layer) if needs_w else None
    axes = [0, *range(2, 2 + ctx.num_axes)]
    db = dy.sum(axes) if ctx.has_bias and needs_bias else None
    return dx, dw, db, None


planned_convolution.register_autograd(_differentiate, setup_context=_save)


def _run(
    plan: LayerPlan, direction: Direction, first: Tensor, second: Tensor
) -> Tensor:
    with named_region(f"{plan.name}/{direction}"):
        division = plan.divisions.get(direction)
        if division is None:  # not planned: the layer's training has changed since
            parts = (Part(DIRECT.name, len(first)),)
        else:
            parts = shortened(division.parts, len(first))
        return convolve(plan.problem, direction, first, second, parts)


def shortened(parts: tuple[Part, ...], num_examples: int) -> tuple[Part, ...]:
    """Cut a division down to fewer examples; no part gets larger.

    Args:
        parts: A division.
        num_examples: At most what it covers.

    Returns:
        A division of so many examples.

    Example:
        >>> shortened((Part("fft", 4), Part("fft", 4)), 5)[1].micro_batch_size
        1
    """
    kept: list[Part] = []
    rest = num_examples
    for part in parts:
        if rest <= 0:
            break
        kept.append(Part(part.algorithm, min(part.micro_batch_size, rest)))
        rest -= part.micro_batch_size
    return tuple(kept)


def _shaped(plan: LayerPlan, direction: Direction, like: Tensor) -> Tensor:
    problem = plan.problem
    if direction == "forward":
        shape = (like.shape[0], problem.out_channels, *problem.output_size)
    else:
        shape = (like.shape[0], problem.in_channels, *problem.input_size)
    memory_format = torch.contiguous_format
    is_contiguous = like.is_contiguous()
    if (
        like.ndim == 4
        and not is_contiguous
        and like.is_contiguous(memory_format=torch.channels_last)
    ):
        memory_format = torch.channels_last
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=memory_format
    )


@lru_cache(maxsize=4096)
def _layer(text: str) -> LayerPlan:
    return LayerPlan.from_json(text)
