"""Rearranging, slicing and gathering."""

import torch
from torch import Tensor

from cocodesign.models.tfjs.arithmetic import DTYPES
from cocodesign.models.tfjs.topology import Node


def reshape(_node: Node, x: Tensor, shape: list[int]) -> Tensor:
    """Lay the same elements out otherwise."""
    return x.reshape(shape)


def transpose(_node: Node, x: Tensor, order: list[int]) -> Tensor:
    """Reorder the axes."""
    return x.permute(order)


def concatenate(_node: Node, *parts: Tensor | int) -> Tensor:
    """Join along an axis, which comes last among the inputs."""
    *tensors, axis = parts
    assert isinstance(axis, int)
    return torch.cat([each for each in tensors if isinstance(each, Tensor)], axis)


def split_evenly(node: Node, axis: int, x: Tensor) -> tuple[Tensor, ...]:
    """Split into ``num_split`` equal parts."""
    return x.chunk(node.integer("num_split"), axis)


def split_by_sizes(
    _node: Node, x: Tensor, sizes: list[int], axis: int
) -> tuple[Tensor, ...]:
    """Split into parts of given sizes; one of them may be -1, the rest."""
    known = sum(size for size in sizes if size >= 0)
    rest = x.shape[axis] - known
    return x.split([size if size >= 0 else rest for size in sizes], axis)


def stack(node: Node, *parts: Tensor) -> Tensor:
    """Stack along a new axis."""
    return torch.stack(parts, node.integer("axis"))


def unstack(node: Node, x: Tensor) -> tuple[Tensor, ...]:
    """Return the slices along an axis."""
    return x.unbind(node.integer("axis"))


def expand(_node: Node, x: Tensor, axis: int | list[int]) -> Tensor:
    """Insert an axis of length one."""
    return x.unsqueeze(axis if isinstance(axis, int) else axis[0])


def squeeze(node: Node, x: Tensor) -> Tensor:
    """Remove axes of length one: the named ones, or all."""
    axes = node.ints("squeeze_dims") or node.ints("axis")
    return x.squeeze(axes) if axes else x.squeeze()


def strided_slice(
    node: Node, x: Tensor, begin: list[int], end: list[int], stride: list[int]
) -> Tensor:
    """Slice as Python does; the masks say where a bound is left out.

    Args:
        node: Has the masks: one bit per position.
        x: What is sliced.
        begin: Where each slice starts.
        end: Where it ends.
        stride: Its step.

    Returns:
        A view.

    Raises:
        ValueError: If the slice runs backwards or has an ellipsis.
    """
    if node.integer("ellipsis_mask") or min(stride, default=1) < 1:
        raise ValueError(f"{node.name} slices backwards or with an ellipsis")
    index: list[slice | int | None] = []
    for position, step in enumerate(stride):
        bit = 1 << position
        if node.integer("new_axis_mask") & bit:
            index.append(None)
        elif node.integer("shrink_axis_mask") & bit:
            index.append(begin[position])
        else:
            first = None if node.integer("begin_mask") & bit else begin[position]
            last = None if node.integer("end_mask") & bit else end[position]
            index.append(slice(first, last, step))
    return x[tuple(index)]


def slice_by_size(_node: Node, x: Tensor, begin: list[int], size: list[int]) -> Tensor:
    """Slice by begin and length; a length of -1 reaches to the end."""
    return x[
        tuple(
            slice(first, None if length < 0 else first + length)
            for first, length in zip(begin, size, strict=True)
        )
    ]


def gather(_node: Node, x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Pick slices along an axis."""
    picked = x.index_select(axis, indices.reshape(-1).long())
    return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def gather_nd(_node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Pick by tuples of indices along the first axes."""
    return x[tuple(indices.long().unbind(-1))]


def top_k(_node: Node, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the largest elements of the last axis, sorted, and where they are."""
    values, indices = x.topk(count)
    return values, indices.to(torch.int32)


def sparse_to_dense(
    _node: Node, indices: Tensor, shape: list[int], values: Tensor, default: Tensor
) -> Tensor:
    """Write values into a tensor that is otherwise constant."""
    dense = torch.full(shape, default.item(), dtype=values.dtype)
    if indices.numel():
        dense[tuple(indices.reshape(len(indices), -1).long().unbind(1))] = values
    return dense


def shape_of(_node: Node, x: Tensor) -> Tensor:
    """Return the lengths of the axes."""
    return torch.tensor(x.shape, dtype=torch.int32)


def size_of(_node: Node, x: Tensor) -> Tensor:
    """Return the number of elements."""
    return torch.tensor(x.numel(), dtype=torch.int32)


def count_up(node: Node, start: int, limit: int, step: int) -> Tensor:
    """Return ``start``, ``start + step``, … below ``limit``."""
    dtype = DTYPES[str(node.attributes.get("Tidx", "DT_INT32"))]
    return torch.arange(start, limit, step, dtype=dtype)


def fill(_node: Node, shape: list[int], value: Tensor) -> Tensor:
    """Return a tensor that is constant."""
    return value.expand(shape).clone()


def tile(_node: Node, x: Tensor, repeats: list[int]) -> Tensor:
    """Repeat along every axis."""
    return x.repeat(repeats)


def broadcast(_node: Node, x: Tensor, shape: list[int]) -> Tensor:
    """Repeat axes of length one."""
    return x.expand(shape)


def choose(_node: Node, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Take from ``x`` where the condition holds, from ``y`` elsewhere."""
    # A condition with fewer axes decides about whole slices.
    missing = x.dim() - condition.dim()
    return torch.where(condition.reshape(*condition.shape, *([1] * missing)), x, y)
