"""A training on several processes, as a value that can be launched."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from cocodesign.collectives.launching import Report, launch_ranks
from cocodesign.errors import RankFailedError

DatasetName = Literal["fashion_mnist", "synthetic"]
OptimizerName = Literal["kfac", "sgd"]

CHECKPOINT_LINE = "checkpoint at step "
"""How a rank's line begins that tells of a checkpoint."""


@dataclass(frozen=True)
class TrainingJob:
    """A training, whatever the number of ranks.

    Attributes:
        dataset: What is learned; ``synthetic`` needs no files.
        optimizer: Who trains, with momentum 0.9.
        num_steps: Steps in total, those before a resumption included.
        mini_batch_size: Of all ranks together.
        learning_rate: Constant.
        damping: λ of K-FAC.
        num_workers: Ranks that hold each layer's inverses in K-FAC, a divisor of the
            number of ranks; 0 means all (COMM-OPT), 1 is MEM-OPT.
        seed: Of weights and mini-batches.
        limit_s: The longest that a rank waits for another one, and half the longest
            that a step may take, in seconds.
        device: ``cpu``, ``cuda`` or ``auto``; a rank takes the CUDA device of its
            local number.
        checkpoint: Where the state is kept; if the file is there, the training goes on
            from it. Empty for no checkpoints.
        checkpoint_interval: Steps between checkpoints; one more is at the end.
    """

    dataset: DatasetName = "fashion_mnist"
    optimizer: OptimizerName = "kfac"
    num_steps: int = 100
    mini_batch_size: int = 512
    learning_rate: float = 0.1
    damping: float = 1e-3
    num_workers: int = 0
    seed: int = 0
    limit_s: float = 60.0
    device: str = "auto"
    checkpoint: str = ""
    checkpoint_interval: int = 50

    def __post_init__(self) -> None:
        for name, allowed in (
            ("dataset", get_args(DatasetName)),
            ("optimizer", get_args(OptimizerName)),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {value!r}"
                )
        for name in ("num_steps", "mini_batch_size", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not self.limit_s > 0:
            raise ValueError(f"limit_s must be positive, got {self.limit_s}")

    def check_divides(self, world_size: int) -> None:
        """Refuse ranks that cannot share the mini-batch equally.

        Args:
            world_size: The number of ranks.

        Raises:
            ValueError: If it does not divide the mini-batch.
        """
        if self.mini_batch_size % world_size:
            raise ValueError(
                f"a mini-batch of {self.mini_batch_size} cannot be shared equally by "
                f"{world_size} ranks"
            )

    def to_arguments(self) -> list[str]:
        """Return the job as arguments of ``python -m cocodesign.training``."""
        return [
            f"--{name.replace('_', '-')}={value}"
            for name, value in asdict(self).items()
        ]


def launch_training(
    job: TrainingJob,
    *,
    world_size: int,
    limit_s: float,
    log_dir: Path,
    report: Report | None = None,
) -> None:
    """Run a job as processes of this machine, and wait for it.

    On a cluster the same job is ``torchrun -m cocodesign.training`` with
    ``job.to_arguments()``.

    Args:
        job: The training.
        world_size: The number of processes, a divisor of the mini-batch size.
        limit_s: After this many seconds all are ended.
        log_dir: A folder for the logs, made if missing.
        report: Called with every line that a rank prints, while it runs.

    Raises:
        ValueError: If the ranks do not divide the mini-batch.
        RankFailedError: If a rank failed or the limit passed; it names the rank, the
            cause and the last checkpoint.
    """
    job.check_divides(world_size)
    checkpoints: list[str] = []

    def watch(rank: int, line: str) -> None:
        if line.startswith(CHECKPOINT_LINE):
            checkpoints.append(line)
        if report is not None:
            report(rank, line)

    try:
        launch_ranks(
            ["-m", "cocodesign.training", *job.to_arguments()],
            world_size=world_size,
            limit_s=limit_s,
            log_dir=log_dir,
            report=watch,
        )
    except RankFailedError as error:
        last = f"last {checkpoints[-1]}" if checkpoints else "there is no checkpoint"
        raise RankFailedError(f"{error}; {last}") from error
