"""A closer look at K-FAC with the settings that a comparison chose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from cocodesign.kfac import KFAC, StaleSchedule
from cocodesign.results import Column, Measurement
from cocodesign.studies.comparison import Comparison
from cocodesign.studies.contenders import Contender
from cocodesign.studies.large_batch import (
    accuracy_gaps,
    follow_refreshes,
    train_to_the_end,
)
from cocodesign.studies.outcomes import Outcome
from cocodesign.studies.step_parts import PARTS, StepParts, measure_step_parts
from cocodesign.studies.task import Task


@dataclass(frozen=True)
class Examination:
    """What ``examine_kfac`` found, as a record keeps it.

    Attributes:
        metrics: ``large_batch_accuracy_gap``: percentage points that the largest
            mini-batch costs; ``skipped_refreshes_fraction``: refreshes that the stale
            schedule saved; ``stale_step_time_ratio``: seconds of an average step with
            it over one of SGD, both at the largest mini-batch.
        tables: ``final_accuracies`` by mini-batch size and seed; ``refreshes``, one
            row each; ``step_parts``, seconds by part and kind of step.
    """

    metrics: Mapping[str, Measurement]
    tables: Mapping[str, Mapping[str, Column]]


def examine_kfac(
    task: Task,
    build_model: Callable[[], nn.Module],
    comparison: Comparison,
    contender: Contender,
    *,
    final_steps: Mapping[int, int],
    num_refresh_steps: int,
    num_factor_examples: int | None = None,
) -> Examination:
    """Ask what large mini-batches cost, when statistics move, and where time goes.

    Args:
        task: What is learned.
        build_model: Makes a fresh model.
        comparison: Chose the settings.
        contender: K-FAC, as it was compared.
        final_steps: Length of a training to its end, by mini-batch size; two or more.
        num_refresh_steps: How long the refreshes are followed, at the largest size.
        num_factor_examples: As for ``KFAC``, for refreshes and times.

    Returns:
        Metrics and tables.
    """
    settings = {
        size: comparison.races_of(contender.name, size)[0].setting
        for size in final_steps
    }
    finals = train_to_the_end(
        task, build_model, contender, settings, final_steps, comparison.rules.seeds
    )
    largest = max(final_steps)
    chosen = settings[largest]
    refreshes, skipped_fraction = follow_refreshes(
        task,
        build_model,
        lambda model: KFAC(
            model,
            lr=chosen.learning_rate,
            momentum=chosen.momentum,
            damping=chosen.damping or 1e-3,
            factor_interval=StaleSchedule(),
            num_factor_examples=num_factor_examples,
        ),
        mini_batch_size=task.pass_size(largest),
        num_warmup_steps=chosen.num_warmup_steps,
        num_steps=num_refresh_steps,
        seed=comparison.rules.seeds[0],
    )
    batch = next(task.stream(task.pass_size(largest), comparison.rules.seeds[0]))
    parts = measure_step_parts(
        build_model, batch, num_factor_examples=num_factor_examples
    )
    mean_interval = 1 / (1 - skipped_fraction)
    first_order_s = parts.forward + parts.backward + parts.update
    stale_s = sum(parts.amortised(mean_interval).values())
    return Examination(
        metrics={
            "large_batch_accuracy_gap": Measurement(
                accuracy_gaps(finals), "percentage points"
            ),
            "skipped_refreshes_fraction": Measurement((skipped_fraction,), "fraction"),
            "stale_step_time_ratio": Measurement((stale_s / first_order_s,), "x"),
        },
        tables={
            "final_accuracies": _final_table(finals),
            "refreshes": refreshes,
            "step_parts": _parts_table(parts, mean_interval),
        },
    )


def _final_table(finals: tuple[Outcome, ...]) -> dict[str, Column]:
    return {
        "batch_size": [final.mini_batch_size for final in finals],
        "seed": [final.seed for final in finals],
        "num_steps": [final.num_steps for final in finals],
        "test_accuracy": [final.curve[-1].accuracy for final in finals],
    }


def _parts_table(parts: StepParts, mean_interval: float) -> dict[str, Column]:
    """Lay out the seconds of an SGD step, a refreshing step and an average one."""
    plain = dict.fromkeys(PARTS, 0.0)
    plain |= {name: getattr(parts, name) for name in ("forward", "backward", "update")}
    kinds = {
        "SGD": plain,
        "K-FAC, stale": parts.amortised(mean_interval),
        "K-FAC, refreshed every step": parts.amortised(1),
    }
    return {
        "step": [kind for kind in kinds for _ in PARTS],
        "part": [part for _ in kinds for part in PARTS],
        "seconds": [seconds[part] for seconds in kinds.values() for part in PARTS],
    }
