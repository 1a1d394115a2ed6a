"""What a model predicts, without training it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cocodesign.metrics import accuracy

# The largest number of examples that are evaluated at once. It bounds the memory only.
_NUM_AT_ONCE = 2500


@torch.no_grad()
def evaluate(
    model: nn.Module,
    examples: Float[Tensor, "num_examples ..."],
    labels: Int[Tensor, " num_examples"],
) -> float:
    """Return the accuracy of a model in evaluation mode.

    Args:
        model: The model; every module's mode is as before afterwards.
        examples: The inputs, on the model's device.
        labels: One class index per example.

    Returns:
        The fraction of examples whose largest score is that of their label.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        scores = torch.cat([model(part) for part in examples.split(_NUM_AT_ONCE)])
    finally:
        for module in training:
            module.training = True
    return accuracy(scores, labels)
