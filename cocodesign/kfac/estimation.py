"""How curvature is estimated: the settings that hold for the whole training."""

from dataclasses import dataclass
from typing import Literal

from cocodesign.kfac.blocks import WeightSharing
from cocodesign.kfac.sampling import FisherType
from cocodesign.kfac.schedule import Schedule


@dataclass(frozen=True)
class Estimation:
    """Settings of ``KFAC`` as its arguments have them, checked.

    Attributes:
        fisher_type: How G is estimated.
        weight_sharing: What to do with positions that share a weight.
        ema_decay: Weight of the old averages.
        schedule: When a statistic is refreshed next.
        num_factor_examples: How many examples of a pass are looked at.
        loss_reduction: Whether the loss is the mean or the sum over the examples.
        kl_clip: Bound of a step, ``None`` for none.
    """

    fisher_type: FisherType
    weight_sharing: WeightSharing
    ema_decay: float
    schedule: Schedule
    num_factor_examples: int | None
    loss_reduction: Literal["mean", "sum"]
    kl_clip: float | None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("fisher_type", self.fisher_type, ("exact", "monte_carlo", "empirical")),
            ("weight_sharing", self.weight_sharing, ("expand", "reduce")),
            ("loss_reduction", self.loss_reduction, ("mean", "sum")),
        ):
            if value not in choices:
                allowed = " or ".join(repr(choice) for choice in choices)
                raise ValueError(f"{name} must be {allowed}, got {value!r}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), got {self.ema_decay}")
        if self.num_factor_examples is not None and self.num_factor_examples < 1:
            raise ValueError(
                "num_factor_examples must be at least 1, "
                f"got {self.num_factor_examples}"
            )
        if self.kl_clip is not None and not self.kl_clip > 0:
            raise ValueError(f"kl_clip must be positive or None, got {self.kl_clip}")

    @property
    def is_mean(self) -> bool:
        """Whether the loss is the mean over the examples."""
        return self.loss_reduction == "mean"

    @property
    def is_empirical(self) -> bool:
        """Whether the gradients of the loss itself are looked at."""
        return self.fisher_type == "empirical"
