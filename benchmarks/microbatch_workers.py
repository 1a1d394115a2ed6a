"""A mini-batch divided over two processes of unequal speed.

``python -m benchmarks.microbatch_workers`` starts two processes of one thread each. The
second one plays a slower device: it computes every example several times. Both measure
how long they take for some numbers of examples, exchange the times, and divide the
mini-batch so that the last one is done as early as possible. It wants two free cores.

* ``gain_vs_best_single``: seconds of the faster process alone over those of both, by
  round; ``gain_possible`` is what the measured times promise.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measurement import report
from cocodesign.collectives import Communicator, all_gather
from cocodesign.collectives.launching import launch_ranks
from cocodesign.collectives.membership import join_ranks
from cocodesign.files import write_atomically
from cocodesign.microbatch.algorithms.direct import call_forward
from cocodesign.microbatch.distribution import split_mini_batch
from cocodesign.microbatch.problem import ConvProblem

PROBLEM = ConvProblem.square(64, 64, 64, size=28, kernel=3, padding=1)
MEASURED_SIZES = (1, 8, 24, 64)
LIMIT_S = 120.0


def main() -> None:
    """Start the processes, or be one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slowdown", type=int, default=2, help="of the second process")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the report here as well")
    parser.add_argument("--rank-folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank_folder:
        be_a_rank(arguments.rank_folder, arguments.slowdown, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rank_arguments = ["-m", "benchmarks.microbatch_workers"]
        rank_arguments += ["--rank-folder", str(folder)]
        rank_arguments += ["--slowdown", str(arguments.slowdown)]
        rank_arguments += ["--rounds", str(arguments.rounds)]
        launch_ranks(
            rank_arguments, world_size=2, limit_s=LIMIT_S, log_dir=folder / "logs"
        )
        results = json.loads((folder / "0.json").read_text(encoding="utf-8"))
    report(results, json_path=arguments.json)


def be_a_rank(folder: Path, slowdown: int, rounds: int) -> None:
    """Measure, divide, compute; rank 0 leaves the results.

    Args:
        folder: Where.
        slowdown: How many times the second rank computes every example.
        rounds: Pairs of timed mini-batches.
    """
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    size = PROBLEM.mini_batch_size
    x = torch.empty(size, PROBLEM.in_channels, *PROBLEM.input_size)
    x.normal_(generator=generator)
    w = torch.empty(PROBLEM.weight_shape).normal_(generator=generator)
    with join_ranks(limit_s=LIMIT_S) as ranks:
        repeats = slowdown if ranks.rank == 1 else 1

        def compute(num_examples: int) -> float:
            _meet(ranks)
            started = time.perf_counter()
            for _ in range(repeats):
                if num_examples:
                    call_forward(PROBLEM, x[:num_examples], w)
            return time.perf_counter() - started

        own = [statistics.median(compute(n) for _ in range(3)) for n in MEASURED_SIZES]
        everyone = _gathered(torch.tensor(own, dtype=torch.float64), ranks)
        seconds = [_at_all_sizes(times.tolist(), size) for times in everyone]
        sizes, promised_s = split_mini_batch(seconds, size)
        gains: list[float] = []
        for number in range(1 + rounds):
            alone = compute(size if ranks.rank == 0 else 0)
            both = compute(sizes[ranks.rank])
            times = _gathered(torch.tensor([alone, both], dtype=torch.float64), ranks)
            if number:  # the first round warms up
                last = torch.stack(times).amax(0)
                gains.append((last[0] / last[1]).item())
        if ranks.rank == 0:
            results = {
                "gain_vs_best_single": round(statistics.median(gains), 3),
                "gain_low": round(min(gains), 3),
                "gain_high": round(max(gains), 3),
                "gain_possible": round(seconds[0][size] / promised_s, 3),
                "examples": list(sizes),
                "slowdown": slowdown,
            }
            write_atomically(folder / "0.json", json.dumps(results))


def _meet(ranks: Communicator) -> None:
    """Wait until both are here."""
    _gathered(torch.zeros(1, dtype=torch.float64), ranks)


def _gathered(values: Tensor, ranks: Communicator) -> list[Tensor]:
    return list(all_gather(values, ranks, [tuple(values.shape)] * ranks.world_size))


def _at_all_sizes(measured: list[float], size: int) -> list[float]:
    """Return the times for 0 to ``size`` examples, by lines between the measured."""
    known = torch.tensor([0.0, *map(float, MEASURED_SIZES)])
    times = [0.0, *measured]
    filled: list[float] = []
    for n in range(size + 1):
        right = int(torch.searchsorted(known, float(max(n, 1))))
        left = right - 1
        share = (n - known[left].item()) / (known[right] - known[left]).item()
        filled.append(times[left] + share * (times[right] - times[left]))
    return filled


if __name__ == "__main__":
    sys.exit(main())
