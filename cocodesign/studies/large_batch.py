"""Whether accuracy survives large mini-batches, and what stale statistics save."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from cocodesign.kfac import KFAC
from cocodesign.results import Column
from cocodesign.seeding import seeded_globally
from cocodesign.studies.contenders import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome
from cocodesign.studies.race import Race, run_race
from cocodesign.studies.task import Task
from cocodesign.training import Step, train, warmup_polynomial


def train_to_the_end(
    task: Task,
    build_model: Callable[[], nn.Module],
    contender: Contender,
    settings: Mapping[int, Setting],
    num_steps: Mapping[int, int],
    seeds: Sequence[int],
) -> tuple[Outcome, ...]:
    """Train a fixed number of steps per mini-batch size and judge once, at the end.

    The learning rate falls linearly to zero, so that the accuracy is that of a finished
    training and not of one that is cut off at a target. Nothing is chosen by it.

    Args:
        task: What is learned.
        build_model: Makes a fresh model.
        contender: The optimizer.
        settings: Its setting by mini-batch size.
        num_steps: The length of the training by mini-batch size.
        seeds: Of weights and mini-batches.

    Returns:
        One outcome, of one evaluation on the test examples, per size and seed.

    Raises:
        ValueError: If ``settings`` and ``num_steps`` name different sizes.
    """
    if settings.keys() != num_steps.keys():
        raise ValueError(
            f"settings are for mini-batches of {sorted(settings)}, num_steps for "
            f"{sorted(num_steps)}"
        )
    return tuple(
        run_race(
            task,
            build_model,
            contender,
            settings[size],
            Race(
                mini_batch_size=size,
                seed=seed,
                split="test",
                target_accuracy=None,
                max_steps=num_steps[size],
                evaluation_interval=num_steps[size],
                power=1.0,
            ),
        )
        for seed in seeds
        for size in sorted(settings)
    )


def accuracy_gaps(outcomes: Sequence[Outcome]) -> tuple[float, ...]:
    """Return how much accuracy the largest mini-batch costs, seed by seed.

    Args:
        outcomes: From ``train_to_the_end``, of two mini-batch sizes or more.

    Returns:
        Accuracy at the smallest size minus that at the largest, in percentage points.

    Raises:
        ValueError: If there is only one size.
    """
    sizes = sorted({outcome.mini_batch_size for outcome in outcomes})
    if len(sizes) < 2:
        raise ValueError(f"a gap needs two mini-batch sizes, got {sizes}")
    accuracies = {
        (outcome.mini_batch_size, outcome.seed): outcome.curve[-1].accuracy
        for outcome in outcomes
    }
    seeds = dict.fromkeys(outcome.seed for outcome in outcomes)
    return tuple(
        100 * (accuracies[sizes[0], seed] - accuracies[sizes[-1], seed])
        for seed in seeds
    )


def follow_refreshes(
    task: Task,
    build_model: Callable[[], nn.Module],
    build_optimizer: Callable[[nn.Module], KFAC],
    *,
    mini_batch_size: int,
    num_warmup_steps: int,
    num_steps: int,
    seed: int,
) -> tuple[dict[str, Column], float]:
    """Train with K-FAC and note when each statistic is refreshed.

    Args:
        task: What is learned.
        build_model: Makes a fresh model.
        build_optimizer: Makes its optimizer, usually with a ``StaleSchedule``.
        mini_batch_size: Examples per step, one pass.
        num_warmup_steps: Of the learning rate.
        num_steps: How long to train.
        seed: Of weights and mini-batches.

    Returns:
        Columns ``statistic``, ``step`` and ``interval``, one row per refresh, the
        interval being that until the next one; and the fraction of refreshes that were
        saved against one every step.
    """
    with seeded_globally(seed, "weights"):
        model = build_model().to(task.device)
    optimizer = build_optimizer(model)
    rows: list[tuple[str, int, int]] = []
    num_refreshes = dict.fromkeys(optimizer.paces, 0)

    def look(step: Step) -> bool:
        for name, pace in optimizer.paces.items():
            if pace.num_refreshes > num_refreshes[name]:
                rows.append((name, step.num_steps - 1, pace.interval))
                num_refreshes[name] = pace.num_refreshes
        return False

    schedule = warmup_polynomial(
        optimizer, num_warmup_steps=num_warmup_steps, num_steps=num_steps, power=0.0
    )
    stream = task.stream(mini_batch_size, seed)
    train(
        model,
        optimizer,
        stream,
        num_steps=num_steps,
        schedule=schedule,
        callbacks=[look],
    )
    names, steps, intervals = zip(*rows, strict=True)
    table: dict[str, Column] = {
        "statistic": list(names),
        "step": list(steps),
        "interval": list(intervals),
    }
    return table, optimizer.skipped_fraction
