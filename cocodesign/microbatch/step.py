"""A training step observed: its convolutions, its memory over time, its blocks."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cocodesign.microbatch.allocations import MemoryTrace, named_region, trace_memory
from cocodesign.microbatch.budget import Block, Moment
from cocodesign.microbatch.division import Division, Part
from cocodesign.microbatch.layers import (
    ConvLayer,
    conv_layers,
    install_plans,
    is_transposed,
    layer_problem,
    remove_plan,
)
from cocodesign.microbatch.plan import LayerPlan
from cocodesign.microbatch.problem import ConvProblem, Direction

Loss = Callable[[Tensor], Tensor]


def mean_square(output: Tensor) -> Tensor:
    """Return the mean square: a loss whose gradient fills memory, as real ones' do.

    That of a sum is one number, expanded, of which a kernel makes an uncounted copy.
    """
    return output.square().mean()


_BLOCK = "block "
_BLOCK_BACKWARD = "backward of block "


@dataclass(frozen=True)
class LayerUse:
    """A layer at one shape of input.

    Attributes:
        name: The layer's name.
        problem: What it poses.
        is_transposed: Whether it is a transposed convolution.
        directions: What training needs of it.
    """

    name: str
    problem: ConvProblem
    is_transposed: bool
    directions: tuple[Direction, ...]


@dataclass(frozen=True)
class ObservedStep:
    """What a step allocates when every convolution is torch's own.

    Attributes:
        trace: The allocations over time.
        moments: Where memory is counted, see ``budget.plan_step``; kernels are named
            ``layer/direction``.
        blocks: What the blocks that may be recomputed hold and cost.
    """

    trace: MemoryTrace
    moments: tuple[Moment, ...]
    blocks: tuple[Block, ...] = field(default=())


def layer_uses(model: nn.Module, example_input: Tensor) -> tuple[LayerUse, ...]:
    """Run a copy of a model forward and note what its convolutions are given.

    Args:
        model: The model; it is not changed.
        example_input: A mini-batch.

    Returns:
        One entry per layer and shape, in the order of the forward pass.
    """
    model = remove_plan(copy.deepcopy(model))
    found: dict[tuple[str, ConvProblem], LayerUse] = {}

    def note(layer: ConvLayer, inputs: tuple[Tensor, ...], name: str) -> None:
        x = _autocast(inputs[0])
        if x.ndim != 2 + len(layer.kernel_size):
            return  # an example without a batch axis
        problem = layer_problem(layer, x)
        first, second = ("forward", "backward_data")
        if is_transposed(layer):
            first, second = second, first
        directions: list[Direction] = [first]
        if inputs[0].requires_grad:
            directions.append(second)
        if layer.weight.requires_grad:
            directions.append("backward_filter")
        use = LayerUse(name, problem, is_transposed(layer), tuple(directions))
        found.setdefault((name, problem), use)

    for name, layer in conv_layers(model):
        hook: Any = partial(note, name=name)
        layer.register_forward_pre_hook(hook)
    with torch.enable_grad():
        model(example_input)
    return tuple(found.values())


def observe_step(
    model: nn.Module,
    example_input: Tensor,
    uses: Sequence[LayerUse],
    *,
    loss: Loss,
    recomputable: Sequence[str] = (),
) -> ObservedStep:
    """Trace one training step of a copy of a model.

    Args:
        model: The model; it is not changed.
        example_input: A mini-batch.
        uses: From ``layer_uses``.
        loss: Turns the model's output into a number.
        recomputable: Names of modules that may be recomputed, none inside another.

    Returns:
        The observation.
    """
    model = remove_plan(copy.deepcopy(model))
    install_plans(model, [_undivided(use) for use in uses], keeps_direct=True)
    modules = dict(model.named_modules())
    held: dict[str, int] = {}
    for name in recomputable:
        _watch_block(modules[name], name, held)

    def step() -> list[Tensor | None]:
        loss(model(example_input)).backward()
        return [parameter.grad for parameter in model.parameters()]

    step()  # first calls allocate what they keep
    model.zero_grad(set_to_none=True)
    held.clear()
    trace = trace_memory(step)
    moments, starts = _moments(trace)
    blocks = _blocks(trace, starts, held, {use.name for use in uses})
    return ObservedStep(trace, tuple(moments), tuple(blocks))


def measure_peak(
    model: nn.Module, example_input: Tensor, *, loss: Loss = mean_square
) -> MemoryTrace:
    """Trace one training step of a model as it is, with its plan if it has one.

    Args:
        model: The model; its gradients are reset, and batch normalisation's statistics
            move as in training.
        example_input: A mini-batch.
        loss: Turns the model's output into a number.

    Returns:
        The trace, whose ``peak_bytes`` compares to ``predicted_peak_bytes``.
    """

    def step() -> list[Tensor | None]:
        loss(model(example_input)).backward()
        return [parameter.grad for parameter in model.parameters()]

    step()
    model.zero_grad(set_to_none=True)
    trace = trace_memory(step)
    model.zero_grad(set_to_none=True)
    return trace


def _autocast(x: Tensor) -> Tensor:
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return x.to(torch.get_autocast_dtype(device))
    return x


def _undivided(use: LayerUse) -> LayerPlan:
    parts = (Part("direct", use.problem.mini_batch_size),)
    divisions: dict[Direction, Division] = {
        direction: Division(parts) for direction in use.directions
    }
    return LayerPlan(use.name, use.problem, divisions, use.is_transposed)


def _moments(trace: MemoryTrace) -> tuple[list[Moment], list[int]]:
    """Turn a trace into moments.

    A kernel's moment counts what is alive before it and its result; between two kernels
    the highest point counts.

    Returns:
        The moments, and the event that each begins at.
    """
    kernels = [region for region in trace.regions if "block " not in region.name]
    moments: list[Moment] = []
    starts: list[int] = []
    last = 0
    for region in kernels:
        if region.start > last:
            moments.append(Moment(trace.highest(last, region.start)))
            starts.append(last)
        live = max(trace.before(region.start), trace.before(region.stop))
        moments.append(Moment(live, region.name))
        starts.append(region.start)
        last = region.stop
    moments.append(Moment(trace.highest(last, len(trace.live_bytes))))
    starts.append(last)
    return _once_each(moments), starts


def _once_each(moments: list[Moment]) -> list[Moment]:
    """Let a kernel that runs several times run only where most is alive."""
    fullest: dict[str, int] = {}
    for moment in moments:
        if moment.kernel is not None:
            before = fullest.get(moment.kernel, -1)
            fullest[moment.kernel] = max(before, moment.live_bytes)
    kept: list[Moment] = []
    for moment in moments:
        kernel = moment.kernel
        if kernel is not None and fullest.get(kernel) == moment.live_bytes:
            del fullest[kernel]
            kept.append(moment)
        else:
            kept.append(Moment(moment.live_bytes))
    return kept


def _watch_block(block: nn.Module, name: str, held: dict[str, int]) -> None:
    """Have a block mark its passes in the trace, and count what it saves."""
    forward = partial(type(block).forward, block)

    def watched(*inputs: Tensor) -> Tensor:
        saved: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        with (
            named_region(_BLOCK + name),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        ):
            output = forward(*inputs)
        kept = [*inputs, output, *block.parameters(), *block.buffers()]
        for tensor in kept:
            saved.pop(tensor.untyped_storage().data_ptr(), None)
        held[name] = sum(saved.values())
        if output.requires_grad:
            output.register_hook(lambda gradient: _mark(name, gradient))
        return output

    block.__dict__["forward"] = watched


def _mark(name: str, gradient: Tensor) -> Tensor:
    with named_region(_BLOCK_BACKWARD + name):
        return gradient


def _blocks(
    trace: MemoryTrace, starts: list[int], held: dict[str, int], layers: set[str]
) -> list[Block]:
    blocks: list[Block] = []
    for name, saved_bytes in held.items():
        forward = next(r for r in trace.regions if r.name == _BLOCK + name)
        backward = next(
            (r for r in trace.regions if r.name == _BLOCK_BACKWARD + name), None
        )
        if backward is None or saved_bytes <= 0:
            continue
        inside = [
            region
            for region in trace.regions
            if forward.start <= region.start
            and region.stop <= forward.stop
            and region.name.rpartition("/")[0] in layers
        ]
        kernels_s = sum(region.duration_s for region in inside)
        first = next(i for i, start in enumerate(starts) if start >= forward.stop)
        last = max(i for i, start in enumerate(starts) if start <= backward.start)
        blocks.append(
            Block(
                name,
                (first, max(first, last)),
                saved_bytes,
                max(forward.duration_s - kernels_s, 0.0),
                tuple(dict.fromkeys(region.name for region in inside)),
            )
        )
    return blocks
