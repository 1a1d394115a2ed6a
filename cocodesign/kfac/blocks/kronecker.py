"""The block of a weight: one Kronecker product."""

import math
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.blocks.part import GradientOf, Part, Parts, Rescale
from cocodesign.kfac.blocks.table import TiedTable
from cocodesign.kfac.damping import factored_damping
from cocodesign.kfac.inverse import damped_inverse, scaled_identity
from cocodesign.kfac.layers import LookupMap, WeightMap
from cocodesign.kfac.statistic import Statistic

WeightSharing = Literal["expand", "reduce"]

# How much more damping a layer gets after each inverse that failed. The factor stays
# for the rest of the training: a layer that needed it once would fail again.
_ESCALATION = 10.0


class KroneckerBlock:
    """The block ``A ⊗ G`` of a weight and its bias.

    Args:
        weight_map: How the layers that use the weight multiply with it.
        weight: The weight.
        bias: The bias, ``None`` if there is none to train together with the weight.
        weight_sharing: What to do with positions that share the weight; an embedding,
            and a weight tied to one, is always expanded.
        is_table: Whether embeddings have the weight as their table, beside the linear
            layers.

    Attributes:
        parts: What the block covers.
        a: The statistic of inputs; a diagonal for an embedding.
        g: The statistic of output gradients.
        refreshes_together: Whether one cannot be measured without the other.
        escalation: What damping is multiplied by, for each group; ``None`` before the
            first inverse.
    """

    def __init__(
        self,
        weight_map: WeightMap,
        weight: Part,
        bias: Part | None,
        *,
        weight_sharing: WeightSharing,
        is_table: bool = False,
    ) -> None:
        self.parts = [weight] if bias is None else [weight, bias]
        self.a, self.g = Statistic(), Statistic()
        self.escalation: Tensor | None = None
        self._map, self._weight, self._bias = weight_map, weight, bias
        self._table = TiedTable() if is_table else None
        # A mean of one-hot rows is not one-hot: only expanded is A a diagonal.
        is_embedding = isinstance(weight_map, LookupMap) or is_table
        self._by_example = weight_sharing == "reduce" and not is_embedding
        self.refreshes_together = is_table

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The statistics by name."""
        return {"A": self.a, "G": self.g}

    @property
    def inverted_sizes(self) -> list[int]:
        """The rows of the matrices to invert."""
        weight = self._map.as_matrix(self._weight.of(self._weight.parameter))
        *groups, d_out, d_in = weight.shape
        d_in += self._bias is not None
        is_diagonal = isinstance(self._map, LookupMap) or self._table is not None
        sizes = [d_out] if is_diagonal else [d_out, d_in]
        return sizes * math.prod(groups)

    @property
    def is_ready(self) -> bool:
        """Whether there are inverses to precondition with."""
        return self.a.inverse is not None and self.g.inverse is not None

    def add_input(self, source: WeightMap, key: int, x: Tensor) -> None:
        """Collect the input of one use of the weight.

        Args:
            source: The map of the layer that used it.
            key: Of the pass.
            x: The input of the examples to look at.
        """
        if self._table is not None and isinstance(source, LookupMap):
            self._table.add_input(source, key, x)
            return
        passes = self.a.passes
        passes.count(key, num_examples=len(x), num_passed=len(x))
        has_bias = self._bias is not None
        if self._by_example:
            rows = factors.widened(source.input_rows(x))
            counts = rows.new_full((*rows.shape[:-2], 1), rows.shape[-2])
            passes.add_to_examples(key, torch.cat([rows.sum(-2), counts], -1))
        else:
            passes.add_moment(source.input_moment(x, has_bias=has_bias), 0)

    def add_gradient(
        self, source: WeightMap, key: int, x: Tensor, gradient: Tensor, num_passed: int
    ) -> None:
        """Collect the output gradient of one use of the weight.

        Args:
            source: The map of the layer that used it.
            key: Of the pass.
            x: The input of the examples to look at.
            gradient: The gradient with respect to what the weight made of ``x``.
            num_passed: How many examples the pass holds.
        """
        if self._table is not None and isinstance(source, LookupMap):
            self._table.add_gradient(source, key, x, gradient, num_passed)
            return
        passes = self.g.passes
        passes.count(key, num_examples=len(x), num_passed=num_passed)
        rows = factors.widened(source.gradient_rows(gradient, x))
        if self._by_example:
            passes.add_to_examples(key, rows.sum(-2))
        else:
            flat = rows.flatten(-3, -2)
            passes.add_moment(factors.second_moment(flat), flat.shape[-2])

    def forget(self) -> None:
        """Drop what was collected."""
        self.a.passes.clear()
        self.g.passes.clear()
        if self._table is not None:
            self._table.forget()

    def measure(self, rescale: Rescale) -> dict[str, Tensor]:
        """Return the statistics of what was collected, by name.

        Args:
            rescale: Of squared gradients.

        Returns:
            Those that anything was collected for.
        """
        has_bias = self._bias is not None
        inputs, gradients = self.a.passes, self.g.passes
        values = {}
        a_sum = inputs.total(partial(_moment_of_means, has_bias=has_bias))
        if a_sum is not None:
            values["A"] = a_sum / inputs.num_examples
        g_sum = gradients.total(factors.second_moment)
        if g_sum is not None:
            values["G"] = g_sum * rescale(gradients.num_passed) / gradients.num_rows
        if self._table is not None:
            values = self._table.joined(values, rescale)
        return values

    def invert(self, refreshed: set[str], damping: float) -> Tensor | None:
        """Invert what was refreshed; where that fails keep the old inverse.

        A layer for which it fails is damped more from then on.

        Args:
            refreshed: Names of statistics.
            damping: λ > 0.

        Returns:
            For each group whether any inverse failed; ``None`` before both statistics
            are known.
        """
        a_factor, g_factor = self.a.average, self.g.average
        if a_factor is None or g_factor is None:
            return None
        if self.escalation is None:
            self.escalation = g_factor.new_ones(g_factor.shape[:-2])
        a_damping, g_damping = factored_damping(
            a_factor, g_factor, damping * self.escalation
        )
        dampings = {"A": a_damping, "G": g_damping}
        usable = torch.ones_like(self.escalation, dtype=torch.bool)
        for name, statistic in self.statistics.items():
            if name in refreshed or statistic.inverse is None:
                usable = usable & _invert(statistic, dampings[name])
        self.escalation = self.escalation * torch.where(usable, 1.0, _ESCALATION)
        return ~usable

    def gather(
        self, gradient_of: GradientOf
    ) -> Float[Tensor, "*groups d_out d_in"] | None:
        """Return the gradient as ``∇W | ∇b``, ``None`` without one of the weight."""
        gradient = self._weight.gradient(gradient_of)
        if gradient is None:
            return None
        matrix = self._map.as_matrix(gradient)
        if self._bias is None:
            return matrix
        column = self._bias.gradient(gradient_of)
        if column is None:
            column = matrix.new_zeros(matrix.shape[:-1])
        return torch.cat([matrix, column.view(matrix.shape[:-1])[..., None]], -1)

    def scatter(self, direction: Float[Tensor, "*groups d_out d_in"]) -> Parts:
        """Take a block's gradient apart into weight and bias."""
        weight = self._weight.of(self._weight.parameter)
        if self._bias is not None:
            yield self._bias, direction[..., -1].flatten()
            direction = direction[..., :-1]
        yield self._weight, self._map.like_weight(direction, weight)

    def apply(
        self, gradient: Float[Tensor, "*groups d_out d_in"]
    ) -> Float[Tensor, "*groups d_out d_in"]:
        """Return ``G M A``."""
        assert self.a.average is not None
        assert self.g.average is not None
        return _sandwiched(self.g.average, gradient, self.a.average)

    def apply_inverse(
        self, gradient: Float[Tensor, "*groups d_out d_in"]
    ) -> Float[Tensor, "*groups d_out d_in"]:
        """Return ``G⁻¹ M A⁻¹``."""
        assert self.a.inverse is not None
        assert self.g.inverse is not None
        return _sandwiched(self.g.inverse, gradient, self.a.inverse)


def _sandwiched(left: Tensor, matrix: Tensor, right: Tensor) -> Tensor:
    product = left @ matrix.to(left.dtype)
    return product * right if right.ndim == 1 else product @ right


def _moment_of_means(
    sums: Float[Tensor, "*groups batch d_in"], *, has_bias: bool
) -> Float[Tensor, "*groups d d"]:
    """Divide by the number of positions, the last column, and take the products."""
    means = sums[..., :-1] / sums[..., -1:]
    return factors.second_moment(means, has_bias=has_bias)


def _invert(statistic: Statistic, damping: Tensor) -> Tensor:
    """Renew an inverse; return for each group whether that was possible."""
    factor = statistic.average
    assert factor is not None
    inverse, usable = damped_inverse(factor, damping)
    old = statistic.inverse
    if old is None:
        old = scaled_identity(factor, damping)
    chosen = usable if factor.ndim == 1 else usable[..., None, None]
    statistic.inverse = torch.where(chosen, inverse, old)
    return usable
