"""What each rank of a training does.

Every rank draws the same global mini-batches and works on its share of each, so that a
checkpoint knows nothing of the number of ranks: it continues on any other number that
divides the mini-batch. Gradients are averaged by ``DistributedDataParallel`` with our
collectives below it.
"""

import faulthandler
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Optimizer

from cocodesign.collectives import Communicator, all_reduce
from cocodesign.collectives.gradients import average_gradients_by
from cocodesign.collectives.membership import is_communication_failure
from cocodesign.data import load_dataset
from cocodesign.errors import CollectiveError
from cocodesign.kfac import KFAC
from cocodesign.models import ConvNet
from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.training.batches import Batch, BatchStream, ResumableStream
from cocodesign.training.checkpoint import load_checkpoint, save_checkpoint
from cocodesign.training.job import CHECKPOINT_LINE, TrainingJob
from cocodesign.training.loop import Step, train

_NUM_SYNTHETIC = 2048


class ShareOfRank(Iterator[Batch]):
    """One rank's examples of the mini-batches of a stream.

    Args:
        batches: The mini-batches of all ranks together; every rank has an equal stream.
        communicator: The ranks, whose number divides the mini-batch.
    """

    def __init__(self, batches: ResumableStream, communicator: Communicator) -> None:
        self._batches = batches
        self._rank = communicator.rank
        self._world_size = communicator.world_size

    def __next__(self) -> Batch:
        examples, labels = next(self._batches)
        size = len(examples) // self._world_size
        own = slice(self._rank * size, (self._rank + 1) * size)
        return examples[own], labels[own]


def train_rank(
    job: TrainingJob,
    communicator: Communicator,
    *,
    device: torch.device,
    say: Callable[[str], None],
) -> None:
    """Do one rank's part of a job.

    If a step takes longer than twice the job's limit, this *process* is ended with a
    traceback of every thread: a rank that hangs cannot end itself in any other way.

    Args:
        job: The training.
        communicator: The ranks.
        device: Where this rank computes.
        say: Is told of every checkpoint and of the loss, over all ranks.

    Raises:
        ValueError: If the ranks do not divide the mini-batch.
        CollectiveError: If another rank failed; it names the last checkpoint.
        RuntimeError: If this rank failed by itself.
    """
    job.check_divides(communicator.world_size)
    network, batches = _build(job, device)
    model = _data_parallel(network, communicator)
    optimizer = _optimizer(job, model, communicator)
    path = Path(job.checkpoint) if job.checkpoint else None
    num_done = 0
    if path is not None and path.exists():
        num_done = load_checkpoint(path, network, optimizer, batches)["num_steps"]
        say(f"{CHECKPOINT_LINE}{num_done}: {path}, resumed")
    share = ShareOfRank(batches, communicator)
    losses: list[torch.Tensor] = []

    def look(step: Step) -> bool:
        losses[:] = [step.loss]
        _expect_another_step(job)
        return False

    try:
        while num_done < job.num_steps:
            num_steps = min(job.checkpoint_interval, job.num_steps - num_done)
            _expect_another_step(job)
            train(model, optimizer, share, num_steps=num_steps, callbacks=[look])
            loss = all_reduce(losses[0], communicator) / communicator.world_size
            say(f"step {num_done + num_steps} of {job.num_steps}: loss {loss:.6f}")
            if path is not None:
                progress = num_done + num_steps
                _keep(path, network, optimizer, batches, progress, communicator)
                say(f"{CHECKPOINT_LINE}{progress}: {path}")
            num_done += num_steps
    except (CollectiveError, RuntimeError) as error:
        if not is_communication_failure(error):
            raise
        last = f"step {num_done}, {path}" if path and path.exists() else "none"
        raise CollectiveError(f"{error}; last checkpoint: {last}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()


def _build(job: TrainingJob, device: torch.device) -> tuple[nn.Module, BatchStream]:
    if job.dataset == "fashion_mnist":
        dataset = load_dataset("fashion_mnist", download=False)
        examples, labels = dataset.normalised()[0], dataset.train.labels
    else:
        generator = random_stream(job.seed, "synthetic")
        labels = torch.randint(10, (_NUM_SYNTHETIC,), generator=generator)
        patterns = torch.randn(10, 1, 28, 28, generator=generator)
        noise = torch.randn(_NUM_SYNTHETIC, 1, 28, 28, generator=generator)
        examples = patterns[labels] + noise
    with seeded_globally(job.seed, "weights"):
        network = ConvNet().to(device)
    batches = BatchStream(
        examples.to(device),
        labels.to(device),
        job.mini_batch_size,
        random_stream(job.seed, "batches"),
    )
    return network, batches


def _data_parallel(network: nn.Module, communicator: Communicator) -> nn.Module:
    if communicator.world_size == 1:
        return network
    model = DistributedDataParallel(network)
    average_gradients_by(model, communicator)
    return model


def _optimizer(
    job: TrainingJob, model: nn.Module, communicator: Communicator
) -> Optimizer:
    if job.optimizer == "sgd":
        return SGD(model.parameters(), lr=job.learning_rate, momentum=0.9)
    return KFAC(
        model,
        lr=job.learning_rate,
        damping=job.damping,
        communicator=communicator,
        num_workers=job.num_workers or None,
    )


def _keep(
    path: Path,
    network: nn.Module,
    optimizer: Optimizer,
    batches: BatchStream,
    num_steps: int,
    communicator: Communicator,
) -> None:
    """Write a checkpoint on one rank; all take part in collecting the state."""
    if communicator.rank == 0:
        progress = {"num_steps": num_steps}
        save_checkpoint(path, network, optimizer, batches, progress=progress)
    else:
        optimizer.state_dict()
    here = next(network.parameters()).new_zeros(1)
    all_reduce(here, communicator)  # nobody tells of it before it is there


def _expect_another_step(job: TrainingJob) -> None:
    faulthandler.dump_traceback_later(2 * job.limit_s, exit=True)
