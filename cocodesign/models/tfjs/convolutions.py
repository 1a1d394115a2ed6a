"""Convolution, pooling, padding and resizing of pictures with the channels last.

TensorFlow stores a picture as ``batch height width channels``. PyTorch's operations
take the channels first; a permuted view of such a picture has exactly the strides of
PyTorch's memory format ``channels_last``, so no picture is copied for that.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cocodesign.models.tfjs.topology import Node

Picture = Float[Tensor, "batch _height _width _channels"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "Relu": torch.relu,
    "Relu6": lambda x: x.clamp(0, 6),
    "Elu": functional.elu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}


def arrange_kernel(kernel: Float[Tensor, "height width d_in d_out"]) -> Tensor:
    """Order a convolution's kernel as PyTorch does: output channels first."""
    return kernel.permute(3, 2, 0, 1).contiguous()


def arrange_depthwise_kernel(
    kernel: Float[Tensor, "height width channels multiplier"],
) -> Tensor:
    """Order a depthwise kernel as PyTorch does: one output channel after the other."""
    return kernel.permute(2, 3, 0, 1).flatten(0, 1)[:, None].contiguous()


def convolve(
    node: Node, x: Picture, kernel: Float[Tensor, "d_out d_in rows columns"]
) -> Picture:
    """Convolve; fewer input channels in the kernel than in the picture mean groups."""
    channels_first, padding = _padded(node, x, kernel.shape[2:], fill=0.0)
    result = functional.conv2d(
        channels_first,
        kernel,
        stride=node.ints("strides")[1:3],
        padding=padding,
        dilation=node.ints("dilations")[1:3] or (1, 1),
        groups=x.shape[3] // kernel.shape[1],
    )
    return result.permute(0, 2, 3, 1)


def convolve_fused(node: Node, x: Picture, kernel: Tensor, *added: Tensor) -> Picture:
    """Convolve, add the bias, and apply the activation that was fused into the node."""
    return _finish(node, convolve(node, x, kernel), added)


def multiply_fused(node: Node, a: Tensor, b: Tensor, *added: Tensor) -> Tensor:
    """Multiply matrices, add the bias, and apply the activation."""
    if node.attributes.get("transpose_a"):
        a = a.mT
    if node.attributes.get("transpose_b"):
        b = b.mT
    return _finish(node, a @ b, added)


def max_pool(node: Node, x: Picture) -> Picture:
    """Return the largest value of each window; padding never wins."""
    size = node.ints("ksize")[1:3]
    channels_first, padding = _padded(node, x, size, fill=-torch.inf)
    result = functional.max_pool2d(
        channels_first, size, node.ints("strides")[1:3], padding
    )
    return result.permute(0, 2, 3, 1)


def average_pool(node: Node, x: Picture) -> Picture:
    """Return the mean of each window; padding does not count."""
    size, stride = node.ints("ksize")[1:3], node.ints("strides")[1:3]
    channels_first, padding = _padded(node, x, size, fill=0.0)
    inside, _ = _padded(node, torch.ones_like(x[..., :1]), size, fill=0.0)
    total = functional.avg_pool2d(channels_first, size, stride, padding)
    share = functional.avg_pool2d(inside, size, stride, padding)
    return (total / share).permute(0, 2, 3, 1)


def pad(_node: Node, x: Tensor, paddings: list[list[int]], fill: float) -> Tensor:
    """Pad every axis with a number."""
    return _pad(x, paddings, fill)


def pad_with_zeros(_node: Node, x: Tensor, paddings: list[list[int]]) -> Tensor:
    """Pad every axis with zeros."""
    return _pad(x, paddings, 0.0)


def resize_bilinear(node: Node, x: Picture, size: list[int]) -> Picture:
    """Resize by linear interpolation, in one of three ways to place the pixels."""
    if node.attributes.get("half_pixel_centers"):
        return _interpolate(x, size, align_corners=False)
    if node.attributes.get("align_corners"):
        return _interpolate(x, size, align_corners=True)
    # The oldest way, which PyTorch lacks: output pixel i at i * size_in / size_out.
    rows = _interpolation_matrix(x.shape[1], size[0], x)
    columns = _interpolation_matrix(x.shape[2], size[1], x)
    return (rows @ x.permute(0, 3, 1, 2) @ columns.mT).permute(0, 2, 3, 1)


def depth_to_space(node: Node, x: Picture) -> Picture:
    """Spread groups of channels over blocks of pixels."""
    block = node.integer("block_size")
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height, width, block, block, channels // block**2)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(
        batch, height * block, width * block, channels // block**2
    )


def _finish(node: Node, x: Tensor, added: Sequence[Tensor]) -> Tensor:
    remaining = list(added)
    for name in node.texts("fused_ops"):
        if name == "BiasAdd":
            x = x + remaining.pop(0)
        elif name == "Prelu":
            x = torch.where(x >= 0, x, x * remaining.pop(0))
        elif name == "LeakyRelu":
            x = functional.leaky_relu(x, node.number("leakyrelu_alpha", 0.2))
        elif name in ACTIVATIONS:
            x = ACTIVATIONS[name](x)
        else:
            raise ValueError(f"{node.name}: {name!r} cannot be fused into {node.op}")
    return x


def _padded(
    node: Node, x: Picture, window: Sequence[int], *, fill: float
) -> tuple[Tensor, tuple[int, int]]:
    """Return the picture, channels first, and the padding left for the operation.

    ``SAME`` gives ``ceil(size / stride)`` outputs and puts an odd padding after the
    picture, which PyTorch's operations cannot: then the picture itself is padded.
    """
    channels_first = x.permute(0, 3, 1, 2)
    if node.attributes.get("padding") != "SAME":
        return channels_first, (0, 0)
    strides = node.ints("strides")[1:3]
    dilations = node.ints("dilations")[1:3] or (1, 1)
    totals = [
        max(0, (-(-size // stride) - 1) * stride + dilation * (length - 1) + 1 - size)
        for size, stride, dilation, length in zip(
            x.shape[1:3], strides, dilations, window, strict=True
        )
    ]
    if not any(total % 2 for total in totals):
        return channels_first, (totals[0] // 2, totals[1] // 2)
    (top, bottom), (left, right) = ((t // 2, t - t // 2) for t in totals)
    padded = functional.pad(channels_first, (left, right, top, bottom), value=fill)
    return padded, (0, 0)


def _pad(x: Tensor, paddings: list[list[int]], fill: float) -> Tensor:
    flat = [amount for before_after in reversed(paddings) for amount in before_after]
    return functional.pad(x, flat, value=fill)


def _interpolate(x: Picture, size: list[int], *, align_corners: bool) -> Picture:
    return functional.interpolate(
        x.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=align_corners
    ).permute(0, 2, 3, 1)


def _interpolation_matrix(size_in: int, size_out: int, like: Tensor) -> Tensor:
    """Return one row of weights per output pixel, pixels placed by their corners."""
    place = torch.arange(size_out, dtype=like.dtype, device=like.device)
    place = place * (size_in / size_out)
    sources = torch.arange(size_in, dtype=like.dtype, device=like.device)
    # Beyond the last pixel there is nothing to blend with: it counts in full.
    place = place.clamp(max=size_in - 1)
    return (1 - (place[:, None] - sources).abs()).clamp(min=0)
