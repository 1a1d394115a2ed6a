"""One rank of a training: ``torchrun --nproc-per-node 4 -m cocodesign.training``.

Without ``torchrun`` it trains alone. The options are the attributes of ``TrainingJob``.
"""

import argparse
from dataclasses import fields

import torch
import typer

from cocodesign.collectives.membership import join_ranks
from cocodesign.devices import choose_device
from cocodesign.training.distributed import train_rank
from cocodesign.training.job import TrainingJob


def main() -> None:
    """Read the job, join the other ranks and train."""
    job = parse_job()
    device = choose_device(job.device)
    with join_ranks(limit_s=job.limit_s, device=device) as communicator:
        if device.type == "cuda":
            number = communicator.rank % torch.cuda.device_count()
            device = torch.device("cuda", number)
            torch.cuda.set_device(device)
        train_rank(job, communicator, device=device, say=typer.echo)


def parse_job(arguments: list[str] | None = None) -> TrainingJob:
    """Read a job from command-line arguments.

    Args:
        arguments: What ``TrainingJob.to_arguments`` gives, or a part of it; ``None``
            means those of this process.

    Returns:
        The job.
    """
    parser = argparse.ArgumentParser(
        prog="cocodesign.training",
        description=f"{__doc__}\n{TrainingJob.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for field in fields(TrainingJob):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
        )
    return TrainingJob(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
