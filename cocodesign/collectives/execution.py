"""All-reduce, reduce-scatter and all-gather by any schedule, over any communicator.

Sums are taken in a fixed order that depends on the schedule alone, and every shard is
summed at one place: all ranks end with the same bits. Integers and floating-point types
of the communicator's backend are supported. Gradients do not flow through.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from cocodesign.collectives.communicator import Communicator
from cocodesign.collectives.schedules import Phase, Round, Schedule, Slots, halving


@torch.no_grad()
def all_reduce(
    tensor: Tensor,
    communicator: Communicator,
    schedule: Schedule | None = None,
) -> Tensor:
    """Sum a tensor over all ranks; every rank gets the sum.

    A reduce-scatter and an all-gather, each by the schedule, or its one-shot form.

    Args:
        tensor: This rank's tensor, of the same shape and dtype on all ranks.
        communicator: The ranks.
        schedule: How; ``None`` means recursive halving and doubling.

    Returns:
        A new tensor, the same to the bit on all ranks.

    Raises:
        ValueError: If the schedule is of another number of ranks.

    Example:
        >>> from cocodesign.collectives import local_communicator
        >>> all_reduce(torch.tensor([1.0, 2.0]), local_communicator())
        tensor([1., 2.])
    """
    schedule = _fitting(schedule, communicator)
    phases = schedule.phases(communicator.rank)
    num_shards = communicator.world_size
    if schedule.one_shot:
        whole = tensor.new_empty(num_shards * tensor.numel())
        work = _Work(whole, [tensor.numel()] * num_shards)
        work.fill(schedule.slot_of(communicator.rank), tensor)
        work.all_gather_(phases, communicator)
        return whole.view(num_shards, *tensor.shape).sum(0)
    values = tensor.clone(memory_format=torch.contiguous_format).view(-1)
    work = _Work(values, even_sizes(tensor.numel(), num_shards))
    work.reduce_scatter_(phases, communicator)
    work.all_gather_(phases, communicator)
    return values.view(tensor.shape)


@torch.no_grad()
def reduce_scatter(
    shards: Sequence[Tensor],
    communicator: Communicator,
    schedule: Schedule | None = None,
) -> Tensor:
    """Sum shards over all ranks; every rank gets the sum of its own.

    Args:
        shards: One tensor for each rank, of one dtype and any shapes; ``shards[r]`` has
            the same shape on all ranks.
        communicator: The ranks.
        schedule: How; ``None`` means recursive halving.

    Returns:
        The sum over the ranks of ``shards[rank]``, a new tensor.

    Raises:
        ValueError: If there is not one shard per rank, or the schedule is of another
            number of ranks.

    Example:
        >>> from cocodesign.collectives import local_communicator
        >>> reduce_scatter([torch.ones(3)], local_communicator())
        tensor([1., 1., 1.])
    """
    schedule = _fitting(schedule, communicator)
    if len(shards) != communicator.world_size:
        raise ValueError(
            f"{communicator.world_size} ranks need as many shards, got {len(shards)}"
        )
    slots = _by_slot(shards, schedule)
    work = _Work(
        torch.cat([shard.reshape(-1) for shard in slots]),
        [shard.numel() for shard in slots],
    )
    work.reduce_scatter_(schedule.phases(communicator.rank), communicator)
    slot = schedule.slot_of(communicator.rank)
    # A copy, so that the others' shards need not stay in memory.
    return work.slot(slot).clone().view(slots[slot].shape)


@torch.no_grad()
def all_gather(
    shard: Tensor,
    communicator: Communicator,
    shapes: Sequence[Sequence[int]] | None = None,
    schedule: Schedule | None = None,
) -> list[Tensor]:
    """Collect the shards of all ranks on every rank.

    Args:
        shard: This rank's shard, of one dtype on all ranks.
        communicator: The ranks.
        shapes: The shape of every rank's shard; ``None`` if all are as this one.
        schedule: How; ``None`` means recursive doubling.

    Returns:
        The shards by rank, pieces of one new tensor.

    Raises:
        ValueError: If ``shapes`` does not fit the ranks or this rank's shard, or the
            schedule is of another number of ranks.

    Example:
        >>> from cocodesign.collectives import local_communicator
        >>> all_gather(torch.ones(2), local_communicator())
        [tensor([1., 1.])]
    """
    schedule = _fitting(schedule, communicator)
    world_size, rank = communicator.world_size, communicator.rank
    if shapes is None:
        shapes = [shard.shape] * world_size
    if len(shapes) != world_size or tuple(shapes[rank]) != tuple(shard.shape):
        raise ValueError(
            f"shapes must hold one shape for each of {world_size} ranks, and that of "
            f"rank {rank} must be {tuple(shard.shape)}, got {list(map(tuple, shapes))}"
        )
    sizes = [torch.Size(shape).numel() for shape in shapes]
    work = _Work(shard.new_empty(sum(sizes)), _by_slot(sizes, schedule))
    work.fill(schedule.slot_of(rank), shard)
    work.all_gather_(schedule.phases(rank), communicator)
    return [
        work.slot(schedule.slot_of(each)).view(torch.Size(shape))
        for each, shape in enumerate(shapes)
    ]


def even_sizes(num_elements: int, num_shards: int) -> list[int]:
    """Split a number of elements into shards that differ by one at most.

    Args:
        num_elements: What is split, at least 0.
        num_shards: Into how many.

    Returns:
        The sizes, the larger ones first.

    Example:
        >>> even_sizes(7, 3)
        [3, 2, 2]
    """
    size, rest = divmod(num_elements, num_shards)
    return [size + (index < rest) for index in range(num_shards)]


class _Work:
    """The buffer that a collective works on: all slots, one after the other."""

    def __init__(self, values: Tensor, sizes: Sequence[int]) -> None:
        self.values = values
        self._starts = [0, *itertools.accumulate(sizes)]

    def slot(self, slot: int) -> Tensor:
        """Return one slot, as a view."""
        return self.piece(range(slot, slot + 1))

    def fill(self, slot: int, values: Tensor) -> None:
        """Put a tensor into a slot of its size."""
        self.slot(slot).copy_(values.reshape(-1))

    def piece(self, slots: range) -> Tensor:
        """Return some neighbouring slots, as a view."""
        start, stop = self._starts[slots.start], self._starts[slots.stop]
        return self.values[start:stop]

    def reduce_scatter_(self, phases: list[Phase], communicator: Communicator) -> None:
        """Sum this rank's slot; the others hold partial sums afterwards."""
        for phase in phases:
            if phase.level.pattern == "native":
                values, sizes = self._blocks(phase)
                communicator.reduce_scatter_within(phase.members, values, sizes)
                continue
            for each in phase.reduce_scatter_rounds():
                self._exchange(each, communicator, adds=True)

    def all_gather_(self, phases: list[Phase], communicator: Communicator) -> None:
        """Spread every rank's slot."""
        for phase in reversed(phases):
            if phase.level.pattern == "native":
                values, sizes = self._blocks(phase)
                communicator.all_gather_within(phase.members, values, sizes)
                continue
            for each in phase.all_gather_rounds():
                self._exchange(each, communicator, adds=False)

    def _exchange(self, each: Round, communicator: Communicator, *, adds: bool) -> None:
        sent = self._joined(each.sent)
        pieces = [self.piece(slots) for slots in each.received]
        if len(pieces) == 1 and not adds:
            communicator.exchange(sent, each.to_rank, pieces[0], each.from_rank)
            return
        sizes = [piece.numel() for piece in pieces]
        arrived = self.values.new_empty(sum(sizes))
        communicator.exchange(sent, each.to_rank, arrived, each.from_rank)
        for piece, part in zip(pieces, arrived.split(sizes), strict=True):
            if adds:
                piece.add_(part)
            else:
                piece.copy_(part)

    def _joined(self, slots: Slots) -> Tensor:
        pieces = [self.piece(each) for each in slots]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _blocks(self, phase: Phase) -> tuple[Tensor, list[int]]:
        whole = range(phase.blocks[0].start, phase.blocks[-1].stop)
        return self.piece(whole), [self.piece(each).numel() for each in phase.blocks]


def _fitting(schedule: Schedule | None, communicator: Communicator) -> Schedule:
    if schedule is None:
        return halving(communicator.world_size)
    if schedule.world_size != communicator.world_size:
        raise ValueError(
            f"the schedule {schedule} is for {schedule.world_size} ranks, but there "
            f"are {communicator.world_size}"
        )
    return schedule


def _by_slot(by_rank: Sequence, schedule: Schedule) -> list:
    """Order what is given by rank as the slots are."""
    slots = [by_rank[0]] * len(by_rank)
    for rank, each in enumerate(by_rank):
        slots[schedule.slot_of(rank)] = each
    return slots
