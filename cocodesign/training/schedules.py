"""Learning rate and momentum by step, as factors of their base values."""

from collections.abc import Callable
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

MomentumRule = Literal["constant", "released", "tied"]


def warmup_polynomial(
    optimizer: Optimizer,
    *,
    num_warmup_steps: int,
    num_steps: int,
    power: float,
    num_constant_steps: int = 0,
    momentum_rule: MomentumRule = "constant",
) -> LambdaLR:
    r"""Rise linearly to the base learning rate, stay, then fall polynomially to zero.

    Step t, counted from 0, takes the base times

    .. math::
        \min(1, (t+1)/w) \, (1 - \max(0, t - c) / (n - c))^p.

    The programme ties momentum to it, in two ways that differ. Both are stated for a
    velocity that holds the learning rate, ``v ← μ_t v - η_t D``; an optimizer of torch
    keeps it apart, ``V ← m_t V + D``, ``W ← W - η_t V``, which is the same for
    ``m_t = μ_t η_{t-1} / η_t``:

    * ``"released"``, as in its released code (chainerkfac): ``μ_t = m min(1, η_t /
      η_{t-1})``, hence ``m_t = m min(1, η_{t-1} / η_t)``: while the rate falls, an
      optimizer of torch does that by itself;
    * ``"tied"``, as in Osawa et al. (2019), arXiv:1811.12019: ``μ_t = m η_t / η``,
      hence ``m_t = m η_{t-1} / η``, which falls with the rate.

    Args:
        optimizer: Its groups' learning rates and, unless the rule is ``"constant"``,
            momenta are the base values η and m.
        num_warmup_steps: w ≥ 0; 0 starts at the base.
        num_steps: n ≥ 1; later steps have learning rate 0 unless p is 0.
        power: p ≥ 0; 0 keeps the learning rate after the warm-up.
        num_constant_steps: c in [0, n), where the fall begins.
        momentum_rule: What happens to the momentum.

    Returns:
        A scheduler to be stepped after every step of the optimizer.

    Raises:
        ValueError: If a value is out of its range, or the optimizer has no momentum to
            change.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=8.0)
        >>> schedule = warmup_polynomial(
        ...     optimizer, num_warmup_steps=2, num_steps=4, power=1.0
        ... )
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += schedule.get_last_lr()
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [4.0, 6.0, 4.0, 2.0]
    """
    if num_warmup_steps < 0 or num_steps < 1 or power < 0:
        raise ValueError(
            "num_warmup_steps and power must be at least 0 and num_steps at least 1, "
            f"got {num_warmup_steps}, {power} and {num_steps}"
        )
    if not 0 <= num_constant_steps < num_steps:
        raise ValueError(
            f"num_constant_steps must be at least 0 and below num_steps = {num_steps}, "
            f"got {num_constant_steps}"
        )

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / num_warmup_steps) if num_warmup_steps else 1.0
        fallen = max(0, step - num_constant_steps) / (num_steps - num_constant_steps)
        return rise * max(0.0, 1 - fallen) ** power

    if momentum_rule == "constant":
        return LambdaLR(optimizer, factor)
    return _TiedMomentum(optimizer, factor, momentum_rule)


class _TiedMomentum(LambdaLR):
    """A learning rate by step that takes the momentum along."""

    def __init__(
        self, optimizer: Optimizer, factor: Callable[[int], float], rule: MomentumRule
    ) -> None:
        if rule not in ("released", "tied"):
            raise ValueError(
                f"momentum_rule must be 'constant', 'released' or 'tied', got {rule!r}"
            )
        if not all("momentum" in group for group in optimizer.param_groups):
            raise ValueError(
                f"{type(optimizer).__name__} has no momentum for {rule!r} to change"
            )
        self._rule = rule
        for group in optimizer.param_groups:
            group.setdefault("initial_momentum", group["momentum"])
        super().__init__(optimizer, factor)

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        now = self.lr_lambdas[0](self.last_epoch)
        # At the first step there is no velocity yet, whatever its factor.
        before = self.lr_lambdas[0](self.last_epoch - 1) if self.last_epoch else now
        if self._rule == "tied":
            factor = before
        else:
            factor = min(1.0, before / now) if now else 0.0
        for group in self.optimizer.param_groups:
            group["momentum"] = group["initial_momentum"] * factor
