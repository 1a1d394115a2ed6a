r"""A weight that is the table of an embedding as well as the weight of a linear layer.

Let ``W`` have a row per word. The linear layer's block of ``W`` is
:math:`A \otimes G`, with G over words; the embedding's is :math:`G' \otimes F`, with
the gradients' moment G' where A is, and the words' frequencies F, a diagonal, where G
is. Uses of one weight are positions, so that the sum of both is expanded into

.. math::
    (A + c^{-1} G') \otimes \tfrac12 (G + c F),
    \qquad c^2 = \frac{\operatorname{tr}(G) \operatorname{tr}(G')}
                      {\operatorname{tr}(A) \operatorname{tr}(F)}.

The scale c, free within :math:`G' \otimes F`, gives both summands their units and makes
the trace of the two products that should not be there, :math:`c A \otimes F` and
:math:`c^{-1} G' \otimes G`, as small as it can be. The derivation is ours.
"""

import torch
from torch import Tensor

from cocodesign.kfac import factors
from cocodesign.kfac.blocks.part import Rescale
from cocodesign.kfac.layers import LookupMap
from cocodesign.kfac.passes import PassSum


class TiedTable:
    """What the embedding adds to the block of the linear layer."""

    def __init__(self) -> None:
        self._inputs, self._gradients = PassSum(), PassSum()

    def add_input(self, source: LookupMap, key: int, x: Tensor) -> None:
        """Collect the indices of one use."""
        self._inputs.count(key, num_examples=len(x), num_passed=len(x))
        self._inputs.add_moment(source.input_moment(x, has_bias=False), 0)

    def add_gradient(
        self, source: LookupMap, key: int, x: Tensor, gradient: Tensor, num_passed: int
    ) -> None:
        """Collect the gradients of what was looked up in one use."""
        self._gradients.count(key, num_examples=len(x), num_passed=num_passed)
        rows = source.gradient_rows(gradient, x).flatten(0, 1)
        self._gradients.add_moment(factors.second_moment(rows), len(rows))

    def forget(self) -> None:
        """Drop what was collected."""
        self._inputs.clear()
        self._gradients.clear()

    def joined(self, values: dict[str, Tensor], rescale: Rescale) -> dict[str, Tensor]:
        """Add the embedding's uses to the statistics of the linear layer.

        Args:
            values: ``"A"`` and ``"G"`` of the linear layer.
            rescale: Of squared gradients.

        Returns:
            The statistics of both; those given where the embedding was not used,
            nothing where only the embedding was.
        """
        counts = self._inputs.total(factors.second_moment)
        gradients = self._gradients.total(factors.second_moment)
        if counts is None or gradients is None:
            return values
        if len(values) < len("AG"):
            return {}
        frequency = (counts / self._inputs.num_examples).to(gradients.dtype)
        moment = gradients * rescale(self._gradients.num_passed)
        moment = moment / self._gradients.num_rows
        a_factor, g_factor = values["A"], values["G"]
        ratio = g_factor.trace() * moment.trace() / (a_factor.trace() * frequency.sum())
        # Without any gradient there is nothing to balance.
        balance = torch.where(ratio > 0, ratio.sqrt(), 1.0)
        a_factor = a_factor.clone()
        size = len(moment)
        a_factor[:size, :size] += moment / balance
        return {"A": a_factor, "G": (g_factor + balance * frequency.diag()) / 2}
