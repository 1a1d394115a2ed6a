"""Ranks that are threads of one process, with queues between them.

They run any code that takes a ``Communicator``, in a millisecond and without a network;
the values are those of real processes, the times are not.
"""

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from cocodesign.collectives.communicator import Communicator
from cocodesign.errors import CollectiveError

Result = TypeVar("Result")


def run_in_memory(
    world_size: int,
    function: Callable[[Communicator], Result],
    *,
    limit_s: float = 10.0,
) -> list[Result]:
    """Call a function once per rank, at the same time.

    Args:
        world_size: The number of ranks, at least 1.
        function: What each rank does with its communicator.
        limit_s: How long a rank waits for a message.

    Returns:
        What the function returned, by rank.

    Raises:
        ValueError: If there is no rank.
        CollectiveError: If a rank waited too long; what any rank raises is raised here.

    Example:
        >>> run_in_memory(3, lambda communicator: communicator.rank**2)
        [0, 1, 4]
    """
    if world_size < 1:
        raise ValueError(f"world_size must be at least 1, got {world_size}")
    mail = {
        (source, target): queue.SimpleQueue[Tensor]()
        for source in range(world_size)
        for target in range(world_size)
    }
    ranks = [InMemory(rank, world_size, mail, limit_s) for rank in range(world_size)]
    with ThreadPoolExecutor(world_size) as pool:
        futures = [pool.submit(function, each) for each in ranks]
    errors = [error for each in futures if (error := each.exception())]
    # The rank that failed by itself explains the others, which waited for it.
    errors.sort(key=lambda error: isinstance(error, CollectiveError))
    if errors:
        raise errors[0]
    return [each.result() for each in futures]


class InMemory:
    """One of the ranks of ``run_in_memory``.

    Attributes:
        rank: This rank.
        world_size: The number of ranks.
        num_messages: Messages that this rank has sent.
        num_bytes_sent: What they held.

    Args:
        rank: This rank.
        world_size: The number of ranks.
        mail: The messages under way, by source and target.
        limit_s: How long to wait for one.
    """

    def __init__(
        self,
        rank: int,
        world_size: int,
        mail: dict[tuple[int, int], "queue.SimpleQueue[Tensor]"],
        limit_s: float,
    ) -> None:
        self.rank = rank
        self.world_size = world_size
        self.num_messages = 0
        self.num_bytes_sent = 0
        self._mail = mail
        self._limit_s = limit_s

    def exchange(
        self, sent: Tensor, to_rank: int, received: Tensor, from_rank: int
    ) -> None:
        """Send one tensor and receive another."""
        if sent.numel():
            self._send(sent, to_rank)
        if received.numel():
            received.copy_(self._receive(from_rank))

    def reduce_scatter_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        """Add up what all members hold of this rank's block, in their order."""
        blocks = values.split(list(sizes))
        for member, block in zip(members, blocks, strict=True):
            self._send(block, member)
        own = blocks[members.index(self.rank)]
        own.copy_(torch.stack([self._receive(member) for member in members]).sum(0))

    def all_gather_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        """Take every member's block."""
        blocks = values.split(list(sizes))
        for member in members:
            self._send(blocks[members.index(self.rank)], member)
        for member, block in zip(members, blocks, strict=True):
            block.copy_(self._receive(member))

    def _send(self, values: Tensor, to_rank: int) -> None:
        self.num_messages += 1
        self.num_bytes_sent += values.nbytes
        self._mail[self.rank, to_rank].put(values.clone())

    def _receive(self, from_rank: int) -> Tensor:
        try:
            return self._mail[from_rank, self.rank].get(timeout=self._limit_s)
        except queue.Empty:
            raise CollectiveError(
                f"rank {self.rank} waited {self._limit_s:g} s for rank {from_rank}"
            ) from None
