"""Collectives measured here and simulated at scale, as metrics and tables of a record.

What a model or a simulation gave is called ``predicted`` or ``simulated`` throughout.
"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Literal, get_args

from cocodesign.collectives import CostModel, tune
from cocodesign.collectives.comparison import LIBRARY, Comparison, compare_here
from cocodesign.collectives.cost_model import Machine, Tier, predict
from cocodesign.collectives.schedules import Schedule, halving, ring
from cocodesign.collectives.simulation import simulate
from cocodesign.collectives.topology import (
    ABCI_NUM_RANKS,
    SimulatedMachine,
    Topology,
    abci,
    modern,
)
from cocodesign.results import Column, Measurement, Scalar
from cocodesign.studies.step_times import (
    Accelerator,
    LayerVolumes,
    ScheduleName,
    StepTimes,
    simulate_step,
)

__all__ = [
    "compare_here",
    "machines_for",
    "predict_latencies",
    "scaling_metrics",
    "scaling_tables",
    "shown_schedules",
    "simulate_delays",
    "simulate_scaling",
]

ScalingName = Literal["weak", "strong"]

_SMALL_BYTES = 1024
_SECONDS_PER_BYTE = 1e-10


@dataclass(frozen=True)
class ScalingPoint:
    """A simulated step.

    Attributes:
        machine: Name of the machine.
        scaling: Whether the images per rank or those of all ranks stay the same.
        schedule: How it communicates.
        num_ranks: The number of ranks.
        images_per_rank: Of the mini-batch.
        times: Where its time goes.
    """

    machine: str
    scaling: ScalingName
    schedule: ScheduleName
    num_ranks: int
    images_per_rank: float
    times: StepTimes

    @property
    def efficiency(self) -> float:
        """The time of the passes over that of the step, a fraction."""
        return self.times.compute_s / self.times.total_s

    @property
    def images_per_s(self) -> float:
        """Images of all ranks per second."""
        return self.images_per_rank * self.num_ranks / self.times.total_s

    def summary(self) -> str:
        """Return machine, schedule, time and efficiency in one line."""
        return (
            f"{self.machine}, {self.num_ranks:,} GPUs, {self.schedule}: "
            f"{1e3 * self.times.total_s:.0f} ms a step, of which communication "
            f"{1e3 * self.times.communication_s:.0f} ms; efficiency "
            f"{self.efficiency:.0%}"
        )


@dataclass(frozen=True)
class DelayPoint:
    """The simulated time of a small all-reduce when every rank is delayed at random.

    Attributes:
        num_ranks: The number of ranks.
        schedule: How it is done.
        without_s: Seconds without delays.
        with_s: Seconds with them.
    """

    num_ranks: int
    schedule: ScheduleName
    without_s: float
    with_s: float


@dataclass(frozen=True)
class LatencyPoint:
    """The predicted time of a small all-reduce.

    Attributes:
        num_ranks: The number of ranks.
        schedule: ``ring``, ``halving`` or ``tuned``.
        levels: The schedule's levels.
        predicted_s: Seconds.
    """

    num_ranks: int
    schedule: ScheduleName
    levels: str
    predicted_s: float


def simulate_scaling(
    volumes: Sequence[LayerVolumes],
    topologies: Sequence[Topology],
    accelerator: Accelerator,
    *,
    world_sizes: Sequence[int],
    images_per_rank: int,
    global_batch_size: int,
    refresh_fraction: float,
) -> list[ScalingPoint]:
    """Simulate weak and strong scaling with every schedule.

    Args:
        volumes: Of the network.
        topologies: The machines.
        accelerator: What each rank computes with.
        world_sizes: Numbers of ranks.
        images_per_rank: Of the weak scaling.
        global_batch_size: Of the strong scaling.
        refresh_fraction: Of the statistics that are refreshed at a step.

    Returns:
        One point per machine, scaling, schedule and number of ranks.
    """
    points: list[ScalingPoint] = []
    for topology, schedule, world_size in product(
        topologies, get_args(ScheduleName), world_sizes
    ):
        weak = simulate_step(
            volumes,
            topology,
            accelerator,
            world_size,
            images_per_rank=images_per_rank,
            refresh_fraction=refresh_fraction,
            schedule=schedule,
        )
        images: dict[ScalingName, float] = {
            "weak": float(images_per_rank),
            "strong": global_batch_size / world_size,
        }
        for scaling, number in images.items():
            # All that is sent and inverted is the same, whatever the images.
            times = replace(weak, compute_s=number * accelerator.seconds_per_image)
            points.append(
                ScalingPoint(
                    topology.name, scaling, schedule, world_size, number, times
                )
            )
    return points


def predict_latencies(
    latency_s: float, world_sizes: Sequence[int]
) -> list[LatencyPoint]:
    """Predict all-reduces of 1 KiB over links of one latency.

    Args:
        latency_s: α of every link; a byte takes 0.1 ns.
        world_sizes: Numbers of ranks.

    Returns:
        One point per number of ranks and schedule.
    """
    model = CostModel((Tier(None, latency_s, _SECONDS_PER_BYTE),))
    points: list[LatencyPoint] = []
    for world_size in world_sizes:
        schedules = {
            "ring": ring(world_size),
            "halving": halving(world_size),
            "tuned": tune(model, world_size, _SMALL_BYTES),
        }
        for name in get_args(ScheduleName):
            seconds = predict(model, schedules[name], _SMALL_BYTES)
            points.append(LatencyPoint(world_size, name, str(schedules[name]), seconds))
    return points


def simulate_delays(
    topology: Topology,
    world_sizes: Sequence[int],
    *,
    mean_delay_s: float,
    seed: int,
) -> list[DelayPoint]:
    """Simulate what random delays of every rank cost an all-reduce of 1 KiB.

    Args:
        topology: The machine.
        world_sizes: Numbers of ranks.
        mean_delay_s: Mean of the exponentially distributed delay per rank and round.
        seed: Of the delays.

    Returns:
        One point per number of ranks and schedule.
    """
    points: list[DelayPoint] = []
    for world_size in world_sizes:
        machine = SimulatedMachine(topology, world_size)
        for name, schedule in _schedules(machine, world_size).items():
            without_s, with_s = (
                simulate(machine, schedule, _SMALL_BYTES, mean_delay_s=mean, seed=seed)
                for mean in (0.0, mean_delay_s)
            )
            points.append(DelayPoint(world_size, name, without_s, with_s))
    return points


def scaling_metrics(
    comparisons: Sequence[Comparison],
    scaling: Sequence[ScalingPoint],
    latencies: Sequence[LatencyPoint],
) -> dict[str, Measurement]:
    """Express what was measured and simulated as numbers to judge.

    Args:
        comparisons: One per number of processes.
        scaling: From ``simulate_scaling``.
        latencies: From ``predict_latencies``.

    Returns:
        ``tuner_regret``, ``prediction_error`` and ``vs_library_small`` (the smallest
        message) as medians, one value per number of processes; and, simulated,
        ``latency_speedup`` (the ring's time over the tuned one's, at the most ranks)
        and ``weak_efficiency_<schedule>`` (of the first machine, at its most ranks).
    """
    smallest = min(comparisons[0].sizes_bytes)
    metrics = {
        "tuner_regret": Measurement(
            tuple(statistics.median(each.regrets().values()) for each in comparisons),
            "x",
            note=f"on {_numbers(comparisons)} processes of this machine",
        ),
        "prediction_error": Measurement(
            tuple(statistics.median(each.errors().values()) for each in comparisons),
            "fraction",
            note=f"on {_numbers(comparisons)} processes of this machine",
        ),
        "vs_library_small": Measurement(
            tuple(each.library_ratios()[smallest] for each in comparisons),
            "x",
            note=f"{smallest} bytes, the tuned choice over gloo's all-reduce",
        ),
    }
    most = max(point.num_ranks for point in latencies)
    seconds = {
        point.schedule: point.predicted_s
        for point in latencies
        if point.num_ranks == most
    }
    metrics["latency_speedup"] = Measurement(
        (seconds["ring"] / seconds["tuned"],),
        "x",
        simulated=True,
        note=f"{most} ranks, 1 KiB",
    )
    machine = scaling[0].machine
    most = max(point.num_ranks for point in scaling)
    for point in scaling:
        if (point.machine, point.scaling, point.num_ranks) == (machine, "weak", most):
            metrics[f"weak_efficiency_{point.schedule}"] = Measurement(
                (point.efficiency,),
                "fraction",
                simulated=True,
                note=f"{machine}, {most} ranks",
            )
    return metrics


def scaling_tables(
    comparisons: Sequence[Comparison],
    scaling: Sequence[ScalingPoint],
    latencies: Sequence[LatencyPoint],
    delays: Sequence[DelayPoint],
) -> dict[str, dict[str, Column]]:
    """Lay out what was measured and simulated as tables that a figure can draw.

    Args:
        comparisons: One per number of processes.
        scaling: From ``simulate_scaling``.
        latencies: From ``predict_latencies``.
        delays: From ``simulate_delays``.

    Returns:
        ``all_reduces``: measured and predicted seconds (``None`` for the library's
        own) by number of processes, schedule and size, and whether it was chosen;
        ``steps``: simulated steps, part by part; ``latencies``: predicted; ``delays``:
        simulated.
    """
    predicted = {each.world_size: each.predicted() for each in comparisons}
    all_reduces: list[dict[str, Scalar]] = [
        {
            "num_ranks": each.world_size,
            "schedule": timing.schedule,
            "num_bytes": timing.num_bytes,
            "measured_s": timing.median_s,
            "low_s": min(timing.seconds),
            "high_s": max(timing.seconds),
            "predicted_s": predicted[each.world_size].get(
                (timing.schedule, timing.num_bytes)
            ),
            "chosen": each.choices[timing.num_bytes] == timing.schedule,
        }
        for each in comparisons
        for timing in each.timings
    ]
    steps: list[dict[str, Scalar]] = [
        {
            "machine": point.machine,
            "scaling": point.scaling,
            "schedule": point.schedule,
            "num_ranks": point.num_ranks,
            **{name: round(value, 7) for name, value in asdict(point.times).items()},
            "step_s": round(point.times.total_s, 7),
            "images_per_s": round(point.images_per_s, 1),
        }
        for point in scaling
    ]
    return {
        "all_reduces": _columns(all_reduces),
        "steps": _columns(steps),
        "latencies": _columns([asdict(point) for point in latencies]),
        "delays": _columns([asdict(point) for point in delays]),
    }


def machines_for(num_ranks: int) -> list[Topology]:
    """Return the machines to simulate, extended to a number of ranks if need be.

    Args:
        num_ranks: The most ranks.

    Returns:
        ABCI, and a machine with nodes of 8 GPUs.
    """
    return [abci(max(num_ranks, ABCI_NUM_RANKS)), modern(num_ranks)]


def shown_schedules(comparison: Comparison) -> list[str]:
    """Return the schedules that a figure has room for.

    Args:
        comparison: What was measured.

    Returns:
        The names of the ring, of halving, of those that were chosen, and of the
        library's all-reduce.
    """
    world_size = comparison.world_size
    ends = [str(ring(world_size)), str(halving(world_size))]
    return list(dict.fromkeys([*ends, *comparison.choices.values(), LIBRARY]))


def _schedules(machine: Machine, world_size: int) -> dict[ScheduleName, Schedule]:
    return {
        "ring": ring(world_size),
        "halving": halving(world_size),
        "tuned": tune(machine, world_size, _SMALL_BYTES),
    }


def _columns(rows: Sequence[dict[str, Scalar]]) -> dict[str, Column]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _numbers(comparisons: Sequence[Comparison]) -> str:
    return ", ".join(str(each.world_size) for each in comparisons)
