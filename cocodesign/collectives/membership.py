"""How a process becomes a rank, and how it learns which rank has failed.

A rank that waits in vain knows whom it waited for, which need not be the culprit: that
one may itself wait for a third. Hence every rank that gives up leaves a note in the
rendezvous store, which does not depend on the broken connections, and looks who left
none: those are dead, or hang.
"""

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

# Documented by torch, but not marked as exported.
from torch.distributed import (
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage]
    Store,  # pyright: ignore[reportPrivateImportUsage]
    rendezvous,  # pyright: ignore[reportPrivateImportUsage]
)
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from cocodesign.collectives.communicator import Communicator, local_communicator
from cocodesign.collectives.processes import torch_communicator
from cocodesign.errors import CollectiveError

_ROLL_CALL_S = 3.0  # ranks that wait for one another give up within less than this
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


@contextmanager
def join_ranks(
    *, limit_s: float, device: torch.device | str = "cpu"
) -> Iterator[Communicator]:
    """Make this process a rank of the job that ``torchrun`` started.

    Without ``torchrun`` the process is alone, with the local communicator. The process
    ends with its launcher, even if that is killed.

    Args:
        limit_s: The longest wait for other ranks, at any point, in seconds.
        device: Where the tensors to exchange are; CUDA devices use NCCL, others gloo.

    Yields:
        This rank's communicator.

    Raises:
        ValueError: If the limit is not positive.
        CollectiveError: If another rank died or did not answer within the limit; the
            message names those that gave no sign any more.
    """
    if not limit_s > 0:
        raise ValueError(f"limit_s must be positive, got {limit_s}")
    if "RANK" not in os.environ:
        yield local_communicator()
        return
    _end_with_parent()
    store, rank, world_size = next(rendezvous("env://"))
    notes = PrefixStore("roll call", store)
    backend = "nccl" if torch.device(device).type == "cuda" else "gloo"
    try:
        dist.init_process_group(
            backend,
            store=PrefixStore("group", store),
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=limit_s),
        )
        yield torch_communicator()
    except Exception as error:  # every one is raised again, here or by its explanation
        if not is_communication_failure(error):
            get_error_handler().record_exception(error)  # where torchrun looks for it
            raise
        explained = _explained(error, notes, rank, world_size, limit_s)
        get_error_handler().record_exception(explained)
        raise explained from error
    dist.destroy_process_group()


def is_communication_failure(error: BaseException) -> bool:
    """Tell whether an error says that another rank could not be reached.

    Args:
        error: Any error.

    Returns:
        True for a ``CollectiveError`` and for what the communication library itself
        raises, such as when ``DistributedDataParallel`` sends buffers.
    """
    # Gloo raises a RuntimeError like any other, except for the place it names.
    return isinstance(error, CollectiveError | dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo/" in str(error)
    )


def _explained(
    error: Exception, notes: Store, rank: int, world_size: int, limit_s: float
) -> CollectiveError:
    silent = _silent_ranks(notes, rank, world_size)
    named = f"{_named(silent)} died or gave no sign for {limit_s:g} s; " * bool(silent)
    return CollectiveError(f"{named}rank {rank} noticed: {error}")


def _silent_ranks(notes: Store, rank: int, world_size: int) -> list[int]:
    """Return the ranks that have not given up themselves within a short time."""
    notes.set(str(rank), "gave up")
    silent = []
    patience = timedelta(seconds=_ROLL_CALL_S)
    for other in range(world_size):
        try:
            notes.wait([str(other)], patience)
        except RuntimeError:  # what a store raises when the time is over
            silent.append(other)
            patience = timedelta(seconds=0.1)  # the rest had its time already
    return silent


def _named(ranks: list[int]) -> str:
    return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}"


def _end_with_parent() -> None:
    """Ask the kernel to end this process with its launcher, where it can."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
