"""Tuned collectives beside every other schedule and the library's own all-reduce.

Processes of this machine over gloo, p = 2, 4 and 8 (``--quick``: 2 and 4); if there are
fewer cores than processes, all ways suffer alike. For every p and size from 1 KiB to
16 MiB all schedules are timed in turn; the cost model is fitted to measurements of
their own at other sizes.

* ``tuner_regret``: time of the tuned choice over that of the best schedule, the median
  over sizes and p; ``tuner_regret_by_ranks`` for each p.
* ``prediction_error``: relative error of the predicted times, the median over all.
* ``vs_gloo_all_reduce``: time of the tuned choice over gloo's all-reduce, by size, the
  median over p; below 1 the tuned choice is faster.
* ``simulated_speedup_4096``: the ring's predicted time over that of the tuned choice,
  for 1 KiB on 4,096 ranks with links of 10 µs. No measurement.
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import parse_arguments, report
from cocodesign.collectives.comparison import Comparison, compare_here
from cocodesign.collectives.cost_model import CostModel, Tier, predict
from cocodesign.collectives.schedules import ring
from cocodesign.collectives.tuning import tune

_LIMIT_S = 900.0


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    exponents = (10, 14, 18, 22) if quick else range(10, 25, 2)
    sizes_bytes = [2**exponent for exponent in exponents]
    with tempfile.TemporaryDirectory() as name:
        comparisons = [
            compare_here(
                world_size,
                sizes_bytes,
                num_turns=3 if quick else 9,
                folder=Path(name),
                limit_s=_LIMIT_S,
                report=lambda rank, line: print(f"rank {rank}: {line}", flush=True),
            )
            for world_size in ((2, 4) if quick else (2, 4, 8))
        ]
    report(
        {"quick": quick, **summarise(comparisons), **simulate_4096()},
        json_path=arguments.json,
    )


def summarise(comparisons: Sequence[Comparison]) -> dict[str, object]:
    """Return the figures of the report.

    Args:
        comparisons: One per number of processes.

    Returns:
        Medians, and all numbers behind them.
    """
    regrets = [each.regrets() for each in comparisons]
    ratios = [each.library_ratios() for each in comparisons]
    errors = [error for each in comparisons for error in each.errors().values()]
    sizes = comparisons[0].sizes_bytes
    return {
        "tuner_regret": _median(value for each in regrets for value in each.values()),
        "tuner_regret_by_ranks": {
            str(each.world_size): _median(regret.values())
            for each, regret in zip(comparisons, regrets, strict=True)
        },
        "prediction_error": _median(errors),
        "vs_gloo_all_reduce": {
            str(size): _median(ratio[size] for ratio in ratios) for size in sizes
        },
        "vs_gloo_all_reduce_by_ranks": {
            str(each.world_size): {
                str(size): round(value, 3) for size, value in ratio.items()
            }
            for each, ratio in zip(comparisons, ratios, strict=True)
        },
        "choices": {
            str(each.world_size): {
                str(size): chosen for size, chosen in each.choices.items()
            }
            for each in comparisons
        },
        "median_ms": {
            str(each.world_size): {
                f"{timing.schedule} {timing.num_bytes}": round(1e3 * timing.median_s, 3)
                for timing in each.timings
            }
            for each in comparisons
        },
    }


def simulate_4096() -> dict[str, float]:
    """Return the predicted gain over a ring where latency is all that counts."""
    model = CostModel((Tier(None, latency_s=10e-6, seconds_per_byte=1e-10),))
    tuned_s = predict(model, tune(model, 4096, 1024), 1024)
    return {
        "simulated_speedup_4096": round(predict(model, ring(4096), 1024) / tuned_s, 1)
    }


def _median(values: object) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
