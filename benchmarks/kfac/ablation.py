"""What K-FAC's own settings change, one at a time, judged on validation images."""

import dataclasses
from typing import Any

from benchmarks.kfac import protocol
from cocodesign.kfac import StaleSchedule
from cocodesign.studies import Contender, Journal, Rules
from cocodesign.studies.designs import Setting
from cocodesign.studies.race import run_race
from cocodesign.studies.task import Task

_RACED: dict[str, Any] = {
    "factor_interval": protocol.FACTOR_INTERVAL,
    "num_factor_examples": protocol.NUM_FACTOR_EXAMPLES,
}
_CHANGES: dict[str, dict[str, Any]] = {
    "as raced": {},
    "without kl_clip": {"divergence": None},
    "statistics from all examples": {"num_factor_examples": None},
    "refreshed every step": {"factor_interval": 1},
    "refreshed when stale": {"factor_interval": StaleSchedule()},
    "without averages": {"ema_decay": 0.0},
}


def run_ablation(
    task: Task, setting: Setting, rules: Rules, journal: Journal | None
) -> dict[str, Any]:
    """Train at full batch with each change.

    Args:
        task: What is learned.
        setting: What the tuning chose; it is not tuned again.
        rules: Those of the comparison.
        journal: Keeps what is finished.

    Returns:
        Steps, best accuracy and seconds per step by change.
    """
    result: dict[str, Any] = {}
    race = rules.trial(max(rules.mini_batch_sizes))
    for name, change in _CHANGES.items():
        contender = dataclasses.replace(
            Contender.kfac(1, **{**_RACED, **change}), name=f"K-FAC {name}"
        )
        outcome = journal.find(contender.name, setting, race) if journal else None
        if outcome is None:
            outcome = run_race(task, protocol.build_model, contender, setting, race)
            if journal is not None:
                journal.add(race, outcome)
        result[name] = {
            "steps": outcome.num_steps,
            "reached": outcome.reached,
            "best_accuracy": round(outcome.best_accuracy, 4),
            "step_s": round(outcome.mean_step_s, 4),
        }
    return result
