"""How fast optimizers converge, each tuned by the same budget."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from cocodesign.studies.comparison import Comparison
from cocodesign.studies.contenders import Contender, Setting
from cocodesign.studies.outcomes import Outcome
from cocodesign.studies.race import Race, run_race
from cocodesign.studies.rules import Rules
from cocodesign.studies.task import Task

Phase = Literal["tuning", "race"]


def compare_convergence(
    task: Task,
    build_model: Callable[[], nn.Module],
    contenders: Sequence[Contender],
    rules: Rules,
    *,
    report: Callable[[Phase, Outcome], None] | None = None,
) -> Comparison:
    """Tune every contender by the same budget, then race it to the target.

    For each mini-batch size every setting of every contender is tried on the training
    examples without the validation examples, with a budget of ``num_trial_steps``. The
    setting is chosen that reaches the target on the validation examples in the fewest
    steps; among equals, and where none does, the one with the best validation accuracy
    at any of its evaluations. The races train on all training examples, contenders in
    turns, so that a machine that slows down slows all of them. The test examples choose
    nothing.

    Args:
        task: What is learned.
        build_model: Makes a fresh model.
        contenders: With different names and equally many settings.
        rules: The same for all.
        report: Is shown every finished trial and race.

    Returns:
        Everything that was measured.

    Raises:
        ValueError: If names repeat or the numbers of settings differ.
    """
    names = [contender.name for contender in contenders]
    if len(set(names)) < len(names):
        raise ValueError(f"contenders need different names, got {names}")
    budgets = {contender.name: len(contender.settings) for contender in contenders}
    if len(set(budgets.values())) > 1:
        raise ValueError(f"every contender needs equally many settings, got {budgets}")

    def run(
        phase: Phase, where: Task, contender: Contender, setting: Setting, race: Race
    ) -> Outcome:
        outcome = run_race(where, build_model, contender, setting, race)
        if report is not None:
            report(phase, outcome)
        return outcome

    validation = task.validation_task(rules.num_validation, rules.seeds[0])
    trials: list[Outcome] = []
    races: list[Outcome] = []
    for size in rules.mini_batch_sizes:
        chosen: dict[str, Setting] = {}
        for contender in contenders:
            tried = [
                run("tuning", validation, contender, setting, rules.trial(size))
                for setting in contender.settings
            ]
            chosen[contender.name] = min(tried, key=_rank).setting
            trials += tried
        races += [
            run("race", task, contender, chosen[contender.name], rules.race(size, seed))
            for seed in rules.seeds
            for contender in contenders
        ]
    return Comparison(rules, tuple(trials), tuple(races))


def _rank(trial: Outcome) -> tuple[float, float]:
    """Order trials, the best first."""
    return (trial.num_steps if trial.reached else math.inf, -trial.best_accuracy)
