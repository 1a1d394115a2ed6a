"""Learning-rate schedules as factors of the base learning rate."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_polynomial(
    optimizer: Optimizer, *, num_warmup_steps: int, num_steps: int, power: float
) -> LambdaLR:
    """Rise linearly to the base learning rate, then fall polynomially to zero.

    Step ``t``, counted from 0, takes ``min(1, (t+1)/w) (1 - t/n)^p`` of the base.

    Args:
        optimizer: Its groups' learning rates are the base.
        num_warmup_steps: w ≥ 0; 0 starts at the base.
        num_steps: n ≥ 1; later steps have learning rate 0 unless p is 0.
        power: p ≥ 0; 0 keeps the learning rate after the warm-up.

    Returns:
        A scheduler to be stepped after every step of the optimizer.

    Raises:
        ValueError: If a value is out of its range.

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

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / num_warmup_steps) if num_warmup_steps else 1.0
        return rise * max(0.0, 1 - step / num_steps) ** power

    return LambdaLR(optimizer, factor)
