"""What an attack drives up, and its gradient by the pixels."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]
"""Scores and classes to one number per picture; larger is worse for the network."""

_TINY = 1e-12


def cross_entropy(
    scores: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return the cross-entropy of every picture.

    Args:
        scores: Before softmax.
        labels: The true classes.

    Returns:
        One loss per picture.
    """
    return functional.cross_entropy(scores, labels, reduction="none")


def margin(
    scores: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return the best wrong score minus the right one: positive where the net errs.

    Args:
        scores: Before softmax, of at least two classes.
        labels: The true classes.

    Returns:
        One margin per picture.

    Example:
        >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).tolist()
        [-1.0]
    """
    right = scores.gather(1, labels[:, None]).squeeze(1)
    wrong = scores.scatter(1, labels[:, None], -torch.inf).amax(1)
    return wrong - right


def difference_of_logits_ratio(
    scores: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    r"""Return the margin in units of the spread of the best scores.

    .. math:: -\frac{z_y - \max_{i \ne y} z_i}{z_{\pi_1} - z_{\pi_3}}

    where ``π`` sorts the scores, largest first. Neither a shift nor a scale of the
    scores changes it: its gradient does not vanish where a network is very sure.
    Source: Croce & Hein (2020), arXiv:2003.01690, Section 4.1, equation 6. With fewer
    than three classes the third score is the last one.

    Args:
        scores: Before softmax, of at least two classes.
        labels: The true classes.

    Returns:
        One loss per picture.
    """
    best = scores.topk(min(3, scores.shape[1]), dim=1).values
    return margin(scores, labels) / (best[:, 0] - best[:, -1]).clamp(min=_TINY)


def loss_and_gradient(
    model: nn.Module, images: Float[Tensor, "n ..."], labels: Tensor, loss: Loss
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n ..."], Float[Tensor, "n classes"]]:
    """Evaluate a network's loss at some pictures, and its slope by their pixels.

    Args:
        model: Pictures to scores; every picture's scores must depend on it alone, as
            in evaluation mode.
        images: Where.
        labels: The true classes.
        loss: What is differentiated.

    Returns:
        Losses, gradients and scores, detached. Gradients of parameters are neither
        computed nor touched.
    """
    with torch.enable_grad():
        pixels = images.detach().requires_grad_()
        scores = model(pixels)
        losses = loss(scores, labels)
        (gradients,) = torch.autograd.grad(losses.sum(), pixels)
    return losses.detach(), gradients, scores.detach()
