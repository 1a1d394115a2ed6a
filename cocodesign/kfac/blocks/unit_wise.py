"""The block of a normalisation: a 2×2 block for every feature."""

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.blocks.part import GradientOf, Part, Parts, Rescale
from cocodesign.kfac.inverse import unit_wise_inverse
from cocodesign.kfac.layers import ExampleGradients
from cocodesign.kfac.statistic import Statistic


class UnitWiseBlock:
    """The Fisher of scale and shift, without what couples different features.

    Args:
        scale: The scale, ``None`` if it is not trained.
        shift: The shift, ``None`` if it is not trained.

    Attributes:
        parts: What the block covers.
        fisher: The statistic.
        refreshes_together: ``False``: there is one only.
        escalation: ``None``: the inverse cannot fail.
    """

    escalation = None
    refreshes_together = False

    def __init__(self, scale: Part | None, shift: Part | None) -> None:
        self._trained = [part is not None for part in (scale, shift)]
        self.parts = [part for part in (scale, shift) if part is not None]
        assert self.parts
        self.fisher = Statistic()

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The statistic by name."""
        return {"F": self.fisher}

    @property
    def inverted_sizes(self) -> list[int]:
        """None: blocks of 2×2 are inverted in closed form."""
        return []

    @property
    def is_ready(self) -> bool:
        """Whether there are inverses to precondition with."""
        return self.fisher.inverse is not None

    def add_input(self, source: ExampleGradients, key: int, x: Tensor) -> None:
        """Do nothing: an input says nothing without its gradient."""

    def add_gradient(
        self,
        source: ExampleGradients,
        key: int,
        x: Tensor,
        gradient: Tensor,
        num_passed: int,
    ) -> None:
        """Collect one use of the layer.

        Args:
            source: Returns the examples' gradients of that layer.
            key: Of the pass.
            x: The input of the examples to look at.
            gradient: The gradient with respect to the output.
            num_passed: How many examples the pass holds.
        """
        passes = self.fisher.passes
        passes.count(key, num_examples=len(x), num_passed=num_passed)
        both = zip(source(x, gradient), self._trained, strict=True)
        passes.add_to_examples(key, torch.stack([part for part, used in both if used]))

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
        total = passes.total(factors.unit_wise_moment)
        if total is None:
            return {}
        return {"F": total * rescale(passes.num_passed) / passes.num_examples}

    def invert(self, refreshed: set[str], damping: float) -> None:
        """Invert the block of every feature, which cannot fail.

        Args:
            refreshed: Not looked at.
            damping: λ > 0.
        """
        del refreshed
        fisher = self.fisher.average
        assert fisher is not None
        added = torch.full_like(fisher[0, 0], damping)
        self.fisher.inverse = unit_wise_inverse(fisher, added)

    def gather(self, gradient_of: GradientOf) -> Float[Tensor, "part features"] | None:
        """Return the gradients one above the other, ``None`` if one is missing."""
        gradients = [part.gradient(gradient_of) for part in self.parts]
        known = [each.flatten() for each in gradients if each is not None]
        return torch.stack(known) if len(known) == len(gradients) else None

    def scatter(self, direction: Float[Tensor, "part features"]) -> Parts:
        """Take a block's gradient apart."""
        for part, values in zip(self.parts, direction, strict=True):
            yield part, values.view(part.of(part.parameter).shape)

    def apply(
        self, gradient: Float[Tensor, "part features"]
    ) -> Float[Tensor, "part features"]:
        """Multiply with the Fisher of every feature."""
        assert self.fisher.average is not None
        return _mixed(self.fisher.average, gradient)

    def apply_inverse(
        self, gradient: Float[Tensor, "part features"]
    ) -> Float[Tensor, "part features"]:
        """Multiply with the damped inverse of every feature."""
        assert self.fisher.inverse is not None
        return _mixed(self.fisher.inverse, gradient)


def _mixed(elements: Tensor, gradient: Tensor) -> Tensor:
    """Multiply symmetric blocks, given by their elements, with a vector each."""
    gradient = gradient.to(elements.dtype)
    if len(gradient) == 1:
        return elements * gradient
    first, cross, second = elements
    scale, shift = gradient
    return torch.stack([first * scale + cross * shift, cross * scale + second * shift])
