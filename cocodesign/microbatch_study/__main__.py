"""One of the processes: ``torchrun … -m cocodesign.microbatch_study``."""

import argparse
from pathlib import Path

import torch

from cocodesign.collectives.membership import join_ranks
from cocodesign.files import write_atomically
from cocodesign.microbatch_study.here import DistributionTrials
from cocodesign.microbatch_study.trials import try_partitions, try_workers


def main() -> None:
    """Measure together with the other ranks; the first one writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the results")
    parser.add_argument("--slowdown", type=int, default=2, help="of the others")
    parser.add_argument("--rounds", type=int, default=7, help="timed repetitions")
    parser.add_argument("--limit-s", type=float, default=120.0, help="longest wait")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a program's own choice: there is a process for each core
    with join_ranks(limit_s=arguments.limit_s) as ranks:
        trials = DistributionTrials(
            try_workers(
                ranks, slowdown=arguments.slowdown, num_rounds=arguments.rounds
            ),
            try_partitions(ranks, num_rounds=arguments.rounds),
        )
        if ranks.rank == 0:
            write_atomically(arguments.json, trials.to_json())


if __name__ == "__main__":
    main()
