"""The convolution layers of a model, and how a plan is put into them.

A planned layer keeps its class, its parameters and its hooks; only its ``forward`` is
replaced, as an attribute of that one module. So ``state_dict``, optimizers and code
that looks for ``nn.Conv2d`` see no difference, and ``remove_plan`` undoes it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeGuard, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch.algorithms import DIRECT, algorithm_named
from cocodesign.microbatch.operators import planned_convolution
from cocodesign.microbatch.plan import LayerPlan, MicroBatchPlan
from cocodesign.microbatch.problem import ELEMENT_BYTES, ConvProblem
from cocodesign.microbatch.recomputation import RecomputedForward
from cocodesign.microbatch.timings import describe_machine

ConvLayer = (
    nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
)
_PLAIN = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

Mismatch = Literal["refuse", "native"]


def is_conv_layer(module: nn.Module) -> TypeGuard[ConvLayer]:
    """Say whether a module is one of torch's convolutions; a subclass may be anything.

    Args:
        module: Any module.

    Returns:
        Whether it can be planned.
    """
    return type(module) in (*_PLAIN, *_TRANSPOSED)


def is_transposed(layer: ConvLayer) -> bool:
    """Say whether a layer is a transposed convolution."""
    return isinstance(layer, _TRANSPOSED)


def conv_layers(model: nn.Module) -> Iterator[tuple[str, ConvLayer]]:
    """Yield the convolutions of a model with their names, each once."""
    for name, module in model.named_modules():
        if is_conv_layer(module):
            yield name, module


def layer_problem(layer: ConvLayer, x: Float[Tensor, "..."]) -> ConvProblem:
    """Return the problem that a layer poses for an input.

    Args:
        layer: The layer.
        x: Its input, with the batch axis, before any padding.

    Returns:
        The sizes; for a transposed layer those of the convolution whose data gradient
        it computes.
    """
    if isinstance(layer, _TRANSPOSED):
        return _transposed_problem(layer, x)
    before, after = _padding(layer)
    if _pads_apart(layer):
        size = tuple(
            extent + first + last
            for extent, first, last in zip(x.shape[2:], before, after, strict=True)
        )
        padding = (0,) * len(size)
    else:
        size, padding = tuple(x.shape[2:]), before
    return ConvProblem(
        len(x),
        layer.in_channels,
        layer.out_channels,
        size,
        tuple(layer.kernel_size),
        tuple(layer.stride),
        padding,
        tuple(layer.dilation),
        layer.groups,
        _type_name(x.dtype),
    )


def apply_plan(
    model: nn.Module,
    plan: MicroBatchPlan,
    *,
    on_mismatch: Mismatch = "refuse",
    allows_other_machine: bool = False,
) -> nn.Module:
    """Make a model run its convolutions as planned.

    Results are those of the model without the plan, up to the rounding of the chosen
    algorithms. Batch normalisation, the loss and the optimizer see whole mini-batches,
    as before. Smaller mini-batches than the planned one, such as an epoch's last, run
    in the planned micro-batches. Gradients of gradients are not available.

    Args:
        model: The model; its layers' ``forward`` is replaced, nothing else.
        plan: A plan for this model's layers, on this kind of machine.
        on_mismatch: What a layer does with an input that the plan does not know:
            ``"refuse"`` raises, ``"native"`` takes torch's own convolution.
        allows_other_machine: Whether the plan may have been made on another processor,
            with other threads or other versions. Results would be the same, times not.

    Returns:
        The same model.

    Raises:
        PlanMismatchError: If the model lacks a planned layer or has it with other
            sizes, an algorithm is not available here, or the plan is of another
            machine.
        ValueError: If ``on_mismatch`` is neither.

    Example:
        >>> from cocodesign.microbatch import plan_model
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3))
        >>> x = torch.ones(2, 3, 8, 8)
        >>> expected = model(x)
        >>> plan = plan_model(model, x, workspace_limit_bytes=1 << 20)
        >>> torch.allclose(apply_plan(model, plan)(x), expected, atol=1e-5)
        True
    """
    if on_mismatch not in ("refuse", "native"):
        raise ValueError(
            f"on_mismatch must be 'refuse' or 'native', got {on_mismatch!r}"
        )
    if not allows_other_machine:
        _check_machine(plan)
    modules = dict(model.named_modules())
    for name in plan.recomputed:
        if name not in modules:
            raise PlanMismatchError(
                f"the plan recomputes a module {name!r}, which the model has not: "
                "plan this model"
            )
    install_plans(model, plan.layers, on_mismatch=on_mismatch)
    for name in plan.recomputed:
        modules[name].__dict__["forward"] = RecomputedForward(modules[name])
    return model


def install_plans(
    model: nn.Module,
    plans: Sequence[LayerPlan],
    *,
    on_mismatch: Mismatch = "refuse",
    keeps_direct: bool = False,
) -> None:
    """Replace the ``forward`` of the layers whose plan changes something.

    Args:
        model: The model.
        plans: Plans of its layers.
        on_mismatch: See ``apply_plan``.
        keeps_direct: Whether to replace also where the plan is torch's own call.

    Raises:
        PlanMismatchError: If the model lacks a layer, or has it with other sizes.
    """
    layers = dict(conv_layers(model))
    by_name: dict[str, list[LayerPlan]] = {}
    for plan in plans:
        layer = layers.get(plan.name)
        if layer is None:
            raise PlanMismatchError(
                f"the plan is for a layer {plan.name!r}, but the model's convolutions "
                f"are {', '.join(layers) or 'none'}: plan this model"
            )
        _check_layer(layer, plan)
        _check_algorithms(plan)
        by_name.setdefault(plan.name, []).append(plan)
    for name, of_layer in by_name.items():
        if keeps_direct or any(map(_changes_something, of_layer)):
            planned = PlannedForward(layers[name], name, of_layer, on_mismatch)
            layers[name].__dict__["forward"] = planned


def remove_plan(model: nn.Module) -> nn.Module:
    """Give the modules of a model their own ``forward`` back.

    Args:
        model: Any model.

    Returns:
        The same model.
    """
    for module in model.modules():
        if isinstance(
            module.__dict__.get("forward"), PlannedForward | RecomputedForward
        ):
            del module.__dict__["forward"]
    return model


class PlannedForward:
    """The ``forward`` of a planned layer.

    Args:
        layer: The layer, whose parameters are read at every call.
        name: Its name in the model, for messages.
        plans: Its plans, one per shape of input.
        on_mismatch: See ``apply_plan``.
    """

    def __init__(
        self,
        layer: ConvLayer,
        name: str,
        plans: list[LayerPlan],
        on_mismatch: Mismatch,
    ) -> None:
        self._layer = layer
        self._name = name
        self._plans = plans
        self._on_mismatch = on_mismatch
        self._padding = _apart_padding(layer) if type(layer) in _PLAIN else None
        self._texts = {
            _signature(plan): (plan.problem.mini_batch_size, plan.to_json())
            for plan in plans
        }

    @no_type_check  # a compiler traces it, and would trace the checks
    def __call__(
        self, x: Float[Tensor, "..."], output_size: list[int] | None = None
    ) -> Float[Tensor, "..."]:
        """Return the layer's output.

        Args:
            x: Its input.
            output_size: As for torch's transposed layers.

        Returns:
            The output.

        Raises:
            PlanMismatchError: If no plan fits the input and mismatches are refused.
        """
        layer = self._layer
        w, bias = layer.weight, layer.bias
        device = x.device.type
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
            x, w = x.to(dtype), w.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        source = x
        if self._padding is not None:
            source = functional.pad(x, self._padding[0], mode=self._padding[1])
        known = self._texts.get((x.dtype, tuple(source.shape[1:])))
        # An output_size other than the layer's own changes the problem.
        if known is None or len(x) > known[0] or output_size is not None:
            if self._on_mismatch == "native" or output_size is not None:
                return _native(layer, x, output_size)
            raise self._mismatch(x)
        return planned_convolution(source, w, bias, known[1])

    def _mismatch(self, x: Tensor) -> PlanMismatchError:
        planned = ", ".join(
            f"up to {plan.problem.mini_batch_size} x {plan.problem.label} in "
            f"{plan.problem.dtype}"
            for plan in self._plans
        )
        return PlanMismatchError(
            f"layer {self._name!r} is planned for {planned}, but got an input of "
            f"{tuple(x.shape)} in {x.dtype}: plan with such an input, or apply the "
            "plan with on_mismatch='native'"
        )


def _signature(plan: LayerPlan) -> tuple[torch.dtype, tuple[int, ...]]:
    """Return type and shape of the input, without the batch axis."""
    problem = plan.problem
    dtype = getattr(torch, problem.dtype)
    if plan.is_transposed:
        return dtype, (problem.out_channels, *problem.output_size)
    return dtype, (problem.in_channels, *problem.input_size)


def _changes_something(plan: LayerPlan) -> bool:
    return any(
        not division.is_undivided or division.parts[0].algorithm != DIRECT.name
        for division in plan.divisions.values()
    )


def _check_machine(plan: MicroBatchPlan) -> None:
    here = describe_machine()
    for what, planned in plan.machine.items():
        if here.get(what) != planned:
            raise PlanMismatchError(
                f"the plan was made with {what} {planned!r}, here it is "
                f"{here.get(what)!r}: plan again, or apply it with "
                "allows_other_machine=True, which may be slower than no plan"
            )


def _check_algorithms(plan: LayerPlan) -> None:
    for direction, division in plan.divisions.items():
        for name in dict.fromkeys(part.algorithm for part in division.parts):
            if not algorithm_named(name).supports(plan.problem, direction):
                raise PlanMismatchError(
                    f"layer {plan.name!r} is planned with {name}, which is not "
                    f"available here for {plan.problem.label} {direction}: plan again"
                )


def _check_layer(layer: ConvLayer, plan: LayerPlan) -> None:
    problem = plan.problem
    is_transposed = isinstance(layer, _TRANSPOSED)
    channels = (layer.in_channels, layer.out_channels)
    planned = (problem.in_channels, problem.out_channels)
    found = {
        "is_transposed": (is_transposed, plan.is_transposed),
        "channels": (channels, planned[::-1] if plan.is_transposed else planned),
        "kernel_size": (tuple(layer.kernel_size), problem.kernel_size),
        "stride": (tuple(layer.stride), problem.stride),
        "dilation": (tuple(layer.dilation), problem.dilation),
        "groups": (layer.groups, problem.groups),
    }
    for what, (has, wanted) in found.items():
        if has != wanted:
            raise PlanMismatchError(
                f"layer {plan.name!r} has {what} {has}, its plan {wanted}: plan this "
                "model"
            )


def _transposed_problem(layer: ConvLayer, x: Tensor) -> ConvProblem:
    assert not isinstance(layer.padding, str)
    size = tuple(
        (extent - 1) * stride - 2 * padding + dilation * (kernel - 1) + added + 1
        for extent, stride, padding, dilation, kernel, added in zip(
            x.shape[2:],
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.kernel_size,
            layer.output_padding,
            strict=True,
        )
    )
    return ConvProblem(
        len(x),
        layer.out_channels,
        layer.in_channels,
        size,
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(layer.padding),
        tuple(layer.dilation),
        layer.groups,
        _type_name(x.dtype),
    )


def _type_name(dtype: torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    if name not in ELEMENT_BYTES:
        raise PlanMismatchError(
            f"a convolution of {dtype} cannot be planned, only of "
            f"{', '.join(ELEMENT_BYTES)}"
        )
    return name


def _padding(layer: ConvLayer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the padding before and after on each axis."""
    if layer.padding == "valid":
        zeros = (0,) * len(layer.kernel_size)
        return zeros, zeros
    if layer.padding == "same":
        totals = [
            dilation * (kernel - 1)
            for dilation, kernel in zip(layer.dilation, layer.kernel_size, strict=True)
        ]
        before = tuple(total // 2 for total in totals)
        return before, tuple(t - b for t, b in zip(totals, before, strict=True))
    assert not isinstance(layer.padding, str)
    return tuple(layer.padding), tuple(layer.padding)


def _pads_apart(layer: ConvLayer) -> bool:
    """Say whether the padding is no matter of the convolution itself."""
    before, after = _padding(layer)
    return before != after or layer.padding_mode != "zeros"


def _apart_padding(layer: ConvLayer) -> tuple[list[int], str] | None:
    """Return what ``functional.pad`` needs where the convolution itself cannot pad."""
    if not _pads_apart(layer):
        return None
    before, after = _padding(layer)
    pairs = zip(before[::-1], after[::-1], strict=True)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return [extent for pair in pairs for extent in pair], mode


def _native(layer: ConvLayer, x: Tensor, output_size: list[int] | None) -> Tensor:
    forward: Any = type(layer).forward
    if type(layer) in _TRANSPOSED:
        return forward(layer, x, output_size)
    return forward(layer, x)
