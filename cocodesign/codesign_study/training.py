"""Training to a target, with or without K-FAC and a micro-batch plan."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional
from torch.optim import SGD, Optimizer

from cocodesign.codesign_study.concepts import Pictures
from cocodesign.codesign_study.windows import build_network
from cocodesign.kfac import KFAC
from cocodesign.microbatch import apply_plan, plan_model
from cocodesign.microbatch.step import measure_peak
from cocodesign.models import ConvNet
from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.training import BatchStream, Step, evaluate, train

_MOMENTUM = 0.9
_DAMPING = 1e-2


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        network: As it was when it reached the target, or at the last step.
        reached: Whether it did.
        num_steps: Steps that it took.
        seconds: Of the steps alone, the median of a step times their number: the first
            ones load libraries.
        peak_bytes: The most that forward and backward of a step allocate.
        learning_rate: Chosen by validation.
        accuracy: On validation pictures at the end, a fraction.
    """

    network: ConvNet
    reached: bool
    num_steps: int
    seconds: float
    peak_bytes: int
    learning_rate: float
    accuracy: float


def train_to_target(
    pictures: Pictures,
    validation: Pictures,
    *,
    target: float,
    max_steps: int,
    mini_batch_size: int,
    learning_rates: Sequence[float],
    seed: int,
    with_kfac: bool = True,
    memory_share: float | None = None,
) -> Training:
    """Train with every learning rate; the one that needs fewest steps counts.

    Args:
        pictures: To learn from.
        validation: To stop by, and to choose the learning rate by.
        target: Accuracy on them that ends the training.
        max_steps: Ends it as well.
        mini_batch_size: Pictures of a step.
        learning_rates: Tried in turn, as many for each optimizer.
        seed: Of weights and order, the same for every learning rate.
        with_kfac: K-FAC instead of SGD, both with momentum.
        memory_share: Convolutions are divided so that a step allocates at most this
            share of what torch's own does; ``None`` leaves them to torch.

    Returns:
        The best training.
    """
    example = pictures.pixels[:mini_batch_size]
    plan = None
    if memory_share is not None:
        network = build_network()
        own_bytes = measure_peak(network, example, loss=_loss).peak_bytes
        plan = plan_model(
            network,
            example,
            step_limit_bytes=round(memory_share * own_bytes),
            loss=_loss,
        )
    trainings = []
    for rate in learning_rates:
        with seeded_globally(seed, "weights"):
            network = build_network()
        optimizer: Optimizer
        if with_kfac:
            optimizer = KFAC(network, lr=rate, momentum=_MOMENTUM, damping=_DAMPING)
        else:
            optimizer = SGD(network.parameters(), rate, momentum=_MOMENTUM)
        if plan is not None:
            # Validation sees other numbers of pictures, and is not timed.
            apply_plan(network, plan, on_mismatch="native")
        batches = BatchStream(
            pictures.pixels,
            pictures.labels,
            mini_batch_size,
            random_stream(seed, "order"),
        )
        watcher = _Watcher(network, validation, target)
        num_steps = train(
            network, optimizer, batches, num_steps=max_steps, callbacks=[watcher]
        )
        optimizer.zero_grad()
        # Without K-FAC's hooks and the plan, and before measuring moves the norms.
        trained = build_network()
        trained.load_state_dict(network.state_dict())
        peak = measure_peak(network, example, loss=_loss).peak_bytes
        trainings.append(
            Training(
                trained,
                watcher.accuracy >= target,
                num_steps,
                watcher.seconds,
                peak,
                rate,
                watcher.accuracy,
            )
        )
    return min(
        trainings, key=lambda one: (not one.reached, one.num_steps, -one.accuracy)
    )


class _Watcher:
    """Stops the clock while it validates, and the training at the target."""

    def __init__(self, network: ConvNet, validation: Pictures, target: float) -> None:
        self._network = network
        self._validation = validation
        self._target = target
        self._started = time.perf_counter()
        self._step_s: list[float] = []
        self.accuracy = 0.0

    @property
    def seconds(self) -> float:
        """Of all steps, if every one took as long as the median."""
        return statistics.median(self._step_s) * len(self._step_s)

    def __call__(self, _: Step) -> bool:
        self._step_s.append(time.perf_counter() - self._started)
        self.accuracy = evaluate(
            self._network, self._validation.pixels, self._validation.labels
        )
        self._started = time.perf_counter()
        return self.accuracy >= self._target


def _loss(scores: Tensor) -> Tensor:
    return functional.cross_entropy(scores, scores.argmax(1))
