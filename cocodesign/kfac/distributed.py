"""Tensors that belong to ranks: summed at their owners, shared from them.

Symmetric matrices travel as their lower triangles, half the bytes. All that goes to
several owners goes in one collective per dtype, whose shards are as unequal as the
owners' tensors.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.collectives import Communicator, all_gather, reduce_scatter


def pack_triangle(
    matrices: Float[Tensor, "*groups size size"],
) -> Float[Tensor, "*groups packed"]:
    """Return the lower triangles of symmetric matrices, row by row.

    Args:
        matrices: Symmetric; the part above the diagonal is not looked at.

    Returns:
        ``n (n + 1) / 2`` numbers for each, a new tensor.

    Example:
        >>> pack_triangle(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
        tensor([1., 2., 3.])
    """
    size = matrices.shape[-1]
    rows, columns = torch.tril_indices(size, size, device=matrices.device)
    return matrices[..., rows, columns]


def unpack_triangle(
    packed: Float[Tensor, "*groups packed"],
) -> Float[Tensor, "*groups size size"]:
    """Undo ``pack_triangle``.

    Args:
        packed: What it gave.

    Returns:
        The symmetric matrices, a new tensor.

    Raises:
        ValueError: If the number of elements is not that of a triangle.

    Example:
        >>> unpack_triangle(torch.tensor([1.0, 2.0, 3.0]))
        tensor([[1., 2.],
                [2., 3.]])
    """
    *groups, num_elements = packed.shape
    size = (math.isqrt(8 * num_elements + 1) - 1) // 2
    if size * (size + 1) // 2 != num_elements:
        raise ValueError(f"{num_elements} elements are no triangle of a square matrix")
    rows, columns = torch.tril_indices(size, size, device=packed.device)
    matrices = packed.new_empty(*groups, size, size)
    matrices[..., rows, columns] = packed
    matrices[..., columns, rows] = packed
    return matrices


def sum_at_owners(
    tensors: Sequence[Tensor], owners: Sequence[int], communicator: Communicator
) -> list[Tensor | None]:
    """Sum each tensor over all ranks, at its owner only.

    Args:
        tensors: This rank's values; number, shapes and dtypes are those of all ranks.
        owners: The rank that gets the sum, for each.
        communicator: The ranks.

    Returns:
        For each tensor its sum if this rank owns it, else ``None``.
    """
    sums: list[Tensor | None] = [None] * len(tensors)
    for chosen in _by_dtype(tensors):
        own = _owned(chosen, owners, communicator.rank)
        shards = [
            _flat(
                [tensors[index] for index in _owned(chosen, owners, rank)],
                tensors[chosen[0]],
            )
            for rank in range(communicator.world_size)
        ]
        total = reduce_scatter(shards, communicator)
        parts = total.split([tensors[index].numel() for index in own])
        for index, part in zip(own, parts, strict=True):
            sums[index] = part.view(tensors[index].shape)
    return sums


def share_from_owners_(
    tensors: Sequence[Tensor], owners: Sequence[int], communicator: Communicator
) -> None:
    """Overwrite each tensor on every rank by that of its owner.

    Args:
        tensors: This rank's tensors, contiguous or not; of those of other owners only
            shapes and dtypes count before.
        owners: The rank whose values are taken, for each.
        communicator: The ranks.
    """
    ranks = range(communicator.world_size)
    for chosen in _by_dtype(tensors):
        owned = [_owned(chosen, owners, rank) for rank in ranks]
        own = _flat(
            [tensors[index] for index in owned[communicator.rank]], tensors[chosen[0]]
        )
        sizes = [sum(tensors[index].numel() for index in each) for each in owned]
        shards = all_gather(own, communicator, [(size,) for size in sizes])
        for rank in ranks:
            if rank == communicator.rank:
                continue
            parts = shards[rank].split(
                [tensors[index].numel() for index in owned[rank]]
            )
            for index, part in zip(owned[rank], parts, strict=True):
                tensors[index].copy_(part.view(tensors[index].shape))


def _by_dtype(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Return the indices of the tensors of each dtype, in the order of appearance."""
    groups: dict[torch.dtype, list[int]] = {}
    for index, tensor in enumerate(tensors):
        groups.setdefault(tensor.dtype, []).append(index)
    return list(groups.values())


def _owned(chosen: Sequence[int], owners: Sequence[int], rank: int) -> list[int]:
    return [index for index in chosen if owners[index] == rank]


def _flat(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    if not tensors:
        return like.new_empty(0)
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
