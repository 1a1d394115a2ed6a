"""One training to a target accuracy, with its clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.studies.contenders import Contender, Setting
from cocodesign.studies.outcomes import Outcome, Point
from cocodesign.studies.task import Task
from cocodesign.training import BatchStream, Step, evaluate, train, warmup_polynomial


@dataclass(frozen=True)
class Race:
    """What of a training is decided before it starts, whoever runs.

    After a linear warm-up the learning rate is constant: a schedule that ends at the
    step budget would make the result depend on a budget that nobody knows beforehand.

    Attributes:
        mini_batch_size: Examples per step.
        seed: Of weights and mini-batches.
        target_accuracy: The training ends at the first evaluation that reaches it;
            ``None`` lets it run to the end.
        max_steps: The step budget, at least 1.
        num_warmup_steps: Steps of the warm-up, at least 0.
        evaluation_interval: Steps between evaluations, at least 1. One more is after
            the last step.
    """

    mini_batch_size: int
    seed: int
    target_accuracy: float | None
    max_steps: int
    num_warmup_steps: int
    evaluation_interval: int

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.evaluation_interval < 1:
            raise ValueError(
                "max_steps and evaluation_interval must be at least 1, "
                f"got {self.max_steps} and {self.evaluation_interval}"
            )
        if self.target_accuracy is not None and not 0 < self.target_accuracy <= 1:
            raise ValueError(
                f"target_accuracy must lie in (0, 1], got {self.target_accuracy}"
            )


def run_race(
    task: Task,
    build_model: Callable[[], nn.Module],
    contender: Contender,
    setting: Setting,
    race: Race,
    *,
    watch: Callable[[Point], bool] | None = None,
) -> Outcome:
    """Train until the test accuracy reaches the target or the steps are used up.

    On a CPU the steps are a function of the seed; the seconds are not.

    Args:
        task: What is learned, on the device where it shall be learned.
        build_model: Makes the model; called with torch's global generator seeded.
        contender: The optimizer.
        setting: Its setting, which need not be one of its trials.
        race: The conditions.
        watch: Is shown every point of the curve as it is made; it returns whether to
            stop there.

    Returns:
        The outcome.
    """
    with seeded_globally(race.seed, "weights"):
        model = build_model().to(task.device)
    batches = BatchStream(
        task.train_examples,
        task.train_labels,
        race.mini_batch_size,
        random_stream(race.seed, "batches"),
    )
    optimizer = contender.build(model, setting)
    schedule = warmup_polynomial(
        optimizer,
        num_warmup_steps=race.num_warmup_steps,
        num_steps=race.max_steps,
        power=0.0,
    )
    scorer = _Scorer(model, task, race, watch)
    train(
        model,
        optimizer,
        batches,
        num_steps=race.max_steps,
        schedule=schedule,
        callbacks=[scorer],
    )
    return Outcome(
        contender=contender.name,
        setting=setting,
        mini_batch_size=race.mini_batch_size,
        seed=race.seed,
        reached=scorer.reached,
        curve=tuple(scorer.curve),
    )


class _Scorer:
    """The callback that evaluates, and stops the clock while it does."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        race: Race,
        watch: Callable[[Point], bool] | None,
    ) -> None:
        self.curve: list[Point] = []
        self.reached = False
        self._model = model
        self._task = task
        self._race = race
        self._watch = watch
        self._training_s = 0.0
        self._started_s = self._now_s()

    def __call__(self, step: Step) -> bool:
        due = step.num_steps % self._race.evaluation_interval == 0
        if not due and step.num_steps < self._race.max_steps:
            return False
        self._training_s += self._now_s() - self._started_s
        accuracy = evaluate(
            self._model, self._task.test_examples, self._task.test_labels
        )
        target = self._race.target_accuracy
        self.reached = target is not None and accuracy >= target
        point = Point(step.num_steps, self._training_s, accuracy, step.loss.item())
        self.curve.append(point)
        is_unwanted = self._watch is not None and self._watch(point)
        self._started_s = self._now_s()
        return self.reached or is_unwanted

    def _now_s(self) -> float:
        """Read the clock when the device has done what it was given."""
        if self._task.device.type == "cuda":
            torch.cuda.synchronize(self._task.device)
        return time.perf_counter()
