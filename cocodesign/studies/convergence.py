"""How fast optimizers converge, each tuned by the same budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import nn

from cocodesign.studies.comparison import Comparison
from cocodesign.studies.contenders import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.journal import Journal
from cocodesign.studies.outcomes import Outcome
from cocodesign.studies.race import Race, run_race
from cocodesign.studies.rules import Rules
from cocodesign.studies.task import Task

Phase = Literal["tuning", "race"]
Run = Callable[[Phase, Contender, Setting, Race], Outcome]


def compare_convergence(
    task: Task,
    build_model: Callable[[], nn.Module],
    contenders: Sequence[Contender],
    rules: Rules,
    *,
    report: Callable[[Phase, Outcome], None] | None = None,
    journal: Journal | None = None,
    checkpoint: Path | None = None,
) -> Comparison:
    """Tune every contender by the same budget, then race it to the target.

    For each mini-batch size every setting of every contender is tried. The one is
    chosen that reaches the target on the **validation** examples in the fewest steps;
    among equals, and where none does, the one with the best validation accuracy at any
    of its evaluations. A trial ends when it has used as many steps as the quickest of
    its contender before it, since it cannot be chosen any more: that changes no choice.
    The races are judged on the **test** examples, contenders in turns, so that a
    machine that slows down slows all of them. The test examples choose nothing. Where
    there is one setting, there is nothing to choose and no trial.

    Args:
        task: What is learned.
        build_model: Makes a fresh model.
        contenders: With different names and equally many settings.
        rules: The same for all.
        report: Is shown every trial and race that was run.
        journal: Keeps what is finished; what it holds already is not run again.
        checkpoint: Where the training in progress is saved, for ``run_race``. Give a
            journal as well, else the next process meets another training's file.

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
        phase: Phase, contender: Contender, setting: Setting, race: Race
    ) -> Outcome:
        if contender.max_steps is not None:
            race = replace(race, max_steps=min(race.max_steps, contender.max_steps))
        known = journal.find(contender.name, setting, race) if journal else None
        if known is not None:
            return known
        outcome = run_race(
            task, build_model, contender, setting, race, checkpoint=checkpoint
        )
        if journal is not None:
            journal.add(race, outcome)
        if report is not None:
            report(phase, outcome)
        return outcome

    trials: list[Outcome] = []
    races: list[Outcome] = []
    for size in rules.mini_batch_sizes:
        chosen: dict[str, Setting] = {}
        for contender in contenders:
            tried = _try_settings(contender, size, rules, run)
            chosen[contender.name] = (
                min(tried, key=_rank).setting if tried else contender.settings[0]
            )
            trials += tried
        races += [
            run("race", contender, chosen[contender.name], rules.race(size, seed))
            for seed in rules.seeds
            for contender in contenders
        ]
    return Comparison(rules, tuple(trials), tuple(races))


def _try_settings(
    contender: Contender, mini_batch_size: int, rules: Rules, run: Run
) -> list[Outcome]:
    tried: list[Outcome] = []
    for setting in contender.settings if len(contender.settings) > 1 else ():
        arrived = [trial.num_steps for trial in tried if trial.reached]
        trial = rules.trial(mini_batch_size, max_steps=min(arrived, default=None))
        tried.append(run("tuning", contender, setting, trial))
    return tried


def _rank(trial: Outcome) -> tuple[float, float]:
    """Order trials, the best first."""
    return (trial.num_steps if trial.reached else math.inf, -trial.best_accuracy)
