"""AlexNet on small pictures, without the copies that its pooling makes of them.

On pictures of 63 to 94 pixels torchvision's AlexNet is left with one position of 256
features before its ``AdaptiveAvgPool2d((6, 6))``, which copies it to 36 positions: the
first fully connected layer sees every number 36 times. Its 36 weights for one number
act, and are changed by every gradient, as their sum. Here that sum is one weight; the
network is the same function, and half as dear to train. ``expanded`` gives the state
dictionary of the real architecture back.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import alexnet

_NUM_FEATURES, _NUM_HIDDEN = 256, 4096

_LAST_LAYER_SCALE = 0.1
_DROPOUT = 0.2  # a short training has no time for the customary half

NUM_COPIES = 36
"""Positions that the pooling fills with copies of one."""

FIRST_LINEAR = "classifier.1.weight"


class SmallAlexNet(nn.Module):
    """AlexNet for pictures of 63 to 94 pixels.

    Weights are drawn as He, Zhang, Ren & Sun (2015), arXiv:1502.01852, Section 2.2,
    from torch's global generator: there is no normalisation, and as torchvision draws
    them a signal shrinks from layer to layer until training hardly begins. The last
    layer's are a tenth of that, so that no class is ahead at first.

    Args:
        num_classes: Number of scores.

    Example:
        >>> scores = SmallAlexNet(10).eval()(torch.zeros(2, 3, 64, 64))
        >>> tuple(scores.shape)
        (2, 10)
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        with torch.device("meta"):
            full = alexnet(num_classes=num_classes, dropout=_DROPOUT)
        self.features = full.features
        self.classifier = full.classifier
        self.classifier[1] = nn.Linear(_NUM_FEATURES, _NUM_HIDDEN, device="meta")
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)
        last = self.classifier[6]
        assert isinstance(last, nn.Linear)  # torchvision's layout
        with torch.no_grad():
            last.weight.mul_(_LAST_LAYER_SCALE)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Return one score per class.

        Args:
            images: Standardised pictures.

        Returns:
            Scores before softmax.

        Raises:
            ValueError: If the pictures leave more or less than one position.
        """
        features = self.features(images)
        if features.shape[2:] != (1, 1):
            raise ValueError(
                f"pictures must be of 63 to 94 pixels, got {tuple(images.shape[2:])}"
            )
        return self.classifier(features.flatten(1))


def expanded(state: dict[str, Tensor], *, spread: bool) -> dict[str, Tensor]:
    """Return the state of torchvision's AlexNet that computes the same.

    Args:
        state: Of a ``SmallAlexNet``.
        spread: Divide each weight of the first linear layer evenly among its 36 copies,
            as training from equal weights would; else give all of it to the first.

    Returns:
        A new dictionary; other tensors are shared.
    """
    weight = state[FIRST_LINEAR]
    if spread:
        full = (weight / NUM_COPIES).repeat_interleave(NUM_COPIES, dim=1)
    else:
        full = weight.new_zeros(weight.shape[0], weight.shape[1] * NUM_COPIES)
        full[:, ::NUM_COPIES] = weight
    return {**state, FIRST_LINEAR: full}
