"""Collectives over any factorisation of the ranks: ring, halving, and between.

An all-reduce that is good at 4,096 ranks goes through several levels: among the ranks
of a node first, then among groups of them. ``tune`` chooses the levels by a cost model
that was fitted to the ranks at hand, or of a machine that is only described::

    schedules     who sends what to whom, round by round
    communicator  what a collective needs of the ranks
    memory        ranks as threads of one process
    processes     ranks as processes, over torch.distributed
    membership    how a process becomes a rank; which rank failed
    launching     ranks as processes of this machine
    execution     all-reduce, reduce-scatter and all-gather by a schedule
    gradients     the same for the gradients of DistributedDataParallel
    cost_model    from a schedule to bytes and seconds
    tuning        the best schedule
    measurement   seconds on the ranks at hand
    fitting       from measured seconds to the cost model
    comparison    all schedules measured, predicted, and compared with the library
    topology      machines with shared links, in numbers
    simulation    a schedule played through on every rank of such a machine
"""

from cocodesign.collectives.communicator import Communicator, local_communicator
from cocodesign.collectives.cost_model import CostModel
from cocodesign.collectives.execution import all_gather, all_reduce, reduce_scatter
from cocodesign.collectives.processes import torch_communicator
from cocodesign.collectives.tuning import tune

__all__ = [
    "Communicator",
    "CostModel",
    "all_gather",
    "all_reduce",
    "local_communicator",
    "reduce_scatter",
    "torch_communicator",
    "tune",
]
