"""Gradients of ``DistributedDataParallel``, averaged by a schedule."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.distributed import (
    GradBucket,  # pyright: ignore[reportPrivateImportUsage] (documented by torch)
)
from torch.nn.parallel import DistributedDataParallel

from cocodesign.collectives.communicator import Communicator
from cocodesign.collectives.execution import all_reduce
from cocodesign.collectives.schedules import Schedule, halving


def average_gradients_by(
    model: DistributedDataParallel,
    communicator: Communicator,
    choose: Callable[[int], Schedule] | None = None,
) -> None:
    """Have a data-parallel model average its gradients by schedules of ours.

    Args:
        model: The model; it may have no other communication hook.
        communicator: The ranks, those of the model's process group.
        choose: From the bytes of a bucket to its schedule, the same on all ranks;
            called once per size. With a fitted ``CostModel`` it is
            ``partial(tune, cost_model, communicator.world_size)``. ``None`` means
            recursive halving and doubling.
    """
    world_size = communicator.world_size
    schedule_of = cache(choose or (lambda _num_bytes: halving(world_size)))

    def average(_state: None, bucket: GradBucket) -> torch.futures.Future[Tensor]:
        gradients = bucket.buffer()
        schedule = schedule_of(gradients.nbytes)
        total = all_reduce(gradients, communicator, schedule)
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        future.set_result(total.div_(world_size))
        return future

    model.register_comm_hook(None, average)
