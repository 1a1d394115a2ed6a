"""From outcomes to ratios: ours over theirs, smaller is better."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from cocodesign.studies.comparison import Comparison
from cocodesign.studies.outcomes import Outcome, Quantity, cost_ratio

OURS = "K-FAC"
FIRST_ORDER = ("SGD", "LARS", "AdamW")


def costs(races: Sequence[Outcome], quantity: Quantity) -> dict[str, Any]:
    """Summarise one contender's races at one mini-batch size."""
    values = [
        race.num_steps if quantity == "steps" else round(race.training_s, 3)
        for race in races
    ]
    return {
        "median": statistics.median(values),
        "values": values,
        "reached": [race.reached for race in races],
    }


def best_of(
    comparison: Comparison, names: Sequence[str], size: int, quantity: Quantity
) -> str:
    """Name the contender of the lowest median cost; not to arrive costs infinitely.

    Returns:
        The name. It is found by the races themselves: kind to those it is among.
    """

    def cost(name: str) -> tuple[float, float]:
        races = comparison.races_of(name, size)
        spent = [
            math.inf
            if not race.reached
            else race.num_steps
            if quantity == "steps"
            else race.training_s
            for race in races
        ]
        return statistics.median(spent), -max(race.best_accuracy for race in races)

    return min(names, key=cost)


def ratio(
    comparison: Comparison, other: str, size: int, quantity: Quantity
) -> dict[str, Any]:
    """Divide our cost by another's, seed by seed.

    Returns:
        Median and values, with the other's name. ``bound`` is ``"exact"``, or
        ``"upper"`` where the other did not arrive with every seed (the true ratio is
        smaller), or ``"lower"`` where we did not. A seed where nobody arrived has no
        value.
    """
    pairs = zip(
        comparison.races_of(OURS, size), comparison.races_of(other, size), strict=True
    )
    found = [cost_ratio(ours, theirs, quantity) for ours, theirs in pairs]
    values = [round(each.value, 4) for each in found if each is not None]
    # `cost_ratio` names the bound of baseline over candidate, and ours is the baseline.
    bounds = {each.bound for each in found if each is not None}
    bound = next((name for name in ("lower", "upper") if name in bounds), "exact")
    return {
        "vs": other,
        "median": statistics.median(values) if values else None,
        "values": values,
        "bound": bound if values else "unknown",
    }


def summary(comparison: Comparison, contenders: Sequence[str]) -> dict[str, Any]:
    """Return the benchmark's keys that come from the races."""
    sizes = comparison.rules.mini_batch_sizes
    full = max(sizes)
    peers = [name for name in contenders if name not in (*FIRST_ORDER, OURS)]
    result: dict[str, Any] = {
        "steps_ratio_vs_first_order": {
            str(size): ratio(
                comparison,
                best_of(comparison, FIRST_ORDER, size, "steps"),
                size,
                "steps",
            )
            for size in sizes
        },
        "wall_ratio_vs_first_order": ratio(
            comparison,
            best_of(comparison, FIRST_ORDER, full, "seconds"),
            full,
            "seconds",
        ),
        "steps_ratio_vs_best_peer": ratio(
            comparison, best_of(comparison, peers, full, "steps"), full, "steps"
        )
        if peers
        else None,
    }
    result["races"] = {
        str(size): {
            name: {
                "setting": comparison.races_of(name, size)[0].setting.summary,
                "steps": costs(comparison.races_of(name, size), "steps"),
                "seconds": costs(comparison.races_of(name, size), "seconds"),
                "best_accuracy": [
                    round(race.best_accuracy, 4)
                    for race in comparison.races_of(name, size)
                ],
            }
            for name in contenders
            if size == full or name not in peers
        }
        for size in sizes
    }
    return result
