"""The trials of distribution on processes of this machine."""

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from cocodesign.collectives.launching import launch_ranks
from cocodesign.microbatch_study.trials import PartitionTrial, WorkersTrial
from cocodesign.results import Column, Measurement


@dataclass(frozen=True)
class DistributionTrials:
    """What two processes gave.

    Attributes:
        workers: A mini-batch divided over unequal workers.
        partitions: Convolutions cut along every axis.
    """

    workers: WorkersTrial
    partitions: tuple[PartitionTrial, ...]

    def metrics(self) -> dict[str, Measurement]:
        """Return what claims are judged by.

        Returns:
            ``heterogeneous_gain``, by round, and ``partition_regret``, the median over
            the layers.
        """
        regrets = [each.regret for each in self.partitions]
        return {
            "heterogeneous_gain": Measurement(
                self.workers.gains,
                "x",
                note=f"examples {' + '.join(map(str, self.workers.num_examples))}; the "
                f"measured speeds promised {self.workers.possible:.2f}",
            ),
            "partition_regret": Measurement(
                (statistics.median(regrets),),
                "x",
                note=f"median over {len(regrets)} layers, at most {max(regrets):.2f}",
            ),
        }

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``partitions``, a row for each layer and axis."""
        rows = [
            (trial.label, axis, second, axis == trial.chosen)
            for trial in self.partitions
            for axis, second in trial.seconds.items()
        ]
        return {
            "partitions": {
                name: [row[index] for row in rows]
                for index, name in enumerate(("layer", "axis", "step_s", "is_chosen"))
            }
        }

    def to_json(self) -> str:
        """Return what ``from_json`` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "DistributionTrials":
        """Read what ``to_json`` wrote.

        Args:
            text: JSON.

        Returns:
            The trials.
        """
        content = json.loads(text)
        workers = content["workers"]
        return cls(
            WorkersTrial(
                tuple(workers["gains"]),
                workers["possible"],
                tuple(workers["num_examples"]),
            ),
            tuple(PartitionTrial(**each) for each in content["partitions"]),
        )


def distribute_here(
    folder: Path | str, *, slowdown: int, num_rounds: int, limit_s: float
) -> DistributionTrials:
    """Try both kinds of distribution on two processes, the second one slowed down.

    It wants two free cores.

    Args:
        folder: For the ranks' logs and their result.
        slowdown: How many times the second process computes every example of a divided
            mini-batch; cuts of convolutions are tried at equal speed.
        num_rounds: Timed repetitions.
        limit_s: After this many seconds the processes are ended.

    Returns:
        What they measured.

    Raises:
        RankFailedError: If a process failed or the limit passed.
    """
    path = Path(folder) / "distribution.json"
    arguments = ["-m", "cocodesign.microbatch_study", "--json", str(path)]
    arguments += ["--slowdown", str(slowdown), "--rounds", str(num_rounds)]
    arguments += ["--limit-s", str(limit_s)]
    launch_ranks(
        arguments, world_size=2, limit_s=limit_s, log_dir=Path(folder) / "logs"
    )
    return DistributionTrials.from_json(path.read_text(encoding="utf-8"))
