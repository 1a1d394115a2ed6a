"""K-FAC beside first-order optimizers and other people's second-order ones.

``python -m benchmarks.kfac [--quick] [--json FILE] [--journal FILE]``. All ratios are
ours over theirs: smaller is better. Every optimizer has the same number of tuning
trials, placed by a low-discrepancy design and judged on validation images; races are
judged on test images, with several seeds.

* ``steps_ratio_vs_first_order``: by mini-batch size, steps to the target over those of
  the best of SGD, LARS and AdamW there;
* ``wall_ratio_vs_first_order``: the same in seconds, at full batch;
* ``steps_ratio_vs_best_peer``: at full batch, where alone they race, over the best of
  all other peers;
* ``step_time_ratio_vs_sgd``: an average step with stale statistics, by mini-batch size;
* ``stale_extra_steps``: how many more steps stale statistics take than fresh ones, at
  full batch, as a fraction;
* ``step_time_ratio_vs_peer``: a step at equal refresh intervals, all examples;
* ``coverage_passed``: cases of the layer matrix that hold;
* ``ablation``: what K-FAC's own settings change.

Where an optimizer did not arrive, a ratio is a bound and says so. ``--journal`` keeps
finished trainings, so that a benchmark that was killed goes on; remove the file after
a change of the code. A full run takes about an hour on two CPU cores.
"""

import argparse
import dataclasses
import statistics
from pathlib import Path
from typing import Any

from benchmarks.kfac import ablation, memory, protocol, ratios, step_time
from benchmarks.kfac.peers import PEERS
from benchmarks.kfac_coverage import coverage_passed
from benchmarks.measurement import report
from cocodesign.kfac import StaleSchedule
from cocodesign.studies import Contender, Journal, Rules, compare_convergence
from cocodesign.studies.comparison import Comparison
from cocodesign.studies.outcomes import Outcome
from cocodesign.studies.race import run_race
from cocodesign.studies.task import MemoryTask
from cocodesign.training import keep_freed_memory

_STEP_TIME_SIZE = 1_500  # of the comparison with peers
_SMALLEST_STALE_SIZE = 1_024


def main() -> None:
    """Measure and report."""
    arguments = _parse_arguments()
    quick: bool = arguments.quick
    keep_freed_memory()
    task = protocol.load_task(quick=quick)
    rules = protocol.make_rules(quick=quick)
    contenders, peers, missing = make_contenders(quick=quick)
    journal = Journal(arguments.journal) if arguments.journal else None
    comparison = compare(task, contenders, peers, rules, journal)
    names = [contender.name for contender in (*contenders, *peers)]
    results: dict[str, Any] = {
        "quick": quick,
        "protocol": {
            **dataclasses.asdict(rules),
            "num_trials": len(contenders[0].settings),
        },
        "missing": missing,
        **ratios.summary(comparison, names),
        **measure_steps(task, comparison, rules, journal, quick=quick),
        **measure_coverage(),
    }
    report(results, json_path=arguments.json)


def compare(
    task: MemoryTask,
    contenders: list[Contender],
    peers: list[Contender],
    rules: Rules,
    journal: Journal | None,
) -> Comparison:
    """Race the contenders at all mini-batch sizes, the peers at full batch alone."""
    # By the same rules; but some of the peers' steps are ten times as dear as ours.
    full = rules.mini_batch_sizes.index(max(rules.mini_batch_sizes))
    at_full_batch = dataclasses.replace(
        rules,
        mini_batch_sizes=(rules.mini_batch_sizes[full],),
        evaluation_intervals=(rules.evaluation_intervals[full],),
    )
    parts = [
        compare_convergence(
            task,
            protocol.build_model,
            chosen,
            conditions,
            report=lambda phase, outcome: print(phase, outcome.summary, flush=True),
            journal=journal,
        )
        for chosen, conditions in ((contenders, rules), (peers, at_full_batch))
        if chosen
    ]
    return Comparison(
        rules,
        tuple(trial for part in parts for trial in part.trials),
        tuple(race for part in parts for race in part.races),
    )


def make_contenders(
    *, quick: bool
) -> tuple[list[Contender], list[Contender], dict[str, str]]:
    """Return ours with first-order optimizers, the peers, and which are missing."""
    num_trials = 1 if quick else protocol.NUM_TRIALS
    seed = protocol.DESIGN_SEED
    contenders = [
        make(num_trials, seed=seed)
        for make in (Contender.sgd, Contender.lars, Contender.adamw)
    ]
    contenders.append(protocol.our_contender(num_trials))
    peers: list[Contender] = []
    missing: dict[str, str] = {}
    for peer in PEERS:
        contender = peer.contender(
            num_trials, seed=seed, factor_interval=protocol.PEERS_INTERVAL
        )
        if contender is None:
            missing[peer.name] = f"{peer.module} is not installed"
        else:
            peers.append(contender)
    return contenders, peers, missing


def measure_coverage() -> dict[str, Any]:
    """Count the cases of the layer matrix that hold."""
    passed = coverage_passed()
    return {
        "coverage_passed": sum(passed.values()),
        "coverage_cases": len(passed),
        "coverage_failed": [name for name, holds in passed.items() if not holds],
    }


def measure_steps(
    task: MemoryTask,
    comparison: Comparison,
    rules: Rules,
    journal: Journal | None,
    *,
    quick: bool,
) -> dict[str, Any]:
    """Return the keys about single steps and about K-FAC's own settings."""
    full = max(rules.mini_batch_sizes)
    setting = comparison.races_of(ratios.OURS, full)[0].setting
    stale = protocol.our_contender(1, factor_interval=StaleSchedule())
    sizes = [size for size in rules.mini_batch_sizes if size >= _SMALLEST_STALE_SIZE]
    second_order = [peer for peer in PEERS if peer.is_second_order]
    at_interval = [
        peer.contender(1, seed=0, factor_interval=protocol.PEERS_INTERVAL)
        for peer in second_order
    ]
    peers_like = protocol.our_contender(
        1, factor_interval=protocol.PEERS_INTERVAL, num_factor_examples=None
    )
    return {
        "step_time_ratio_vs_sgd": step_time.time_stale_steps(
            task, stale, setting, sizes, rounds=1 if quick else 5
        ),
        "stale_extra_steps": extra_steps(task, comparison, rules, journal),
        "step_time_ratio_vs_peer": step_time.time_peers(
            task,
            peers_like,
            [each for each in at_interval if each is not None],
            dataclasses.replace(setting, learning_rate=1e-4),
            min(_STEP_TIME_SIZE, full),
            rounds=1 if quick else 3,
        ),
        "keep_freed_memory_step_time_ratio": memory.step_time_ratio(
            rounds=1 if quick else 3
        ),
        "ablation": ablation.run_ablation(task, setting, rules, journal),
    }


def extra_steps(
    task: MemoryTask, comparison: Comparison, rules: Rules, journal: Journal | None
) -> dict[str, Any]:
    """Compare stale statistics with fresh ones at full batch, seed by seed."""
    full = max(rules.mini_batch_sizes)
    setting = comparison.races_of(ratios.OURS, full)[0].setting

    def race(name: str, interval: int | StaleSchedule, seed: int) -> Outcome:
        contender = dataclasses.replace(
            protocol.our_contender(1, factor_interval=interval), name=name
        )
        conditions = rules.race(full, seed)
        known = journal.find(name, setting, conditions) if journal else None
        if known is not None:
            return known
        outcome = run_race(task, protocol.build_model, contender, setting, conditions)
        if journal is not None:
            journal.add(conditions, outcome)
        return outcome

    stale = [race("K-FAC stale", StaleSchedule(), seed) for seed in rules.seeds]
    fresh = [race("K-FAC fresh", 1, seed) for seed in rules.seeds]
    values = [
        round(one.num_steps / other.num_steps - 1, 4)
        for one, other in zip(stale, fresh, strict=True)
    ]
    return {
        "median": statistics.median(values),
        "values": values,
        "reached": all(each.reached for each in (*stale, *fresh)),
    }


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 90 seconds")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    parser.add_argument("--journal", type=Path, help="keep finished trainings here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
