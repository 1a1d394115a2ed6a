"""A small convolutional network for small pictures."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Strided convolutions, each with batch normalisation and ReLU, and a linear head.

    Each stage halves height and width, so that most of the work is in matrix products
    of a convenient size: with the default widths a 28×28 picture costs 0.6 million
    multiplications. Weights are drawn from He's normal distribution (He et al. 2015,
    arXiv:1502.01852, Section 2.2; fan-out), from torch's global generator:
    build the network inside ``seeding.seeded_globally``.

    Args:
        num_classes: Number of scores.
        in_channels: Channels of the pictures.
        widths: Output channels of the stages, one number a stage.
        patch_size: Side in pixels of the patches that the first stage cuts the picture
            into, each of which it sees once; ``None`` is a convolution of 5×5 pixels
            with stride 2. With 4, a picture costs a quarter of the multiplications and
            an eighth of the memory traffic.
        norm_momentum: Weight of the newest mini-batch in the running statistics of
            batch normalisation. PyTorch's 0.1 leaves a third of the weight to what is
            more than ten steps old, which is long where a training has a hundred
            steps; 0.5 leaves it a thousandth.

    Raises:
        ValueError: If there is no stage.

    Example:
        >>> scores = ConvNet()(torch.zeros(2, 1, 28, 28))
        >>> tuple(scores.shape)
        (2, 10)
    """

    def __init__(
        self,
        num_classes: int = 10,
        *,
        in_channels: int = 1,
        widths: Sequence[int] = (16, 32, 64),
        patch_size: int | None = None,
        norm_momentum: float = 0.5,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths must name at least one stage, got none")
        stages: list[nn.Module] = []
        for index, (channels, width) in enumerate(
            zip((in_channels, *widths[:-1]), widths, strict=True)
        ):
            # No bias: batch normalisation subtracts it again.
            if index == 0 and patch_size is not None:
                convolution = nn.Conv2d(
                    channels, width, patch_size, stride=patch_size, bias=False
                )
            else:
                # The first stage sees the picture itself: a wide kernel is cheap there.
                size = 5 if index == 0 else 3
                convolution = nn.Conv2d(
                    channels, width, size, stride=2, padding=size // 2, bias=False
                )
            stages += [
                convolution,
                nn.BatchNorm2d(width, momentum=norm_momentum),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, mode="fan_out", nonlinearity="relu"
                )
        # K-FAC's patches become contiguous, and oneDNN prefers it on CPUs.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Return one score per class.

        Args:
            images: Standardised pictures.

        Returns:
            Scores before softmax.
        """
        return self.head(self.features(images).mean((2, 3)))
