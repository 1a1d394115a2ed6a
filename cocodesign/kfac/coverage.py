"""From the uses of a model's parameters to its blocks, and to what feeds them.

Uses are joined by parameter: tied weights are one block with several uses. What a block
cannot describe stays uncovered: a parameter of an unknown module, one that is used in
ways that do not go together, one that does not require a gradient.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from cocodesign.kfac.blocks import (
    BiasBlock,
    CurvatureBlock,
    KroneckerBlock,
    Part,
    UnitWiseBlock,
    WeightSharing,
)
from cocodesign.kfac.layers import LinearMap, LookupMap
from cocodesign.kfac.uses import Use, find_uses


@dataclass(frozen=True, eq=False)
class Feed:
    """Where what is seen of one use goes.

    Attributes:
        block: Collects it.
        source: Reads it, as the block wants it: a map of the weight, or what returns
            the gradients of a normalisation's examples.
        batch_dim: The axis that counts the examples.
        num_axes: Axes of an input with its batch axis, at least.
    """

    block: CurvatureBlock
    source: Any
    batch_dim: int
    num_axes: int


# By module, by the name of the linear map inside it (empty if it is all of the module).
Feeds = dict[nn.Module, dict[str, list[Feed]]]


@dataclass(frozen=True)
class Coverage:
    """The blocks of a model.

    Attributes:
        blocks: By the name of the parameter, and of the linear map inside its module
            where that is only a part of it.
        feeds: What is fed by which module.
    """

    blocks: dict[str, CurvatureBlock] = field(default_factory=dict)
    feeds: Feeds = field(default_factory=dict)

    def add(self, name: str, block: CurvatureBlock, uses: Iterable[Use]) -> None:
        """Add a block and the uses that feed it."""
        self.blocks[name] = block
        for use in uses:
            feed = Feed(block, use.source, use.batch_dim, use.num_axes)
            self.feeds.setdefault(use.module, {}).setdefault(use.inner, []).append(feed)


def cover(model: nn.Module, weight_sharing: WeightSharing) -> Coverage:
    """Build the blocks of all trainable parameters that are known.

    Args:
        model: The model, with frozen parameters frozen already.
        weight_sharing: What to do with positions that share a weight.

    Returns:
        Its coverage, with empty blocks.
    """
    uses = find_uses(model)
    usable = _usable_parameters(model, uses)
    names = {parameter: name for name, parameter in model.named_parameters()}
    coverage = Coverage()
    by_weight, by_bias = (
        _grouped(uses, "weight", usable),
        _grouped(uses, "bias", usable),
    )
    for weight, group in by_weight.items():
        if not _go_together(group):
            continue
        linear = [use for use in group if not isinstance(use.source, LookupMap)]
        leading = linear or group
        # A bias joins its weight unless either is used without the other as well.
        bias = leading[0].bias
        if bias is not None and by_bias.get(bias) == leading:
            del by_bias[bias]
        else:
            bias = None
        source = leading[0].source
        assert not callable(source)
        block = KroneckerBlock(
            source,
            weight,
            bias,
            weight_sharing=weight_sharing,
            is_table=0 < len(linear) < len(group),
        )
        coverage.add(_name(names, weight, group), block, group)
    for bias, group in by_bias.items():
        source = group[0].source
        assert not callable(source)
        block = BiasBlock(bias, source.num_groups)
        coverage.add(_name(names, bias, group), block, group)
    for (scale, shift), group in _normalisations(uses, usable).items():
        first = scale or shift
        assert first is not None
        coverage.add(names[first.parameter], UnitWiseBlock(scale, shift), group)
    return coverage


def _usable_parameters(model: nn.Module, uses: Sequence[Use]) -> set[nn.Parameter]:
    """Return the trainable parameters of which every use is known and of one kind."""
    owners: dict[nn.Parameter, set[nn.Module]] = defaultdict(set)
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners[parameter].add(module)
    known: dict[nn.Parameter, set[nn.Module]] = defaultdict(set)
    kinds: dict[nn.Parameter, set[object]] = defaultdict(set)
    for use in uses:
        pair = use.weight, use.bias
        for part, other in (pair, pair[::-1]):
            if part is not None:
                partner = (other,) if use.is_normalisation else ()
                kind = part is use.weight, use.is_normalisation, part.rows is None
                known[part.parameter].add(use.owner)
                kinds[part.parameter].add((kind, partner))
    return {
        parameter
        for parameter in known
        if parameter.requires_grad
        and owners[parameter] == known[parameter]
        and len(kinds[parameter]) == 1
    }


def _grouped(
    uses: Sequence[Use], role: Literal["weight", "bias"], usable: set[nn.Parameter]
) -> dict[Part, list[Use]]:
    """Group the uses of linear maps by their weight or by their bias."""
    groups: dict[Part, list[Use]] = {}
    for use in uses:
        part = use.weight if role == "weight" else use.bias
        if not use.is_normalisation and part is not None and part.parameter in usable:
            groups.setdefault(part, []).append(use)
    return groups


def _normalisations(
    uses: Sequence[Use], usable: set[nn.Parameter]
) -> dict[tuple[Part | None, Part | None], list[Use]]:
    """Group the uses of normalisations by what is trained of scale and shift."""
    groups: dict[tuple[Part | None, Part | None], list[Use]] = {}
    for use in uses:
        if use.is_normalisation:
            scale, shift = (
                part if part is not None and part.parameter in usable else None
                for part in (use.weight, use.bias)
            )
            if scale is not None or shift is not None:
                groups.setdefault((scale, shift), []).append(use)
    return groups


def _go_together(group: Sequence[Use]) -> bool:
    """Tell whether one Kronecker product can describe all uses of a weight."""
    kinds = {type(use.source) for use in group}
    return len(kinds) == 1 or kinds == {LinearMap, LookupMap}


def _name(names: dict[nn.Parameter, str], part: Part, group: Sequence[Use]) -> str:
    name = names[part.parameter]
    return name if part.rows is None else f"{name}[{group[0].inner}]"
