"""Element by element, matrix products and reductions."""

import torch
from torch import Tensor
from torch.nn import functional

from cocodesign.models.tfjs.topology import Node

DTYPES = {
    "DT_FLOAT": torch.float32,
    "DT_HALF": torch.float32,  # weights are float32 already, and a CPU wants that
    "DT_INT32": torch.int32,
    "DT_INT64": torch.int64,
    "DT_BOOL": torch.bool,
    "DT_UINT8": torch.uint8,
}


def cast(node: Node, x: Tensor) -> Tensor:
    """Change the type of the elements."""
    name = str(node.attributes["DstT"])
    if name not in DTYPES:
        raise ValueError(f"{node.name} casts to {name}, which is not known")
    return x.to(DTYPES[name])


def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """Multiply negative numbers by ``alpha``."""
    return functional.leaky_relu(x, node.number("alpha", 0.2))


def prelu(_node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """Multiply negative numbers by a slope of their channel."""
    return torch.where(x >= 0, x, x * slope)


def real_divide(_node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Divide real numbers."""
    return a / b


def floor_divide(_node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Divide, rounded towards minus infinity."""
    return torch.div(a, b, rounding_mode="floor")


def add_all(_node: Node, *terms: Tensor) -> Tensor:
    """Add any number of tensors."""
    return torch.stack(torch.broadcast_tensors(*terms)).sum(0)


def multiply_matrices(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Multiply matrices, or batches of them."""
    if node.attributes.get("transpose_a") or node.attributes.get("adj_x"):
        a = a.mT
    if node.attributes.get("transpose_b") or node.attributes.get("adj_y"):
        b = b.mT
    return a @ b


def mean(node: Node, x: Tensor, axes: int | list[int]) -> Tensor:
    """Average over some axes."""
    return x.mean(_axes(axes), keepdim=_keeps(node))


def total(node: Node, x: Tensor, axes: int | list[int]) -> Tensor:
    """Add up over some axes."""
    return x.sum(_axes(axes), keepdim=_keeps(node)).to(x.dtype)


def maximum_over(node: Node, x: Tensor, axes: int | list[int]) -> Tensor:
    """Return the largest element over some axes."""
    return x.amax(_axes(axes), keepdim=_keeps(node))


def minimum_over(node: Node, x: Tensor, axes: int | list[int]) -> Tensor:
    """Return the smallest element over some axes."""
    return x.amin(_axes(axes), keepdim=_keeps(node))


def argmax(_node: Node, x: Tensor, axis: int | list[int]) -> Tensor:
    """Return where the largest element is, the first among equals."""
    return x.argmax(_axes(axis)[0]).to(torch.int32)


def softmax(_node: Node, x: Tensor) -> Tensor:
    """Normalise the exponentials of the last axis."""
    return x.softmax(-1)


def _axes(axes: int | list[int]) -> list[int]:
    return [axes] if isinstance(axes, int) else axes


def _keeps(node: Node) -> bool:
    return bool(node.attributes.get("keep_dims"))
