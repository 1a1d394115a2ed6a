"""How well scores agree with labels."""

from jaxtyping import Float, Int
from torch import Tensor


def accuracy(
    scores: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"], top: int = 1
) -> float:
    """Return the fraction of examples whose label is among the best scores.

    Args:
        scores: Any real numbers, larger for likelier classes.
        labels: One class index per example.
        top: How many of the best scores may hold the label, between 1 and the number
            of classes.

    Returns:
        A number between 0 and 1. Reading it makes the host wait for the device.

    Raises:
        ValueError: If there is no example or ``top`` is out of its range.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
        >>> labels = torch.tensor([1, 2])
        >>> accuracy(scores, labels), accuracy(scores, labels, top=2)
        (0.5, 1.0)
    """
    if not len(labels):
        raise ValueError("the accuracy of no examples is undefined")
    if not 1 <= top <= scores.shape[1]:
        raise ValueError(
            f"top must lie between 1 and the {scores.shape[1]} classes, got {top}"
        )
    best = scores.topk(top, dim=1).indices
    return (best == labels[:, None]).any(1).double().mean().item()
