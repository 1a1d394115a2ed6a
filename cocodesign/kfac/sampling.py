r"""Vectors whose outer products are the Fisher of a loss with respect to the scores.

Let ``ℓ`` be one example's loss as a function of its scores ``f``. For cross-entropy and
squared error the Fisher of the predicted distribution is the Hessian of ``ℓ``, whatever
the label. If the vectors v of an example satisfy

.. math:: \mathbb{E} \sum v v^\top = \nabla_f^2 \ell,

then the gradients that backpropagation makes of them have the Fisher of every layer as
their second moment.

Source: Martens (2020), arXiv:1412.1193, Sections 5 and 9; the exact vectors as in
Dangel et al. (2020), arXiv:1912.10985, Section 3 ("symmetric factorization").
"""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.kfac.factors import widened

FisherType = Literal["exact", "monte_carlo", "empirical"]
Loss = Literal["cross_entropy", "mse"]


def sampled_vectors(
    scores: Float[Tensor, "batch ..."],
    loss: Loss,
    generator: torch.Generator,
    *,
    mean_loss: bool,
) -> Float[Tensor, "batch ..."]:
    """Draw one vector per example.

    Args:
        scores: What the loss is computed from; classes along axis 1, as for
            ``torch.nn.functional.cross_entropy``.
        loss: Which loss; ``"mse"`` is ``torch.nn.functional.mse_loss``.
        generator: On the device of the scores.
        mean_loss: Whether an example's loss is the mean over its positions or outputs,
            not their sum.

    Returns:
        Of the shape of the scores. For cross-entropy it is ``p - e_y`` with the label y
        drawn from p, independently at every position.
    """
    scores = scores.detach()
    if loss == "mse":
        noise = torch.empty_like(scores).normal_(generator=generator)
        return noise * _squared_error_scale(scores, mean_loss=mean_loss)
    probabilities = widened(scores).softmax(1).to(scores.dtype)
    # The largest of p / e with e exponential is a draw from p. Not multinomial, which
    # makes the host look at the probabilities.
    waits = torch.empty_like(probabilities).exponential_(generator=generator)
    labels = (probabilities / waits).argmax(1, keepdim=True)
    vectors = probabilities.scatter_add(
        1, labels, -torch.ones_like(labels, dtype=scores.dtype)
    )
    num_positions = scores[0, 0].numel() if scores.ndim > 2 else 1
    return vectors / num_positions**0.5 if mean_loss else vectors


def exact_vectors(
    scores: Float[Tensor, "batch outputs *positions"], loss: Loss, *, mean_loss: bool
) -> Iterator[Float[Tensor, "batch outputs"]]:
    """Yield one vector per output, the same number for every example.

    Args:
        scores: What the loss is computed from.
        loss: Which loss.
        mean_loss: Whether an example's loss is the mean over its outputs.

    Yields:
        For cross-entropy ``√p_k (p - e_k)``; for squared error a multiple of ``e_k``.

    Raises:
        ValueError: If the scores have positions beside the classes.
    """
    if scores.ndim != 2:
        raise ValueError(
            f"the exact Fisher needs scores of the shape (batch, outputs), got "
            f"{tuple(scores.shape)}; use fisher_type='monte_carlo' for these"
        )
    scores = scores.detach()
    identity = torch.eye(scores.shape[1], dtype=scores.dtype, device=scores.device)
    if loss == "mse":
        scale = _squared_error_scale(scores, mean_loss=mean_loss)
        for row in identity:
            yield (scale * row).expand_as(scores)
        return
    probabilities = widened(scores).softmax(1).to(scores.dtype)
    for index, row in enumerate(identity):
        yield probabilities[:, index, None].sqrt() * (probabilities - row)


def _squared_error_scale(scores: Tensor, *, mean_loss: bool) -> float:
    """Return the root of the second derivative of one squared error."""
    return (2 / scores[0].numel()) ** 0.5 if mean_loss else 2**0.5
