"""A comparison as metrics and tables of a record."""

import math
from collections.abc import Sequence

from cocodesign.results import Column, Measurement
from cocodesign.studies.comparison import Comparison
from cocodesign.studies.outcomes import QUANTITIES, Outcome, Ratio


def comparison_metrics(
    comparison: Comparison, *, baseline: str | None, candidate: str
) -> dict[str, Measurement]:
    """Express a comparison as numbers that a claim can be judged by.

    For every mini-batch size ``B`` there are

    * ``steps_ratio_batch_B``: steps of the baseline over steps of the candidate, to
      the target; above 1 the candidate needs fewer;
    * ``seconds_ratio_batch_B``: the same in seconds of training;
    * ``step_time_ratio_batch_B``: seconds per step of the candidate over the
      baseline's, refreshes included; 1 means that a step costs the same;
    * ``steps_<contender>_batch_B``: steps to the target, or the step budget if it was
      not reached;
    * ``accuracy_<contender>_batch_B``: the best test accuracy at any evaluation.

    Where a seed's baseline was cut off, its ratio is a lower bound, and the note says
    so. A ratio is left out if the candidate of any seed did not reach the target: what
    is known then is an upper bound or nothing, which must not stand for "at least". The
    candidate's steps are there, and their note tells why.

    Args:
        comparison: What was measured.
        baseline: Name of the contender to compare with; ``None`` gives no ratios.
        candidate: Name of the contender that the claim is about.

    Returns:
        The measurements by name, one value per seed in each.
    """
    metrics: dict[str, Measurement] = {}
    names = [candidate] if baseline is None else [baseline, candidate]
    for size in comparison.rules.mini_batch_sizes:
        if baseline is not None:
            metrics |= _ratios(comparison, baseline, candidate, size)
        for name in names:
            races = comparison.races_of(name, size)
            key = f"{name.lower().replace('-', '')}_batch_{size}"
            metrics[f"steps_{key}"] = Measurement(
                tuple(float(race.num_steps) for race in races),
                "steps",
                note=_censored_note(races),
            )
            metrics[f"accuracy_{key}"] = Measurement(
                tuple(race.best_accuracy for race in races), "fraction"
            )
    return metrics


def comparison_tables(comparison: Comparison) -> dict[str, dict[str, Column]]:
    """Lay a comparison out as tables that a figure can draw.

    Args:
        comparison: What was measured.

    Returns:
        ``curves``: every evaluation of every race; ``races``: steps, seconds and the
        chosen setting of every race; ``trials``: every tuning trial with its steps and
        its best validation accuracy.
    """
    points = [(race, point) for race in comparison.races for point in race.curve]
    return {
        "curves": {
            "batch_size": [race.mini_batch_size for race, _ in points],
            "optimizer": [race.contender for race, _ in points],
            "seed": [race.seed for race, _ in points],
            "step": [point.num_steps for _, point in points],
            "training_s": [round(point.training_s, 4) for _, point in points],
            "test_accuracy": [point.accuracy for _, point in points],
            # JSON has no NaN; the loss of a training that diverged is not known.
            "loss": [
                point.loss if math.isfinite(point.loss) else None for _, point in points
            ],
        },
        "races": {
            **_settings(comparison.races),
            "seed": [race.seed for race in comparison.races],
            "training_s": [race.training_s for race in comparison.races],
            "mean_step_s": [race.mean_step_s for race in comparison.races],
            "median_step_s": [race.median_step_s for race in comparison.races],
        },
        "trials": {
            **_settings(comparison.trials),
            "validation_accuracy": [trial.best_accuracy for trial in comparison.trials],
        },
    }


def _ratios(
    comparison: Comparison, baseline: str, candidate: str, size: int
) -> dict[str, Measurement]:
    metrics: dict[str, Measurement] = {}
    for quantity in QUANTITIES:
        ratios = comparison.ratios(baseline, candidate, size, quantity)
        measurement = _ratio_measurement(ratios)
        if measurement is not None:
            metrics[f"{quantity}_ratio_batch_{size}"] = measurement
    slow, fast = (comparison.races_of(name, size) for name in (candidate, baseline))
    metrics[f"step_time_ratio_batch_{size}"] = Measurement(
        tuple(
            one.mean_step_s / other.mean_step_s
            for one, other in zip(slow, fast, strict=True)
        ),
        "x",
    )
    return metrics


def _settings(outcomes: Sequence[Outcome]) -> dict[str, Column]:
    return {
        "batch_size": [outcome.mini_batch_size for outcome in outcomes],
        "optimizer": [outcome.contender for outcome in outcomes],
        "learning_rate": [outcome.setting.learning_rate for outcome in outcomes],
        "momentum": [outcome.setting.momentum for outcome in outcomes],
        "num_warmup_steps": [outcome.setting.num_warmup_steps for outcome in outcomes],
        "damping": [outcome.setting.damping for outcome in outcomes],
        "reached": [outcome.reached for outcome in outcomes],
        "num_steps": [outcome.num_steps for outcome in outcomes],
    }


def _ratio_measurement(ratios: Sequence[Ratio | None]) -> Measurement | None:
    """Return the ratios, or ``None`` if one is unknown or only an upper bound."""
    known = [ratio for ratio in ratios if ratio is not None and ratio.bound != "upper"]
    if len(known) < len(ratios):
        return None
    num_bounds = sum(ratio.bound == "lower" for ratio in known)
    note = (
        f"{num_bounds} of {len(ratios)} seeds give a lower bound" if num_bounds else ""
    )
    return Measurement(tuple(ratio.value for ratio in known), "x", note=note)


def _censored_note(races: Sequence[Outcome]) -> str:
    late = [race.num_steps for race in races if not race.reached]
    if not late:
        return ""
    return f"{len(late)} of {len(races)} seeds did not reach it in {late[0]} steps"
