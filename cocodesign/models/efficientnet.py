"""EfficientNet-Lite: image classifiers for phones and cameras.

The networks are EfficientNets (Tan & Le 2019, arXiv:1905.11946) without squeeze and
excitation and with ReLU6, as Google published them in 2020. The names of parameters and
modules are those of the published weights.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.errors import DataFormatError
from cocodesign.models.pictures import Frame, middle_square, standardise

Variant = Literal["lite0", "lite2"]

NUM_FEATURES = 1280
NUM_CLASSES = 1000
_BN_EPS = 1e-3
# width multiplier, depth multiplier, side of the input in pixels
_SCALES: dict[Variant, tuple[float, float, int]] = {
    "lite0": (1.0, 1.0, 224),
    "lite2": (1.1, 1.2, 260),
}
# kernel, stride of the first block, expansion, output channels, blocks
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class EfficientNetLite(nn.Module):
    """ImageNet-1000 scores and the 1280 features below them.

    Args:
        variant: ``lite0`` takes pictures of 224 pixels, ``lite2`` of 260.

    Raises:
        ValueError: If the variant is another.

    Example:
        >>> network = EfficientNetLite("lite0").eval()
        >>> scores, features = network(torch.zeros(1, 3, 224, 224))
        >>> tuple(scores.shape), tuple(features.shape)
        ((1, 1000), (1, 1280))
    """

    def __init__(self, variant: Variant = "lite0") -> None:
        super().__init__()
        if variant not in _SCALES:
            raise ValueError(f"variant must be lite0 or lite2, got {variant!r}")
        width, depth, self.input_px = _SCALES[variant]
        self._conv_stem = _SameConv2d(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=_BN_EPS)
        self._blocks = nn.ModuleList(_blocks(width, depth))
        last = _scaled_width(_STAGES[-1][3], width)
        self._conv_head = _SameConv2d(last, NUM_FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(NUM_FEATURES, eps=_BN_EPS)
        self._fc = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    @classmethod
    def load(cls, path: Path, variant: Variant = "lite0") -> "EfficientNetLite":
        """Read published weights.

        Args:
            path: The file ``efficientnet-lite0-57934424.pth`` or its lite2 sibling.
            variant: Which of the two it is.

        Returns:
            The network in evaluation mode, on the CPU.

        Raises:
            DataFormatError: If the file does not hold the variant's weights.
        """
        network = cls(variant)
        try:
            network.load_state_dict(torch.load(path, weights_only=True))
        except (OSError, RuntimeError, ValueError) as error:
            raise DataFormatError(
                f"{path} does not hold weights of EfficientNet-{variant}: {error}"
            ) from error
        return network.eval()

    def forward(
        self, pictures: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch 1000"], Float[Tensor, "batch 1280"]]:
        """Return scores before softmax, and the features that they are linear in.

        Args:
            pictures: What ``prepare`` makes of frames.

        Returns:
            Scores and features.
        """
        x = functional.relu6(self._bn0(self._conv_stem(pictures)))
        for block in self._blocks:
            x = block(x)
        features = functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return self._fc(features), features


def prepare(frame: Frame, size_px: int) -> Float32[Tensor, "1 3 size size"]:
    """Turn a frame into a network's input: its middle square, ``(pixel - 127) / 128``.

    As in the published evaluation the picture is interpolated without smoothing; unlike
    there, its margin stays, since in a video the event may be anywhere.

    Args:
        frame: Red, green and blue from 0 to 255.
        size_px: The network's ``input_px``.

    Returns:
        A batch of one.
    """
    square = middle_square(frame, size_px, smooth=False)
    return standardise(square, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0))


class _SameConv2d(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow's ``SAME`` does."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, groups=groups, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:
        (height, width), (rows, columns) = input.shape[2:], self.kernel_size
        down = max(
            0, (-(-height // self.stride[0]) - 1) * self.stride[0] + rows - height
        )
        across = max(
            0, (-(-width // self.stride[1]) - 1) * self.stride[1] + columns - width
        )
        padding = (across // 2, across - across // 2, down // 2, down - down // 2)
        return super().forward(functional.pad(input, padding))


class _Block(nn.Module):
    """Expand, filter each channel, project; add the input where shapes agree."""

    def __init__(
        self, d_in: int, d_out: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = d_in * expansion
        self._expands = expansion > 1
        self._adds = stride == 1 and d_in == d_out
        if self._expands:
            self._expand_conv = _SameConv2d(d_in, inner, 1)
            self._bn0 = nn.BatchNorm2d(inner, eps=_BN_EPS)
        self._depthwise_conv = _SameConv2d(
            inner, inner, kernel, stride=stride, groups=inner
        )
        self._bn1 = nn.BatchNorm2d(inner, eps=_BN_EPS)
        self._project_conv = _SameConv2d(inner, d_out, 1)
        self._bn2 = nn.BatchNorm2d(d_out, eps=_BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


def _blocks(width: float, depth: float) -> Iterator[_Block]:
    d_in = 32
    for index, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES):
        d_out = _scaled_width(channels, width)
        # The lite variants deepen all stages but the first and the last.
        inside = 0 < index < len(_STAGES) - 1
        for number in range(math.ceil(repeats * depth) if inside else repeats):
            yield _Block(
                d_in,
                d_out,
                kernel=kernel,
                stride=stride if number == 0 else 1,
                expansion=expansion,
            )
            d_in = d_out


def _scaled_width(channels: int, width: float) -> int:
    """Scale and round to a multiple of 8, never down by more than a tenth."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded
