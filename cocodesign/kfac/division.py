"""How several ranks divide the blocks of one model among them.

Every rank holds the model and works on its share of the mini-batch. When statistics are
refreshed, the mean of each over the ranks is made at the block's owner, which averages
and inverts it and shares the inverse with its column; each column preconditions its
blocks, and the directions travel along the rows (``cocodesign.kfac.assignment``). Stale
statistics are not sent. What decides when one is refreshed is known to all ranks, so
that none waits for a message that another one does not send.

A single rank skips it all.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cocodesign.collectives import Communicator, all_gather, all_reduce
from cocodesign.collectives.communicator import subset
from cocodesign.kfac.assignment import Assignment, assign, inversion_cost
from cocodesign.kfac.blocks import CurvatureBlock, UnitWiseBlock
from cocodesign.kfac.distributed import (
    pack_triangle,
    share_from_owners_,
    sum_at_owners,
    unpack_triangle,
)

Measured = Mapping[CurvatureBlock, Mapping[str, Tensor]]


class Division:
    """Who does what, and the messages that follow from it.

    Args:
        communicator: The ranks.
        num_workers: Ranks that hold the inverses of a block, a divisor of the number of
            ranks; ``None`` means all.
        device: Where the model is.

    Raises:
        ValueError: If the workers do not divide the ranks.
    """

    def __init__(
        self,
        communicator: Communicator,
        num_workers: int | None,
        device: torch.device,
    ) -> None:
        world_size, rank = communicator.world_size, communicator.rank
        self._num_workers = world_size if num_workers is None else num_workers
        self._assignment = assign([], world_size, self._num_workers)
        self._index: dict[CurvatureBlock, int] = {}
        self._rank = rank
        self._own_column = rank // self._num_workers
        self._all = communicator
        self._device = device
        self._column = subset(
            communicator, self._assignment.column_ranks(self._own_column)
        )
        self._row = subset(communicator, self._assignment.row_ranks(rank))

    @property
    def is_alone(self) -> bool:
        """Whether there is one rank only."""
        return self._all.world_size == 1

    @property
    def assignment(self) -> Assignment:
        """Who owns which block; each block counts as one statistic."""
        return self._assignment

    def assign(self, blocks: Sequence[CurvatureBlock]) -> None:
        """Divide the blocks; all ranks do it alike.

        A and G of a block have one owner: the larger one decides what the block costs.
        For ResNet-50 a second owner for the smaller ones would save 0.1 % of the
        longest rank's work.

        Args:
            blocks: Of the model, in its order.
        """
        costs = [[sum(map(inversion_cost, each.inverted_sizes))] for each in blocks]
        self._assignment = assign(costs, self._all.world_size, self._num_workers)
        self._index = {block: index for index, block in enumerate(blocks)}

    def owns(self, block: CurvatureBlock) -> bool:
        """Whether this rank averages and inverts a block's statistics."""
        return self._owner(block) == self._rank

    def holds(self, block: CurvatureBlock) -> bool:
        """Whether this rank preconditions with a block."""
        return self._column_of(block) == self._own_column

    def average_gradients_(
        self, gradients: Sequence[Tensor], *, divides: bool = True
    ) -> None:
        """Sum gradients over the ranks and divide by their number.

        Args:
            gradients: Of this rank; overwritten.
            divides: Whether to divide.
        """
        if self.is_alone:
            return
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for gradient in gradients:
            by_dtype.setdefault(gradient.dtype, []).append(gradient)
        for alike in by_dtype.values():
            flat = torch.cat([each.reshape(-1) for each in alike])
            total = all_reduce(flat, self._all)
            if divides:
                total /= self._all.world_size
            parts = total.split([each.numel() for each in alike])
            for gradient, part in zip(alike, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))

    def means_at_owners(self, measured: Measured) -> Measured:
        """Average what the ranks have measured, each statistic at its owner.

        Args:
            measured: Of this rank, the same statistics on all of them.

        Returns:
            The means of the blocks that this rank owns.
        """
        if self.is_alone:
            return measured
        entries = [
            (block, name, value)
            for block, values in measured.items()
            for name, value in values.items()
        ]
        sums = sum_at_owners(
            [_packed(block, value) for block, _, value in entries],
            [self._owner(block) for block, _, _ in entries],
            self._all,
        )
        means: dict[CurvatureBlock, dict[str, Tensor]] = {}
        for (block, name, value), total in zip(entries, sums, strict=True):
            if total is not None:
                mean = _unpacked(block, total / self._all.world_size, value)
                means.setdefault(block, {})[name] = mean
        return means

    def share_inverses(self, measured: Measured) -> None:
        """Give the inverses of refreshed statistics to the owners' columns.

        Args:
            measured: The refreshed statistics.
        """
        if self._column.world_size == 1:
            return
        entries = [
            (block, name, value)
            for block, values in measured.items()
            if self.holds(block)
            for name, value in values.items()
        ]
        tensors: list[Tensor] = []
        for block, name, value in entries:
            # Where it is not known yet, the measured value has its shape.
            inverse = block.statistics[name].inverse if self.owns(block) else None
            known = value if inverse is None else inverse
            tensors.append(_packed(block, known).clone())
        members = self._assignment.column_ranks(self._own_column)
        owners = [members.index(self._owner(block)) for block, _, _ in entries]
        share_from_owners_(tensors, owners, self._column)
        for (block, name, value), tensor in zip(entries, tensors, strict=True):
            # The owner too: from its triangle, it has the same bits as the others.
            block.statistics[name].inverse = _unpacked(block, tensor, value)

    def share(
        self, tensors: Sequence[Tensor], blocks: Sequence[CurvatureBlock]
    ) -> None:
        """Overwrite tensors on every rank by those of the blocks' owners."""
        if not self.is_alone:
            owners = [self._owner(each) for each in blocks]
            share_from_owners_(tensors, owners, self._all)

    def share_directions(
        self, directions: Sequence[Tensor], blocks: Sequence[CurvatureBlock]
    ) -> None:
        """Overwrite directions on every rank by those of the blocks' columns."""
        if self._row.world_size > 1:
            columns = [self._column_of(each) for each in blocks]
            share_from_owners_(directions, columns, self._row)

    def gathered(self, value: Tensor) -> Tensor:
        """Return a tensor of every rank, along a new first axis, on the CPU."""
        return torch.stack(all_gather(value.to(self._device), self._all)).cpu()

    def collected(
        self, states: Mapping[str, Any], own: Iterable[str]
    ) -> dict[str, Any]:
        """Return the states of all blocks, each from its owner.

        Args:
            states: By name, those of this rank.
            own: The names of the blocks that it owns.

        Returns:
            The complete states, the same on all ranks.
        """
        if self.is_alone:
            return dict(states)
        stream = io.BytesIO()
        torch.save({name: states[name] for name in own}, stream)
        blob = torch.frombuffer(bytearray(stream.getvalue()), dtype=torch.uint8)
        shapes = [(int(size),) for size in self.gathered(torch.tensor(len(blob)))]
        complete: dict[str, Any] = {}
        for each in all_gather(blob.to(self._device), self._all, shapes):
            content = io.BytesIO(each.cpu().numpy().tobytes())
            complete |= torch.load(
                content, map_location=self._device, weights_only=True
            )
        return {name: complete[name] for name in states}

    def release(self, blocks: Iterable[CurvatureBlock]) -> None:
        """Drop what this rank does not need of complete states."""
        for block in blocks:
            for statistic in block.statistics.values():
                if not self.owns(block):
                    statistic.average = statistic.earlier = None
                if not self.holds(block):
                    statistic.inverse = None

    def _owner(self, block: CurvatureBlock) -> int:
        return self._assignment.owners[self._index[block]][0]

    def _column_of(self, block: CurvatureBlock) -> int:
        return self._assignment.columns[self._index[block]]


def _packed(block: CurvatureBlock, value: Tensor) -> Tensor:
    """Return the triangles of symmetric matrices, anything else as it is."""
    return pack_triangle(value) if _is_symmetric(block, value) else value


def _unpacked(block: CurvatureBlock, packed: Tensor, like: Tensor) -> Tensor:
    return unpack_triangle(packed) if _is_symmetric(block, like) else packed


def _is_symmetric(block: CurvatureBlock, value: Tensor) -> bool:
    return value.ndim > 1 and not isinstance(block, UnitWiseBlock)
