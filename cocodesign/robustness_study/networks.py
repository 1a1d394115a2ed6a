"""The experiment's networks: one family, from far too large to hardly enough."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_KERNEL = 5
_STRIDE = 2


class StridedNet(nn.Module):
    """Two strided convolutions and two linear layers; no normalisation, no dropout.

    The convolutions halve the picture twice instead of pooling, so that attacks, which
    need many gradients, are cheap. Weights are drawn from torch's global generator.

    Args:
        image_shape: Channels, height and width of a picture.
        num_classes: Number of scores.
        channels: Of the first convolution; the second has twice as many.
        num_hidden: Width of the first linear layer.

    Example:
        >>> import torch
        >>> net = StridedNet((1, 28, 28), 10, channels=4, num_hidden=16)
        >>> tuple(net(torch.rand(2, 1, 28, 28)).shape)
        (2, 10)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        channels: int = 16,
        num_hidden: int = 512,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape
        rows, columns = -(-height // _STRIDE**2), -(-width // _STRIDE**2)
        self.convolution1 = _halving(depth, channels)
        self.convolution2 = _halving(channels, 2 * channels)
        self.linear1 = nn.Linear(2 * channels * rows * columns, num_hidden)
        self.linear2 = nn.Linear(num_hidden, num_classes)

    def forward(
        self, images: Float[Tensor, "n depth height width"]
    ) -> Float[Tensor, "n classes"]:
        """Return one score per class.

        Args:
            images: Pixels from 0 to 1; they are centred here, since attacks work on
                pixels.

        Returns:
            Scores before softmax.
        """
        x = functional.relu(self.convolution1(images - 0.5))
        x = functional.relu(self.convolution2(x))
        x = functional.relu(self.linear1(x.flatten(1)))
        return self.linear2(x)


def _halving(num_in: int, num_out: int) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, _KERNEL, _STRIDE, padding=_KERNEL // 2)


def num_parameters(model: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in model.parameters())
