# pyright: strict
"""Factors multiplied, with an interval, and what may be multiplied at all."""

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cocodesign.codesign.factors import Chain, Evidence, Factor

_NUM_RESAMPLES = 4000
_TAIL = 0.025


@dataclass(frozen=True)
class Product:
    """A product of factors.

    Attributes:
        value: Of their geometric means.
        low: Lower end of the 95 % bootstrap interval.
        high: Its upper end. A factor with one value adds nothing to the width, however
            uncertain it may be: ``unrepeated`` names those.
        unrepeated: Factors without repetitions.
    """

    value: float
    low: float
    high: float
    unrepeated: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """All factors, each counted once.

    Attributes:
        factors: In the order in which they are told.

    Raises:
        ValueError: If two factors have one name: nothing may be counted twice.
    """

    factors: tuple[Factor, ...]

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.factors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"factors must be counted once, got {twice} twice")

    def chosen(
        self,
        chains: Collection[Chain] = ("training", "inference", "examples"),
        evidence: Collection[Evidence] = ("measured",),
    ) -> tuple[Factor, ...]:
        """Return the factors of some chains with some kinds of evidence.

        Args:
            chains: Where they act.
            evidence: What they rest on.

        Returns:
            The factors, in their order.
        """
        return tuple(
            factor
            for factor in self.factors
            if factor.chain in chains and factor.evidence in evidence
        )


def multiply(factors: Sequence[Factor], *, seed: int = 0) -> Product:
    """Multiply factors that act on top of each other.

    Every factor's repetitions are resampled on their own, since they come from
    different runs.

    Args:
        factors: Any; of none the product is 1.
        seed: Of the resampling.

    Returns:
        The product and its interval.

    Example:
        >>> twice = Factor("a", "training", (2.0, 2.0), "measured", "", "")
        >>> thrice = Factor("b", "training", (3.0,), "measured", "", "")
        >>> multiply([twice, thrice])
        Product(value=6.0, low=6.0, high=6.0, unrepeated=('b',))
    """
    draw = random.Random(seed)
    logs = [[math.log(value) for value in factor.values] for factor in factors]
    sums = sorted(
        math.fsum(_mean(draw.choices(values, k=len(values))) for values in logs)
        for _ in range(_NUM_RESAMPLES)
    )
    low, high = (
        sums[round(share * (_NUM_RESAMPLES - 1))] for share in (_TAIL, 1 - _TAIL)
    )
    return Product(
        value=_rounded(math.fsum(_mean(values) for values in logs)),
        low=_rounded(low),
        high=_rounded(high),
        unrepeated=tuple(each.name for each in factors if len(each.values) == 1),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _rounded(log: float) -> float:
    return float(f"{math.exp(log):.9g}")  # so that twice three is six
