"""Micro-batched convolution beside torch's own and the best undivided algorithm.

One thread, the processor's time, the sides in turns, medians of ratios. The C library
keeps freed memory, so that no side gains by touching fewer new pages.

* ``gain_vs_best_undivided``: by workspace limit in MiB, the geometric mean over ten
  layers of DeepBench with windows of 3x3 and 5x5 at a mini-batch of 128 of the time
  of the fastest algorithm that fits undivided over the time of the plan (forward).
* ``gain_vs_torch``: the same over torch's own convolution, which no limit concerns.
* ``worst_case``: the least gain over torch's own on all 94 of its layers.
* ``alexnet_step_gain_vs_torch``, ``resnet18_step_gain_vs_torch``: of a whole training
  step (forward, backward, SGD), planned within the memory that torch's own step takes.
* ``peak_error_fraction``: the largest error of the predicted peak of those steps.
* ``planning_s``, ``planning_gap``: one budget for 161 layers times three directions,
  powers of two up to 256, and how far from optimal the result can be at most.
* ``gradient_error``: the largest error in single precision, relative to the largest
  gradient, over the planned steps.

mu-cuDNN itself needs CUDA 8 and frameworks of 2018; it is reported as missing.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.measurement import report
from benchmarks.microbatch_steps import measure_steps
from cocodesign.microbatch.comparison import LimitOutcome, compare_limits
from cocodesign.microbatch.deepbench import deepbench_layers, window_layers
from cocodesign.microbatch.division import Candidate
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.planner import candidate_sizes
from cocodesign.microbatch.sharing import share_workspace
from cocodesign.microbatch.timings import Timings
from cocodesign.training import keep_freed_memory

MIB = 1 << 20
LIMITS_MIB = (8, 64, 128)
WORST_CASE_LIMIT_MIB = 64
QUICK_LAYERS = (3, 5, 7)  # of the ten: a large picture, a small one, a large window


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a part, within 90 s")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=("planning", "limits", "worst", "steps"),
        default=("planning", "limits", "worst", "steps"),
        help="only these measurements",
    )
    parser.add_argument("--timings", type=Path, help="folder of kept timings")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    torch.set_num_threads(1)
    keep_freed_memory()
    timings = Timings(arguments.timings, repetitions=2 if quick else 3)
    results: dict[str, Any] = {"quick": quick, "mu_cudnn": "missing: needs CUDA 8"}
    if "planning" in arguments.only:
        results |= measure_planning()
    if "limits" in arguments.only:
        results |= measure_limits(timings, quick=quick)
    if "worst" in arguments.only:
        results |= measure_worst_case(timings, quick=quick)
    if "steps" in arguments.only:
        results |= measure_steps(timings, quick=quick)
    report(results, json_path=arguments.json)


def measure_planning() -> dict[str, float]:
    """Plan a synthetic table of the size of ResNet-50's, with one common budget."""
    rng = random.Random(0)
    kernels = [_kernel(rng) for _ in range(161 * 3)]
    started = time.process_time()
    fronts = [pareto_front(candidates, 256) for candidates in kernels]
    plan = share_workspace(fronts, 4096 * MIB)
    return {
        "planning_s": round(time.process_time() - started, 3),
        "planning_gap": plan.gap_fraction,
    }


def _kernel(rng: random.Random) -> list[Candidate]:
    """Draw four algorithms: without workspace, with little, and two fast ones."""
    work = rng.uniform(1, 4) / 256
    kinds = (
        ("gemm", 1.0, 0.01, 0),
        ("implicit", 1.3, 0.02, MIB // 16),
        ("fft", rng.uniform(1.2, 3), 0.2, 4 * MIB),
        ("winograd", rng.uniform(1.2, 2.5), 0.1, MIB),
    )
    return [
        Candidate(name, size, work * (size / speed + fixed), memory * (size + 1))
        for name, speed, fixed, memory in kinds
        for size in candidate_sizes(256, "power_of_two")
    ]


def measure_limits(timings: Timings, *, quick: bool) -> dict[str, Any]:
    """Compare plans with undivided algorithms under several limits."""
    layers = window_layers(32 if quick else 128)
    if quick:
        layers = tuple(layers[index] for index in QUICK_LAYERS)
    outcomes: list[LimitOutcome] = []
    for problem in layers:
        limits = [limit * MIB for limit in LIMITS_MIB]
        outcomes += compare_limits(problem, [*limits, None], timings=timings)
        _show(outcomes[-len(limits) - 1 :])
    by_limit = {
        _name(limit): [
            each
            for each in outcomes
            if _name(each.workspace_limit_bytes) == _name(limit)
        ]
        for limit in [*(limit * MIB for limit in LIMITS_MIB), None]
    }
    return {
        "mini_batch_size": layers[0].mini_batch_size,
        "gain_vs_best_undivided": {
            name: _mean([each.gain_vs_undivided for each in some])
            for name, some in by_limit.items()
        },
        "gain_vs_torch": {
            name: _mean([each.gain_vs_torch for each in some])
            for name, some in by_limit.items()
        },
        "layers": [_row(each) for each in outcomes],
    }


def measure_worst_case(timings: Timings, *, quick: bool) -> dict[str, Any]:
    """Plan every layer of the list at its own mini-batch; find the least gain."""
    problems = deepbench_layers()[:: 12 if quick else 1]
    limit = WORST_CASE_LIMIT_MIB * MIB
    outcomes: dict[Any, LimitOutcome] = {}
    for problem in dict.fromkeys(problems):
        (outcomes[problem],) = compare_limits(problem, [limit], timings=timings)
        _show([outcomes[problem]])
    gains = [outcomes[problem].gain_vs_torch for problem in problems]
    return {
        "worst_case": round(min(gains), 3),
        "all_layers_gain_vs_torch": _mean(gains),
        "all_layers": [_row(outcomes[problem]) for problem in problems],
    }


def _row(outcome: LimitOutcome) -> dict[str, Any]:
    return {
        "layer": outcome.problem.label,
        "mini_batch_size": outcome.problem.mini_batch_size,
        "limit_mib": _name(outcome.workspace_limit_bytes),
        "plan": str(outcome.divided),
        "best_undivided": str(outcome.undivided),
        "gain_vs_best_undivided": round(outcome.gain_vs_undivided, 3),
        "gain_vs_torch": round(outcome.gain_vs_torch, 3),
    }


def _show(outcomes: Sequence[LimitOutcome]) -> None:
    for outcome in outcomes:
        print(" ".join(str(value) for value in _row(outcome).values()), flush=True)


def _name(limit: int | None) -> str:
    return "none" if limit is None else str(limit // MIB)


def _mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return round(math.exp(statistics.fmean(map(math.log, ratios))), 3)


if __name__ == "__main__":
    main()
