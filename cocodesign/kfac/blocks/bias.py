"""The block of a bias that is not trained together with one weight."""

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.blocks.part import GradientOf, Part, Parts, Rescale
from cocodesign.kfac.inverse import damped_inverse, scaled_identity
from cocodesign.kfac.layers import WeightMap
from cocodesign.kfac.statistic import Statistic

_ESCALATION = 10.0  # as for a weight


class BiasBlock:
    """The Fisher of a bias, exact: an example's gradient is ``Σ_t g``.

    For a bias whose weight is frozen, or shared with layers that have other biases.

    Args:
        bias: The bias.
        num_groups: Independent groups, whose coupling is left out.

    Attributes:
        parts: What the block covers.
        fisher: The statistic.
        refreshes_together: ``False``: there is one only.
        escalation: What damping is multiplied by; ``None`` before the first inverse.
    """

    refreshes_together = False

    def __init__(self, bias: Part, num_groups: int) -> None:
        self.parts = [bias]
        self.fisher = Statistic()
        self.escalation: Tensor | None = None
        self._num_groups = num_groups

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The statistic by name."""
        return {"F": self.fisher}

    @property
    def inverted_sizes(self) -> list[int]:
        """The rows of the matrices to invert."""
        num_features = self.parts[0].of(self.parts[0].parameter).numel()
        return [num_features // self._num_groups] * self._num_groups

    @property
    def is_ready(self) -> bool:
        """Whether there are inverses to precondition with."""
        return self.fisher.inverse is not None

    def add_input(self, source: WeightMap, key: int, x: Tensor) -> None:
        """Do nothing: the input of a bias is one."""

    def add_gradient(
        self, source: WeightMap, key: int, x: Tensor, gradient: Tensor, num_passed: int
    ) -> None:
        """Collect one use of the bias.

        Args:
            source: The map of the layer that used it.
            key: Of the pass.
            x: The input of the examples to look at.
            gradient: The gradient with respect to the layer's output.
            num_passed: How many examples the pass holds.
        """
        passes = self.fisher.passes
        passes.count(key, num_examples=len(x), num_passed=num_passed)
        rows = factors.widened(source.gradient_rows(gradient, x))
        passes.add_to_examples(key, rows.sum(-2))

    def forget(self) -> None:
        """Drop what was collected."""
        self.fisher.passes.clear()

    def measure(self, rescale: Rescale) -> dict[str, Tensor]:
        """Return the statistic of what was collected, by name.

        Args:
            rescale: Of squared gradients.

        Returns:
            Nothing if nothing was collected.
        """
        passes = self.fisher.passes
        total = passes.total(factors.second_moment)
        if total is None:
            return {}
        return {"F": total * rescale(passes.num_passed) / passes.num_examples}

    def invert(self, refreshed: set[str], damping: float) -> Tensor:
        """Invert the damped Fisher; where that fails keep the old inverse.

        Args:
            refreshed: Not looked at.
            damping: λ > 0.

        Returns:
            For each group whether it failed.
        """
        del refreshed
        fisher = self.fisher.average
        assert fisher is not None
        if self.escalation is None:
            self.escalation = fisher.new_ones(fisher.shape[:-2])
        added = damping * self.escalation
        inverse, usable = damped_inverse(fisher, added)
        old = self.fisher.inverse
        if old is None:
            old = scaled_identity(fisher, added)
        self.fisher.inverse = torch.where(usable[..., None, None], inverse, old)
        self.escalation = self.escalation * torch.where(usable, 1.0, _ESCALATION)
        return ~usable

    def gather(self, gradient_of: GradientOf) -> Float[Tensor, "*groups d_out"] | None:
        """Return the bias's gradient."""
        gradient = self.parts[0].gradient(gradient_of)
        if gradient is None or self._num_groups == 1:
            return gradient
        return gradient.view(self._num_groups, -1)

    def scatter(self, direction: Float[Tensor, "*groups d_out"]) -> Parts:
        """Give back the bias."""
        yield self.parts[0], direction.flatten()

    def apply(
        self, gradient: Float[Tensor, "*groups d_out"]
    ) -> Float[Tensor, "*groups d_out"]:
        """Multiply with the Fisher."""
        assert self.fisher.average is not None
        return (self.fisher.average @ gradient[..., None])[..., 0]

    def apply_inverse(
        self, gradient: Float[Tensor, "*groups d_out"]
    ) -> Float[Tensor, "*groups d_out"]:
        """Multiply with the damped inverse."""
        assert self.fisher.inverse is not None
        return (self.fisher.inverse @ gradient[..., None])[..., 0]
