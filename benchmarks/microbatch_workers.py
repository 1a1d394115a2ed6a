"""Convolutions over two processes: a mini-batch divided, and layers cut.

``python -m benchmarks.microbatch_workers [--quick] [--json FILE]`` starts two processes
of one thread each. It wants two free cores.

* ``gain_vs_best_single``: a mini-batch divided so that the last one is done as early as
  possible, where the second process plays a device of half the speed: seconds of the
  first process alone over those of both, median and by round; ``gain_possible`` is what
  the measured times promise (1.5 without any loss).
* ``partition_regret``: by layer, time of a step along the axis that the cost model
  chose over that along the best axis; ``partition_regret_median`` over the layers.
"""

import statistics
import tempfile

from benchmarks.measurement import parse_arguments, report
from cocodesign.microbatch_study import distribute_here

_LIMIT_S = 300.0


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        trials = distribute_here(
            folder,
            slowdown=2,
            num_rounds=3 if arguments.quick else 15,
            limit_s=_LIMIT_S,
        )
    regrets = {each.label: round(each.regret, 3) for each in trials.partitions}
    results = {
        "quick": arguments.quick,
        "gain_vs_best_single": round(statistics.median(trials.workers.gains), 3),
        "gains": [round(gain, 3) for gain in trials.workers.gains],
        "gain_possible": round(trials.workers.possible, 3),
        "examples": list(trials.workers.num_examples),
        "partition_regret": regrets,
        "partition_regret_median": statistics.median(regrets.values()),
        "partition_choices": {each.label: each.chosen for each in trials.partitions},
        "partition_seconds": {
            each.label: {axis: round(s, 5) for axis, s in each.seconds.items()}
            for each in trials.partitions
        },
    }
    report(results, json_path=arguments.json)


if __name__ == "__main__":
    main()
