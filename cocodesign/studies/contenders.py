"""Optimizers with the settings that may be chosen for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import SGD, Optimizer

from cocodesign.kfac import KFAC

_MOMENTUM = 0.9


@dataclass(frozen=True)
class Setting:
    """What is tuned.

    Attributes:
        learning_rate: After the warm-up.
        damping: λ of a second-order optimizer, ``None`` for a first-order one.
    """

    learning_rate: float
    damping: float | None = None


@dataclass(frozen=True)
class Contender:
    """An optimizer and its tuning trials.

    Attributes:
        name: Unique within a comparison.
        settings: The trials' settings, one of which is chosen.
        build: Makes the optimizer of a model with a setting.
    """

    name: str
    settings: tuple[Setting, ...]
    build: Callable[[nn.Module, Setting], Optimizer]

    def __post_init__(self) -> None:
        if not self.settings:
            raise ValueError(f"{self.name} needs at least one setting to try")

    @classmethod
    def sgd(cls, learning_rates: Sequence[float]) -> "Contender":
        """Return stochastic gradient descent with momentum 0.9.

        Args:
            learning_rates: The trials.

        Returns:
            The contender ``"SGD"``.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            return SGD(model.parameters(), lr=setting.learning_rate, momentum=_MOMENTUM)

        return cls("SGD", tuple(Setting(rate) for rate in learning_rates), build)

    @classmethod
    def kfac(
        cls,
        learning_rates: Sequence[float],
        dampings: Sequence[float],
        *,
        factor_interval: int = 10,
        num_factor_examples: int | None = None,
    ) -> "Contender":
        """Return K-FAC with momentum 0.9.

        Args:
            learning_rates: Tried with every damping.
            dampings: Tried with every learning rate.
            factor_interval: Steps between refreshes of the curvature.
            num_factor_examples: Examples of a mini-batch that it is estimated from;
                ``None`` takes all.

        Returns:
            The contender ``"K-FAC"``, with one trial per pair.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            assert setting.damping is not None
            return KFAC(
                model,
                lr=setting.learning_rate,
                momentum=_MOMENTUM,
                damping=setting.damping,
                factor_interval=factor_interval,
                num_factor_examples=num_factor_examples,
            )

        settings = (Setting(rate, damp) for damp in dampings for rate in learning_rates)
        return cls("K-FAC", tuple(settings), build)
