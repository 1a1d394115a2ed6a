"""Running mixup: mini-batches blended with what came before them.

Natural-gradient training sees few, large mini-batches and would fit them too closely.
Notation: ``x̃_t`` are the blended examples of step t, ``y`` their labels as
distributions over the classes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Blended = tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch classes"]]


def running_mixup(
    examples: Float[Tensor, "batch ..."],
    targets: Float[Tensor, "batch classes"],
    previous: tuple[Float[Tensor, "old ..."], Float[Tensor, "old classes"]] | None,
    *,
    alpha: float,
    generator: torch.Generator,
) -> Blended:
    r"""Blend a mini-batch with the blend of the step before.

    .. math::
        \tilde x_t = \lambda x_t + (1 - \lambda) \tilde x_{t-1}, \qquad
        \tilde y_t = \lambda y_t + (1 - \lambda) \tilde y_{t-1}, \qquad
        \lambda = \max(\lambda', 1 - \lambda'), \quad
        \lambda' \sim \operatorname{Beta}(\alpha, \alpha)

    with one λ per example. Unlike mixup (Zhang et al. 2018, arXiv:1710.09412), which
    blends examples of one mini-batch, the partner is the result of the step before, so
    that an example fades out over several steps. The state is the caller's: pass the
    result as ``previous`` at the next step.

    Source: Osawa et al. (2020), arXiv:2002.06015; λ above one half, as in the
    programme's released code, keeps the present example in front.

    Args:
        examples: Inputs of this step.
        targets: Their labels as distributions, such as one-hot vectors.
        previous: What this function returned at the step before, ``None`` at the first.
        alpha: α > 0; small values blend little.
        generator: Where λ is drawn, on the CPU.

    Returns:
        New tensors; at the first step the arguments themselves.

    Raises:
        ValueError: If ``alpha`` is not positive or the steps have different shapes.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> old = torch.zeros(2, 1), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> x, y = running_mixup(
        ...     torch.ones(2, 1),
        ...     torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
        ...     old,
        ...     alpha=1.0,
        ...     generator=generator,
        ... )
        >>> bool((x >= 0.5).all()), torch.equal(x[:, 0], y[:, 1])
        (True, True)
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, got {alpha}")
    if previous is None:
        return examples, targets
    old_examples, old_targets = previous
    if old_examples.shape != examples.shape or old_targets.shape != targets.shape:
        raise ValueError(
            f"the step before had examples {list(old_examples.shape)} and targets "
            f"{list(old_targets.shape)}, this one has {list(examples.shape)} and "
            f"{list(targets.shape)}: drop incomplete mini-batches"
        )
    share = symmetric_beta(len(examples), alpha, generator)
    share = torch.maximum(share, 1 - share).to(examples.device)
    in_shape = share.to(examples.dtype).reshape(-1, *[1] * (examples.dim() - 1))
    blended = torch.lerp(old_examples, examples, in_shape)
    return blended, torch.lerp(old_targets, targets, share.to(targets.dtype)[:, None])


def symmetric_beta(
    num: int, alpha: float, generator: torch.Generator
) -> Float[Tensor, " num"]:
    """Draw from Beta(α, α) with a generator, which ``torch.distributions`` cannot.

    Jöhnk's method: of two uniform numbers u and v, ``u^(1/α) / (u^(1/α) + v^(1/α))``
    where the denominator is at most 1. In logarithms, as the powers underflow.

    Args:
        num: How many.
        alpha: α > 0; most draws are rejected where it is far above 1.
        generator: A CPU generator.

    Returns:
        Numbers in [0, 1], in double precision.
    """
    drawn = torch.empty(0, dtype=torch.float64)
    while len(drawn) < num:
        uniform = torch.rand(2, 2 * num, generator=generator, dtype=torch.float64)
        log_x, log_y = uniform.log() / alpha
        log_sum = torch.logaddexp(log_x, log_y)
        drawn = torch.cat([drawn, (log_x - log_sum).exp()[log_sum <= 0]])
    return drawn[:num]
