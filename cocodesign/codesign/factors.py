# pyright: strict
"""One factor of the account: how many times less of something is needed."""

import math
from dataclasses import dataclass
from typing import Literal

Evidence = Literal["measured", "simulated", "published"]
"""Measured by a record here, computed by a model of machines, or taken from a paper."""

Chain = Literal["training", "inference", "examples"]
"""What becomes less: time to train, time to classify, labelled examples."""


@dataclass(frozen=True)
class Factor:
    """A ratio with its evidence.

    Attributes:
        name: What becomes less, such as ``"iterations to the target"``.
        chain: Where it acts; factors of one chain multiply into one quantity.
        values: The ratio by seed or repetition, positive; above 1 is better.
        evidence: Whether it was measured, simulated or published.
        scale: On what, and how large: one sentence.
        source: The record's run id, or the citation.
        is_bound: Whether the true ratio is at least this: a baseline that never arrived
            gives a lower bound.

    Raises:
        ValueError: If there is no value, or one that is not positive and finite.
    """

    name: str
    chain: Chain
    values: tuple[float, ...]
    evidence: Evidence
    scale: str
    source: str
    is_bound: bool = False

    def __post_init__(self) -> None:
        if not self.values or not all(0 < each < math.inf for each in self.values):
            raise ValueError(
                f"the factor {self.name!r} needs positive, finite values, got "
                f"{self.values}"
            )

    @property
    def value(self) -> float:
        """The geometric mean, by which ratios average to ratios.

        Example:
            >>> Factor("steps", "training", (2.0, 8.0), "measured", "", "").value
            4.0
        """
        logs = [math.log(each) for each in self.values]
        return float(f"{math.exp(math.fsum(logs) / len(logs)):.9g}")
