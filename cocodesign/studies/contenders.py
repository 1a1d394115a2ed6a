"""Optimizers with the settings that may be chosen for them.

The boxes were drawn around what did well in earlier trials on validation images, wide
enough that no best setting lay on an edge. Warm-ups reach to about a tenth of the steps
that the optimizer needs at full batch, or a fifth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from cocodesign.kfac import KFAC, StaleSchedule
from cocodesign.studies.designs import Box, Setting
from cocodesign.training.lars import LARS
from cocodesign.training.loop import Backward, backpropagate
from cocodesign.training.recipes import Recipe, published_recipe

_SGD_BOX = Box(
    learning_rate=(0.05, 2.0), momentum=(0.8, 0.98), num_warmup_steps=(0, 20)
)
# η c moves a weight by 0.2 to 6 % of its norm a step, before momentum.
_LARS_BOX = Box(
    learning_rate=(0.1, 3.0), momentum=(0.8, 0.98), num_warmup_steps=(0, 20)
)
_LARS_TRUST = 0.02
_ADAMW_BOX = Box(
    learning_rate=(3e-3, 0.3), momentum=(0.7, 0.95), num_warmup_steps=(0, 20)
)
# The usual 0.999 averages over more steps than these trainings have.
_ADAMW_SECOND_MOMENTUM = 0.99
# Natural gradients need no more than a learning rate of 1; a larger damping than the
# box's makes K-FAC a slow gradient descent, a smaller one learns examples by heart.
_KFAC_BOX = Box(
    learning_rate=(0.05, 1.0),
    momentum=(0.5, 0.9),
    num_warmup_steps=(0, 4),
    damping=(3e-4, 1e-2),
)
KFAC_DIVERGENCE = 0.1
"""For ``Contender.kfac``; chosen by validation images, at momenta from 0.5 to 0.9."""


@dataclass(frozen=True)
class Contender:
    """An optimizer and its tuning trials.

    Attributes:
        name: Unique within a comparison.
        settings: The trials' settings, one of which is chosen.
        build: Makes the optimizer of a model with a setting.
        backward: What computes its gradients.
        max_steps: A step budget below that of the rules, for an optimizer whose steps
            are dear; ``None`` for that of the rules.
        recipe: What else belongs to the training, such as augmentation; ``None`` for
            plain examples and a learning rate that stays after the warm-up.
    """

    name: str
    settings: tuple[Setting, ...]
    build: Callable[[nn.Module, Setting], Optimizer]
    backward: Backward = field(default=backpropagate)
    max_steps: int | None = None
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        if not self.settings:
            raise ValueError(f"{self.name} needs at least one setting to try")

    @classmethod
    def sgd(cls, num_trials: int, *, seed: int = 0) -> "Contender":
        """Return stochastic gradient descent with Nesterov's momentum.

        Args:
            num_trials: How many settings to try.
            seed: Decides which ones.

        Returns:
            The contender ``"SGD"``.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            return SGD(
                model.parameters(),
                lr=setting.learning_rate,
                momentum=setting.momentum,
                nesterov=setting.momentum > 0,
            )

        return cls("SGD", _SGD_BOX.settings(num_trials, seed), build)

    @classmethod
    def lars(cls, num_trials: int, *, seed: int = 0) -> "Contender":
        """Return layer-wise adaptive rates.

        Args:
            num_trials: How many settings to try.
            seed: Decides which ones.

        Returns:
            The contender ``"LARS"``.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            return LARS(
                model.parameters(),
                lr=setting.learning_rate,
                momentum=setting.momentum,
                trust_coefficient=_LARS_TRUST,
            )

        return cls("LARS", _LARS_BOX.settings(num_trials, seed), build)

    @classmethod
    def adamw(cls, num_trials: int, *, seed: int = 0) -> "Contender":
        """Return AdamW without weight decay, its β₁ as momentum.

        Args:
            num_trials: How many settings to try.
            seed: Decides which ones.

        Returns:
            The contender ``"AdamW"``.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            return AdamW(
                model.parameters(),
                lr=setting.learning_rate,
                betas=(setting.momentum, _ADAMW_SECOND_MOMENTUM),
                weight_decay=0.0,
            )

        return cls("AdamW", _ADAMW_BOX.settings(num_trials, seed), build)

    @classmethod
    def kfac(
        cls,
        num_trials: int,
        *,
        seed: int = 0,
        factor_interval: int | StaleSchedule = 10,
        num_factor_examples: int | None = None,
        ema_decay: float = 0.5,
        divergence: float | None = KFAC_DIVERGENCE,
    ) -> "Contender":
        """Return K-FAC.

        A step whose momentum has built up is ``1 / (1 - m)`` times as long as one
        without, and changes the predictions by the square of that. So that ``kl_clip``
        bounds the former alike at every momentum, it is ``divergence (1 - m)²``.

        Args:
            num_trials: How many settings to try.
            seed: Decides which ones.
            factor_interval: Steps between refreshes of the curvature, or the schedule
                that finds them.
            num_factor_examples: Examples of a mini-batch that it is estimated from;
                ``None`` takes all.
            ema_decay: Weight of the old averages.
            divergence: Twice the bound of the Kullback-Leibler divergence of the
                predictions over a step with momentum; ``None`` sets no bound.

        Returns:
            The contender ``"K-FAC"``.
        """

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            assert setting.damping is not None
            bound = (
                None if divergence is None else divergence * (1 - setting.momentum) ** 2
            )
            return KFAC(
                model,
                lr=setting.learning_rate,
                momentum=setting.momentum,
                damping=setting.damping,
                kl_clip=bound,
                ema_decay=ema_decay,
                factor_interval=factor_interval,
                num_factor_examples=num_factor_examples,
            )

        return cls("K-FAC", _KFAC_BOX.settings(num_trials, seed), build)

    @classmethod
    def published_kfac(
        cls, mini_batch_size: int, *, factor_interval: int = 10
    ) -> "Contender":
        """Return K-FAC as the programme trained ImageNet at a mini-batch size.

        Args:
            mini_batch_size: One of the programme's, 4,096 to 131,072.
            factor_interval: Steps between refreshes of the curvature.

        Returns:
            The contender ``"K-FAC"`` with one setting, which needs no tuning.

        Raises:
            ValueError: If the programme published nothing for that size.
        """
        recipe = published_recipe(mini_batch_size)
        setting = Setting(recipe.learning_rate, recipe.momentum, 0, recipe.damping)

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            assert setting.damping is not None
            return KFAC(
                model,
                lr=setting.learning_rate,
                momentum=setting.momentum,
                damping=setting.damping,
                kl_clip=None,  # its recipe bounds nothing and averages nothing
                ema_decay=0.0,
                factor_interval=factor_interval,
            )

        return cls("K-FAC", (setting,), build, recipe=recipe)
