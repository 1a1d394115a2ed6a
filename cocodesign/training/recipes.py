"""The programme's recipes for ImageNet: how each mini-batch size was trained.

Values of the released configurations for ResNet-50 (chainerkfac, the code of Osawa et
al. 2019, arXiv:1811.12019). Epochs count passes over ImageNet's 1,281,167 images.
"""

import math
from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.training.schedules import MomentumRule, warmup_polynomial


@dataclass(frozen=True)
class Recipe:
    """How a network is trained at one mini-batch size.

    Attributes:
        mini_batch_size: Examples per step, over all processes and passes.
        learning_rate: Base value η, kept until ``start_epoch``.
        power: p, how fast it falls after that.
        start_epoch: e_s, where the fall begins.
        end_epoch: e_e, where it would reach zero; behind the end of the training.
        momentum: m.
        damping: λ.
        mixup_alpha: α of the running mixup.
        num_epochs: Length of the training.
        top1_accuracy: What the programme reports, a fraction.
    """

    mini_batch_size: int
    learning_rate: float
    power: float
    start_epoch: float
    end_epoch: float
    momentum: float
    damping: float
    mixup_alpha: float
    num_epochs: int
    top1_accuracy: float

    def num_steps(self, num_train: int) -> int:
        """Return the length of the training.

        Args:
            num_train: Number of training examples.

        Returns:
            Steps, complete mini-batches only.
        """
        return self.num_epochs * num_train // self.mini_batch_size

    def schedule(
        self,
        optimizer: Optimizer,
        num_train: int,
        *,
        momentum_rule: MomentumRule = "released",
    ) -> LRScheduler:
        """Return the learning rate, and the momentum that follows it.

        Args:
            optimizer: Has this recipe's learning rate and momentum.
            num_train: Number of training examples.
            momentum_rule: As for ``warmup_polynomial``.

        Returns:
            A scheduler to be stepped after every step of the optimizer.
        """
        steps_per_epoch = num_train / self.mini_batch_size
        return warmup_polynomial(
            optimizer,
            num_warmup_steps=0,
            num_constant_steps=round(self.start_epoch * steps_per_epoch),
            num_steps=max(2, math.ceil(self.end_epoch * steps_per_epoch)),
            power=self.power,
            momentum_rule=momentum_rule,
        )


PUBLISHED_RECIPES = (
    Recipe(4_096, 8.18e-3, 11, 1, 53, 0.997, 2.5e-4, 0.4, 35, 0.759),
    Recipe(8_192, 1.25e-2, 8, 1, 53.5, 0.993, 2.5e-4, 0.4, 35, 0.764),
    Recipe(16_384, 2.5e-2, 8, 1, 53.5, 0.985, 2.5e-4, 0.4, 35, 0.766),
    Recipe(32_768, 3.0e-2, 3.5, 1.5, 49.5, 0.97, 2.0e-4, 0.6, 45, 0.769),
    Recipe(65_536, 4.0e-2, 2.9, 2, 64.5, 0.95, 1.5e-4, 0.6, 60, 0.763),
    Recipe(131_072, 7.0e-2, 3, 1, 95, 0.93, 1.0e-4, 1.0, 80, 0.750),
)
"""By rising mini-batch size."""


def published_recipe(mini_batch_size: int) -> Recipe:
    """Return the programme's recipe for a mini-batch size.

    Args:
        mini_batch_size: Examples per step.

    Returns:
        The recipe.

    Raises:
        ValueError: If the programme published none for it.

    Example:
        >>> published_recipe(32_768).num_steps(1_281_167)
        1759
    """
    for recipe in PUBLISHED_RECIPES:
        if recipe.mini_batch_size == mini_batch_size:
            return recipe
    sizes = ", ".join(f"{each.mini_batch_size:,}" for each in PUBLISHED_RECIPES)
    raise ValueError(
        f"there is no published recipe for mini-batches of {mini_batch_size:,}; "
        f"the programme's are of {sizes}"
    )
