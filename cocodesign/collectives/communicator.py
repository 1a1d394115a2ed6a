"""What a collective needs of the ranks: to exchange messages, no more.

There are three communicators: the local one of a single rank, which never sends
anything; the one over ``torch.distributed``; and the one in memory, whose ranks are
threads of one process, for tests and simulations.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Communicator(Protocol):
    """One rank's access to all ranks.

    All ranks call the same methods in the same order. Tensors are contiguous; a message
    without elements is not sent. What fails because another rank is gone or silent is
    a ``CollectiveError``.
    """

    @property
    def rank(self) -> int:
        """This rank, from 0 on."""
        ...

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        ...

    def exchange(
        self, sent: Tensor, to_rank: int, received: Tensor, from_rank: int
    ) -> None:
        """Send one tensor and receive another, at the same time.

        Args:
            sent: The message; it may be changed when this returns.
            to_rank: Who gets it.
            received: Overwritten by what comes, which has its size and dtype.
            from_rank: Who sends it.
        """
        ...

    def reduce_scatter_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        """Sum one block among some ranks by the communication library's own means.

        Args:
            members: The ranks that take part, this one among them.
            values: The blocks of all members, one after the other. That of this rank
                is overwritten by the sum; the others are undefined afterwards.
            sizes: The number of elements of each block.
        """
        ...

    def all_gather_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        """Collect the blocks of some ranks by the communication library's own means.

        Args:
            members: The ranks that take part, this one among them.
            values: Holds this rank's block at its place; the others are overwritten.
            sizes: The number of elements of each block.
        """
        ...


def local_communicator() -> Communicator:
    """Return the communicator of a process that is alone.

    Returns:
        Rank 0 of 1, with which every collective is a copy.

    Example:
        >>> local_communicator().world_size
        1
    """
    return _Local()


class _Local:
    rank = 0
    world_size = 1

    def exchange(
        self, sent: Tensor, to_rank: int, received: Tensor, from_rank: int
    ) -> None:
        raise AssertionError(
            f"a single rank has nobody to exchange with: {sent.shape} to {to_rank}, "
            f"{received.shape} from {from_rank}"
        )

    def reduce_scatter_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        assert list(members) == [0], (values.shape, sizes)  # the sum is there already

    def all_gather_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        assert list(members) == [0], (values.shape, sizes)


def subset(communicator: Communicator, members: range) -> Communicator:
    """Return a communicator of some of the ranks.

    Args:
        communicator: The ranks to choose from.
        members: The ranks that take part, this one among them; they become rank 0, 1 …

    Returns:
        A communicator over the same connections.

    Raises:
        ValueError: If this rank is no member.
    """
    if communicator.rank not in members:
        raise ValueError(f"rank {communicator.rank} is not among {list(members)}")
    return _Subset(communicator, members)


class _Subset:
    def __init__(self, communicator: Communicator, members: range) -> None:
        self._all = communicator
        self._members = members
        self.rank = members.index(communicator.rank)
        self.world_size = len(members)

    def exchange(
        self, sent: Tensor, to_rank: int, received: Tensor, from_rank: int
    ) -> None:
        self._all.exchange(
            sent, self._members[to_rank], received, self._members[from_rank]
        )

    def reduce_scatter_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        self._all.reduce_scatter_within(self._outer(members), values, sizes)

    def all_gather_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        self._all.all_gather_within(self._outer(members), values, sizes)

    def _outer(self, members: range) -> range:
        return self._members[members.start : members.stop : members.step]
