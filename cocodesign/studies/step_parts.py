"""Where the time of a training step goes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from cocodesign.kfac import KFAC
from cocodesign.seeding import seeded_globally
from cocodesign.training.batches import Batch

PARTS = (
    "forward",
    "backward",
    "update",
    "preconditioning",
    "statistics",
    "inverses",
)

# K-FAC refreshes at the steps 0, 1, 2, 4, 8, 16, 32, … of its first interval. Behind
# the sixteenth there is time for as many rounds without one.
_LAST_EARLY_REFRESH = 16
_FEW = 32  # examples of a step that only passes the time


@dataclass(frozen=True)
class StepParts:
    """Seconds of the parts of a step, medians over rounds.

    Attributes:
        forward: Scores and loss.
        backward: Gradients.
        update: Moving the weights, as SGD with momentum does.
        preconditioning: What K-FAC's step takes beyond that, between refreshes.
        statistics: What a refresh adds to forward and backward: A and G.
        inverses: What a refresh adds to the step: averages and inverses.
    """

    forward: float
    backward: float
    update: float
    preconditioning: float
    statistics: float
    inverses: float

    def amortised(self, factor_interval: float) -> dict[str, float]:
        """Return the seconds of an average step by part.

        Args:
            factor_interval: Steps between refreshes, at least 1, on average.

        Returns:
            Seconds by part, in the order of ``PARTS``.

        Raises:
            ValueError: If the interval is below 1.

        Example:
            >>> parts = StepParts(1.0, 2.0, 0.1, 0.2, 3.0, 1.0)
            >>> parts.amortised(10)["statistics"]
            0.3
        """
        if factor_interval < 1:
            raise ValueError(
                f"factor_interval must be at least 1, got {factor_interval}"
            )
        seconds = {name: getattr(self, name) for name in PARTS}
        for name in ("statistics", "inverses"):
            seconds[name] /= factor_interval
        return seconds


def measure_step_parts(
    build_model: Callable[[], nn.Module],
    batch: Batch,
    *,
    num_factor_examples: int | None = None,
    num_rounds: int = 7,
) -> StepParts:
    """Time SGD, K-FAC between refreshes and K-FAC at a refresh, in turns.

    The parts are differences between them, so nothing of K-FAC needs to be opened; a
    part below the clock's noise comes out as 0.

    Args:
        build_model: Makes the network.
        batch: Examples and labels, on the device that shall be timed.
        num_factor_examples: As for ``KFAC``.
        num_rounds: Steps of each kind that count, from 1 to 14.

    Returns:
        The parts.

    Raises:
        ValueError: If ``num_rounds`` is out of its range.
    """
    if not 1 <= num_rounds <= _LAST_EARLY_REFRESH - 2:
        raise ValueError(
            f"num_rounds must lie between 1 and {_LAST_EARLY_REFRESH - 2}, "
            f"got {num_rounds}"
        )
    device = batch[0].device

    def built(make: Callable[[nn.Module], Optimizer]) -> tuple[nn.Module, Optimizer]:
        with seeded_globally(0, "weights"):
            model = build_model().to(device)
        return model, make(model)

    rested = built(lambda model: _kfac(model, 1 << 20, num_factor_examples))
    few = batch[0][:_FEW], batch[1][:_FEW]
    for _ in range(_LAST_EARLY_REFRESH + 1):
        _timed_step(*rested, few)
    sides = {
        "sgd": built(lambda model: SGD(model.parameters(), lr=1e-6, momentum=0.9)),
        "rested": rested,
        "refresh": built(lambda model: _kfac(model, 1, num_factor_examples)),
    }
    seconds: dict[str, list[tuple[float, float, float]]] = {side: [] for side in sides}
    for round_index in range(num_rounds + 1):
        for side, (model, optimizer) in sides.items():
            spent = _timed_step(model, optimizer, batch)
            if round_index:  # the first warms caches
                seconds[side].append(spent)
    forward, backward, update = (
        statistics.median(values) for values in zip(*seconds["sgd"], strict=True)
    )
    _, _, rested_step = (
        statistics.median(values) for values in zip(*seconds["rested"], strict=True)
    )
    passes = statistics.median(sum(spent[:2]) for spent in seconds["sgd"])
    refresh_passes = statistics.median(sum(spent[:2]) for spent in seconds["refresh"])
    refresh_step = statistics.median(spent[2] for spent in seconds["refresh"])
    return StepParts(
        forward=forward,
        backward=backward,
        update=update,
        preconditioning=max(0.0, rested_step - update),
        statistics=max(0.0, refresh_passes - passes),
        inverses=max(0.0, refresh_step - rested_step),
    )


def _kfac(
    model: nn.Module, factor_interval: int, num_factor_examples: int | None
) -> Optimizer:
    return KFAC(
        model,
        lr=1e-6,  # the weights stay where they are, and the work the same
        momentum=0.9,
        factor_interval=factor_interval,
        num_factor_examples=num_factor_examples,
    )


def _timed_step(
    model: nn.Module, optimizer: Optimizer, batch: Batch
) -> tuple[float, float, float]:
    """Return the seconds of forward, backward and the optimizer's step."""
    optimizer.zero_grad()
    started = _now_s(batch)
    loss = cross_entropy(model(batch[0]), batch[1])
    after_forward = _now_s(batch)
    loss.backward()
    after_backward = _now_s(batch)
    optimizer.step()
    ended = _now_s(batch)
    return (
        after_forward - started,
        after_backward - after_forward,
        ended - after_backward,
    )


def _now_s(batch: Batch) -> float:
    """Read the clock when the device has done what it was given."""
    if batch[0].is_cuda:
        torch.cuda.synchronize(batch[0].device)
    return time.perf_counter()
