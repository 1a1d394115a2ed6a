"""Ranks that are processes, over ``torch.distributed`` (gloo, NCCL)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from cocodesign.collectives.communicator import Communicator
from cocodesign.errors import CollectiveError


def torch_communicator(group: "dist.ProcessGroup | None" = None) -> Communicator:
    """Return the communicator of a process group.

    The group's own time limit, given to ``init_process_group``, bounds every wait.

    Args:
        group: The process group; ``None`` means all processes.

    Returns:
        A communicator whose ranks are those of the group.

    Raises:
        ValueError: If this process does not take part in a process group.
    """
    if not dist.is_initialized():
        raise ValueError(
            "torch.distributed is not initialised: start the program with torchrun and "
            "call torch.distributed.init_process_group first"
        )
    chosen = dist.group.WORLD if group is None else group
    if chosen is None or dist.get_rank(chosen) < 0:
        raise ValueError("this process is not a member of the group")
    return _Processes(chosen)


class _Processes:
    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self.rank = dist.get_rank(group)
        self.world_size = dist.get_world_size(group)
        self._global_ranks = dist.get_process_group_ranks(group)
        self._subgroups: dict[range, dist.ProcessGroup] = {}

    def exchange(
        self, sent: Tensor, to_rank: int, received: Tensor, from_rank: int
    ) -> None:
        # One call for both: with NCCL, two would wait for each other around a ring.
        operations = []
        if sent.numel():
            operations.append(self._operation(dist.isend, sent, to_rank))
        if received.numel():
            operations.append(self._operation(dist.irecv, received, from_rank))
        try:
            for work in dist.batch_isend_irecv(operations) if operations else ():
                work.wait()
        except (RuntimeError, dist.DistBackendError) as error:
            raise CollectiveError(
                f"rank {self.rank} could not send {sent.nbytes} bytes to rank "
                f"{to_rank} and receive {received.nbytes} from {from_rank}: {error}"
            ) from error

    def reduce_scatter_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        blocks = list(values.split(list(sizes)))
        own = blocks[members.index(self.rank)]
        summed = torch.empty_like(own)
        group = self._subgroup(members)
        try:
            if len(set(sizes)) == 1:
                dist.reduce_scatter_tensor(summed, values, group=group)
            else:
                dist.reduce_scatter(summed, blocks, group=group)
        except (RuntimeError, dist.DistBackendError) as error:
            raise self._failure("reduce-scatter", members, error) from error
        own.copy_(summed)

    def all_gather_within(
        self, members: range, values: Tensor, sizes: Sequence[int]
    ) -> None:
        blocks = list(values.split(list(sizes)))
        own = blocks[members.index(self.rank)].clone()
        group = self._subgroup(members)
        try:
            if len(set(sizes)) == 1:
                dist.all_gather_into_tensor(values, own, group=group)
                return
            # No backend gathers blocks of unequal size; each member sends its own.
            works = [
                dist.broadcast(block, self._global_ranks[member], group, async_op=True)
                for member, block in zip(members, blocks, strict=True)
                if block.numel()
            ]
            for work in works:
                assert work is not None
                work.wait()
        except (RuntimeError, dist.DistBackendError) as error:
            raise self._failure("all-gather", members, error) from error

    def _operation(
        self, verb: Callable[..., Any], values: Tensor, peer: int
    ) -> dist.P2POp:
        return dist.P2POp(verb, values, self._global_ranks[peer], self._group)

    def _subgroup(self, members: range) -> dist.ProcessGroup:
        if len(members) == self.world_size:
            return self._group
        if members not in self._subgroups:
            made = dist.new_group(
                [self._global_ranks[member] for member in members],
                use_local_synchronization=True,  # the other ranks make other groups
            )
            assert isinstance(made, dist.ProcessGroup)
            self._subgroups[members] = made
        return self._subgroups[members]

    def _failure(
        self, operation: str, members: range, error: Exception
    ) -> CollectiveError:
        return CollectiveError(
            f"rank {self.rank} could not finish a {operation} with the ranks "
            f"{list(members)}: {error}"
        )
