"""One training to a target accuracy, with its clock."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cocodesign.kfac.rescaling import rescale_weights
from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.studies.contenders import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point
from cocodesign.studies.task import Split, Task
from cocodesign.training import (
    Step,
    load_checkpoint,
    save_checkpoint,
    train,
    warmup_polynomial,
)
from cocodesign.training.augmentation import AugmentedStream
from cocodesign.training.batches import ResumableStream
from cocodesign.training.loop import Callback

Parts = tuple[nn.Module, Optimizer, ResumableStream, LRScheduler]


@dataclass(frozen=True)
class Race:
    """What of a training is decided before it starts, whoever runs.

    After a linear warm-up the learning rate is constant where a target is to be
    reached: a schedule that ends at the step budget would make the result depend on a
    budget that nobody knows beforehand.

    Attributes:
        mini_batch_size: Examples per step.
        seed: Of weights and mini-batches.
        split: Which examples decide that the target is reached.
        target_accuracy: The training ends at the first evaluation that reaches it;
            ``None`` lets it run to the end.
        max_steps: The step budget, at least 1.
        evaluation_interval: Steps between evaluations, at least 1. One more is after
            the last step.
        power: How the learning rate falls to zero at ``max_steps``, as in
            ``warmup_polynomial``; 0 keeps it.
    """

    mini_batch_size: int
    seed: int
    split: Split
    target_accuracy: float | None
    max_steps: int
    evaluation_interval: int
    power: float = 0.0

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
    checkpoint: Path | None = None,
) -> Outcome:
    """Train until the accuracy reaches the target or the budget is used up.

    A training whose loss is no longer finite ends at once: it would not come back. On a
    CPU the steps are a function of the seed; the seconds are not.

    Args:
        task: What is learned, on the device where it shall be learned.
        build_model: Makes the model; called with torch's global generator seeded.
        contender: The optimizer.
        setting: Its setting, which need not be one of its trials.
        race: The conditions.
        watch: Is shown every point of the curve as it is made; it returns whether to
            stop there.
        checkpoint: Where the training is saved at every evaluation. If the file is
            there, it goes on from it, to the bit; when it ends, the file goes.

    Returns:
        The outcome.

    Raises:
        ValueError: If the contender has a recipe for another mini-batch size.
        CheckpointError: If the checkpoint is damaged or of another training.
    """
    with seeded_globally(race.seed, "weights"):
        model = build_model().to(task.device)
    optimizer = contender.build(model, setting)
    schedule = _schedule(optimizer, task, contender, setting, race)
    pass_size = task.pass_size(race.mini_batch_size)
    batches = _batches(task, contender, pass_size, race)
    scorer = _Scorer(model, task, race, watch)
    callbacks: list[Callback] = [scorer]
    if contender.recipe is not None:
        callbacks.insert(0, _rescaling(model))
    if checkpoint is not None:
        parts = model, optimizer, batches, schedule
        if checkpoint.exists():
            scorer.resume(load_checkpoint(checkpoint, *parts)["curve"])
        callbacks.append(_saving(checkpoint, parts, scorer))
    train(
        model,
        optimizer,
        batches,
        num_steps=scorer.num_steps_left,
        num_passes=race.mini_batch_size // pass_size,
        schedule=schedule,
        backward=contender.backward,
        callbacks=callbacks,
    )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return Outcome(
        contender=contender.name,
        setting=setting,
        mini_batch_size=race.mini_batch_size,
        seed=race.seed,
        reached=scorer.reached,
        curve=tuple(scorer.curve),
    )


def _schedule(
    optimizer: Optimizer, task: Task, contender: Contender, setting: Setting, race: Race
) -> LRScheduler:
    recipe = contender.recipe
    if recipe is None:
        return warmup_polynomial(
            optimizer,
            num_warmup_steps=setting.num_warmup_steps,
            num_steps=race.max_steps,
            power=race.power,
        )
    if recipe.mini_batch_size != race.mini_batch_size:
        raise ValueError(
            f"{contender.name} has a recipe for mini-batches of "
            f"{recipe.mini_batch_size:,}, not of {race.mini_batch_size:,}"
        )
    return recipe.schedule(optimizer, task.num_train)


def _batches(
    task: Task, contender: Contender, pass_size: int, race: Race
) -> ResumableStream:
    stream = task.stream(pass_size, race.seed)
    if contender.recipe is None:
        return stream
    return AugmentedStream(
        stream,
        task.num_classes,
        random_stream(race.seed, "augmentation"),
        mixup_alpha=contender.recipe.mixup_alpha,
        erases=True,
    )


def _rescaling(model: nn.Module) -> Callback:
    def rescale(_step: Step) -> bool:
        rescale_weights(model)
        return False

    return rescale


def _saving(path: Path, parts: Parts, scorer: "_Scorer") -> Callback:
    """Return a callback that saves what the scorer has just evaluated."""

    def save(_step: Step) -> bool:
        if scorer.is_fresh:
            curve = [astuple(point) for point in scorer.curve]
            save_checkpoint(path, *parts, progress={"curve": curve})
        return False

    return save


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
        self.is_fresh = False  # whether the last step was evaluated
        self._num_steps_before = 0  # of earlier processes
        self._model = model
        self._task = task
        self._race = race
        self._watch = watch
        self._training_s = 0.0
        self._started_s = self._now_s()

    @property
    def num_steps_left(self) -> int:
        """Steps of the budget behind the last evaluation; none behind the target."""
        return 0 if self.reached else self._race.max_steps - self._num_steps_before

    def resume(self, curve: Sequence[Sequence[float]]) -> None:
        """Go on behind a curve of an earlier process."""
        self.curve = [Point(int(num_steps), *rest) for num_steps, *rest in curve]
        last = self.curve[-1]
        self._num_steps_before, self._training_s = last.num_steps, last.training_s
        self.reached = self._is_at_target(last.accuracy)

    def __call__(self, step: Step) -> bool:
        num_steps = self._num_steps_before + step.num_steps
        due = num_steps % self._race.evaluation_interval == 0
        self.is_fresh = due or num_steps == self._race.max_steps
        if not self.is_fresh:
            return False
        self._training_s += self._now_s() - self._started_s
        accuracy = self._task.accuracy(self._model, self._race.split)
        self.reached = self._is_at_target(accuracy)
        point = Point(num_steps, self._training_s, accuracy, step.loss.item())
        self.curve.append(point)
        is_unwanted = self._watch is not None and self._watch(point)
        self._started_s = self._now_s()
        return self.reached or is_unwanted or not math.isfinite(point.loss)

    def _is_at_target(self, accuracy: float) -> bool:
        target = self._race.target_accuracy
        return target is not None and accuracy >= target

    def _now_s(self) -> float:
        """Read the clock when the device has done what it was given."""
        if self._task.device.type == "cuda":
            torch.cuda.synchronize(self._task.device)
        return time.perf_counter()
