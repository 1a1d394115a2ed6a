"""Convolutions over several workers.

::

    workers      a mini-batch divided over workers of unequal speed       (pure)
    partition    which part of a convolution each rank has and needs      (pure)
    choice       the partition that is fastest and fits, by a cost model  (pure)
    convolution  a partitioned convolution with its gradients, over a communicator
"""

from cocodesign.microbatch.distribution.choice import (
    Machine,
    PartitionChoice,
    choose_partition,
)
from cocodesign.microbatch.distribution.convolution import (
    local_parts,
    partitioned_convolution,
)
from cocodesign.microbatch.distribution.partition import Axis, partition_axes
from cocodesign.microbatch.distribution.workers import split_mini_batch

__all__ = [
    "Axis",
    "Machine",
    "PartitionChoice",
    "choose_partition",
    "local_parts",
    "partition_axes",
    "partitioned_convolution",
    "split_mini_batch",
]
