"""What a step costs: ours with stale statistics beside SGD, and beside peers' K-FAC.

Pictures come as they are, without erasing, which costs the same for everyone and would
bring every ratio nearer to 1.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from benchmarks.kfac import protocol
from benchmarks.measurement import Timings, time_interleaved
from cocodesign.kfac import KFAC
from cocodesign.seeding import seeded_globally
from cocodesign.studies import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.task import MemoryTask
from cocodesign.training import train, warmup_polynomial

_STEPS_PER_ROUND = 20


def time_stale_steps(
    task: MemoryTask,
    contender: Contender,
    setting: Setting,
    sizes: Sequence[int],
    *,
    rounds: int,
) -> dict[str, Any]:
    """Time whole trainings of SGD and of ours, in turns, from their first step on.

    The early steps, which refresh most, count by their share; so does everything else.

    Args:
        task: What is learned.
        contender: Ours, with its stale statistics.
        setting: Its setting.
        sizes: Examples per step.
        rounds: Stretches of 20 steps.

    Returns:
        By mini-batch size, seconds of ours over SGD's, and the fraction of refreshes
        that were skipped.
    """
    result: dict[str, Any] = {}
    for size in sizes:
        ours = _Training(task, contender, setting, size)
        sgd = _Training(task, Contender.sgd(1), Setting(0.1), size)
        timings = time_interleaved(
            {"ours": ours.go_on, "sgd": sgd.go_on}, rounds=rounds, warm_up_rounds=0
        )
        assert isinstance(ours.optimizer, KFAC)
        result[str(size)] = {
            "ratio": round(_total(timings["ours"]) / _total(timings["sgd"]), 4),
            "by_round": _by_round(timings["ours"], timings["sgd"]),
            "skipped_fraction": round(ours.optimizer.skipped_fraction, 4),
            "sgd_step_s": round(
                _total(timings["sgd"]) / (rounds * _STEPS_PER_ROUND), 5
            ),
        }
    return result


def time_peers(
    task: MemoryTask,
    ours: Contender,
    peers: Sequence[Contender],
    setting: Setting,
    size: int,
    *,
    rounds: int,
) -> dict[str, Any]:
    """Time ours and every peer's K-FAC, all refreshing as often, from all examples.

    Args:
        task: What is learned.
        ours: K-FAC with the peers' interval.
        peers: The others.
        setting: Of the same learning rate and damping for all.
        size: Examples per step.
        rounds: Stretches of 20 steps that count.

    Returns:
        By peer, seconds of ours over the peer's.
    """
    trainings = {
        each.name: _Training(task, each, setting, size) for each in (ours, *peers)
    }
    timings = time_interleaved(
        {name: training.go_on for name, training in trainings.items()}, rounds=rounds
    )
    return {
        peer.name: {
            "ratio": round(
                timings[ours.name].median_s / timings[peer.name].median_s, 4
            ),
            "by_round": _by_round(timings[ours.name], timings[peer.name]),
        }
        for peer in peers
    }


class _Training:
    """A training that is done in stretches."""

    def __init__(
        self, task: MemoryTask, contender: Contender, setting: Setting, size: int
    ) -> None:
        with seeded_globally(0, "weights"):
            self.model: nn.Module = protocol.build_model()
        self.optimizer: Optimizer = contender.build(self.model, setting)
        self._backward = contender.backward
        self._batches = dataclasses.replace(task, erases=False).stream(size, seed=0)
        self._schedule = warmup_polynomial(
            self.optimizer,
            num_warmup_steps=setting.num_warmup_steps,
            num_steps=1 << 20,
            power=0.0,
        )

    def go_on(self) -> float:
        """Train another stretch and return its seconds."""
        started = time.perf_counter()
        train(
            self.model,
            self.optimizer,
            self._batches,
            num_steps=_STEPS_PER_ROUND,
            schedule=self._schedule,
            backward=self._backward,
        )
        return time.perf_counter() - started


def _total(timings: Timings) -> float:
    return sum(timings.seconds)


def _by_round(first: Timings, second: Timings) -> list[float]:
    return [
        round(one / other, 4)
        for one, other in zip(first.seconds, second.seconds, strict=True)
    ]
