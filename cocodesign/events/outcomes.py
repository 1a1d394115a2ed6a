"""How well methods ranked clips: means, gains of fusing, and its worst loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cocodesign.results import Column, Measurement

Protocol = Literal["shared", "disjoint"]
PROTOCOLS: tuple[Protocol, ...] = ("shared", "disjoint")


@dataclass(frozen=True)
class Outcome:
    """How well a method ranked the test clips.

    Attributes:
        method: Its name.
        protocol: Where its examples came from.
        num_examples: How many of them per event.
        seed: Of clips and of the choice among the examples.
        average_precisions: By event id.
    """

    method: str
    protocol: Protocol
    num_examples: int
    seed: int
    average_precisions: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The mean average precision."""
        return float(np.mean(list(self.average_precisions.values())))


def regret(outcomes: Sequence[Outcome]) -> float:
    """Return the most that fusing ever cost.

    Args:
        outcomes: Of one or more seeds.

    Returns:
        The largest difference, in points of mean average precision averaged over
        seeds, between the better of zero-shot and few-shot and their fusion.
    """
    table = mean_by_condition(outcomes)
    losses = []
    for (method, protocol, number), fused in table.items():
        if method != "fused":
            continue
        zero = table["zero-shot", protocol, 0]
        few = table.get(("few-shot", protocol, number), 0.0)
        losses.append(100 * (max(zero, few) - fused))
    return max(losses)


def gain(outcomes: Sequence[Outcome], protocol: Protocol, num_examples: int) -> float:
    """Return what fusing adds to the better single detector, in points.

    Args:
        outcomes: Of one or more seeds.
        protocol: Where examples come from.
        num_examples: How many of them, 1 or more.

    Returns:
        Points of mean average precision.
    """
    table = mean_by_condition(outcomes)
    single = max(
        table["zero-shot", protocol, 0], table["few-shot", protocol, num_examples]
    )
    return 100 * (table["fused", protocol, num_examples] - single)


def mean_by_condition(
    outcomes: Sequence[Outcome],
) -> dict[tuple[str, Protocol, int], float]:
    """Return the mean average precision by method, protocol and number of examples.

    Args:
        outcomes: Of one or more seeds.

    Returns:
        Means over the seeds, 0 to 1.
    """
    found: dict[tuple[str, Protocol, int], list[float]] = {}
    for each in outcomes:
        key = each.method, each.protocol, each.num_examples
        found.setdefault(key, []).append(each.mean)
    return {key: float(np.mean(values)) for key, values in found.items()}


def bootstrap_gain(
    outcomes: Sequence[Outcome],
    protocol: Protocol,
    num_examples: int,
    *,
    seed: int,
    num_draws: int = 2000,
) -> tuple[float, float]:
    """Return a 95 % interval of the gain over the better single detector.

    Events are drawn with replacement; which single detector is the better one is
    decided once, on all events.

    Args:
        outcomes: Of one or more seeds.
        protocol: Where examples come from.
        num_examples: How many of them, 1 or more.
        seed: Of the draws.
        num_draws: How many.

    Returns:
        Lower and upper end, in points.
    """
    fused = _by_event(outcomes, "fused", protocol, num_examples)
    singles = [
        _by_event(outcomes, "zero-shot", protocol, 0),
        _by_event(outcomes, "few-shot", protocol, num_examples),
    ]
    differences = 100 * (fused - max(singles, key=lambda each: each.mean()))
    draws = np.random.default_rng(seed).integers(
        len(differences), size=(num_draws, len(differences))
    )
    low, high = np.percentile(differences[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)


def outcome_metrics(outcomes: Sequence[Outcome]) -> dict[str, Measurement]:
    """Express outcomes as numbers that a claim can be judged by.

    Args:
        outcomes: Of one or more seeds.

    Returns:
        ``map_<method>_<protocol>_k<number>``, ``gain_<protocol>_k<number>`` and
        ``regret``, in points, one value per seed, and ``zero_shot_vs_tokyotech``.
    """
    seeds = sorted({each.seed for each in outcomes})
    by_seed = [[each for each in outcomes if each.seed == seed] for seed in seeds]
    tables = [mean_by_condition(each) for each in by_seed]
    found: dict[str, Measurement] = {}
    for method, protocol, number in tables[0]:
        values = tuple(100 * table[method, protocol, number] for table in tables)
        name = f"map_{_slug(method)}_{protocol}_k{number}"
        found[name] = Measurement(values, "mAP points")
        if method == "fused" and number:
            found[f"gain_{protocol}_k{number}"] = Measurement(
                tuple(gain(each, protocol, number) for each in by_seed),
                "mAP points",
                note="over the better of zero-shot and few-shot",
            )
    found["regret"] = Measurement(
        tuple(map(regret, by_seed)),
        "mAP points",
        note="the most that fusing cost, over protocols and numbers of examples",
    )
    found["zero_shot_vs_tokyotech"] = Measurement(
        tuple(map(zero_shot_ratio, by_seed)), "ratio", note="of mAP, without examples"
    )
    return found


def zero_shot_ratio(outcomes: Sequence[Outcome]) -> float:
    """Return zero-shot's mean average precision over that of Tokyo Tech's form.

    Args:
        outcomes: Of one or more seeds.

    Returns:
        The ratio.
    """
    table = mean_by_condition(outcomes)
    return table["zero-shot", "shared", 0] / table["Tokyo Tech zero-shot", "shared", 0]


def outcome_tables(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Column]]:
    """Lay outcomes out as a table that a figure can draw.

    Args:
        outcomes: Of one or more seeds.

    Returns:
        ``average_precisions``: one row per method, protocol, number of examples, seed
        and event.
    """
    rows = [
        (each, event, precision)
        for each in outcomes
        for event, precision in each.average_precisions.items()
    ]
    return {
        "average_precisions": {
            "method": [each.method for each, _, _ in rows],
            "protocol": [each.protocol for each, _, _ in rows],
            "num_examples": [each.num_examples for each, _, _ in rows],
            "seed": [each.seed for each, _, _ in rows],
            "event": [event for _, event, _ in rows],
            "average_precision": [precision for _, _, precision in rows],
        }
    }


def _slug(method: str) -> str:
    return method.lower().replace(" ", "_").replace("-", "_")


def _by_event(
    outcomes: Sequence[Outcome], method: str, protocol: Protocol, number: int
) -> NDArray[np.float64]:
    """Return the average precision of each event, averaged over seeds."""
    chosen = [
        each.average_precisions
        for each in outcomes
        if (each.method, each.protocol, each.num_examples) == (method, protocol, number)
    ]
    return np.array([[each[event] for event in sorted(each)] for each in chosen]).mean(
        0
    )
