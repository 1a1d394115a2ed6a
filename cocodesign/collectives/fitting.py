"""The cost model that explains measured times best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from cocodesign.collectives.cost_model import (
    CostModel,
    Tier,
    summed_bytes,
    traffic_of,
)
from cocodesign.collectives.schedules import Schedule


@dataclass(frozen=True)
class Observation:
    """A measured all-reduce.

    Attributes:
        schedule: How it was done.
        num_bytes: Size of the tensor.
        seconds: What it took.
    """

    schedule: Schedule
    num_bytes: int
    seconds: float


def fit_cost_model(
    observations: Sequence[Observation], tier_sizes: Sequence[int] = ()
) -> CostModel:
    """Fit α and β of every tier, γ and the overhead to measured all-reduces.

    The *relative* errors are made small in the least-squares sense, or the largest
    messages alone would decide; no quantity can become negative.

    Args:
        observations: Few and many rounds, small and large messages, and groups on all
            tiers, or the data cannot tell the quantities apart.
        tier_sizes: Ranks of the inner tiers, such as ``[8]`` for nodes of 8 GPUs.

    Returns:
        The model.

    Raises:
        ValueError: If there are fewer observations than quantities, or one that took
            no time.
    """
    num_tiers = len(tier_sizes) + 1
    num_unknown = 2 * num_tiers + 2
    if len(observations) < num_unknown:
        raise ValueError(
            f"{num_unknown} quantities need as many observations, got "
            f"{len(observations)}"
        )
    seconds = np.array([each.seconds for each in observations])
    if not (seconds > 0).all():
        raise ValueError(f"measured times must be positive, got {seconds.min()}")
    model = _model(np.zeros(num_unknown), tier_sizes)
    rows = np.zeros((len(observations), num_unknown))
    for row, each in zip(rows, observations, strict=True):
        for traffic in traffic_of(each.schedule, each.num_bytes):
            tier = model.tier_of(traffic.reach)
            row[tier] += traffic.num_rounds
            row[num_tiers + tier] += traffic.num_bytes
        row[-2] = summed_bytes(each.schedule, each.num_bytes)
        row[-1] = 1.0
    relative = rows / seconds[:, None]
    # Bytes are millions and rounds are ones: columns of equal length keep the digits.
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(relative / scale, np.ones(len(seconds)))
    return _model(solution / scale, tier_sizes)


def _model(values: np.ndarray, tier_sizes: Sequence[int]) -> CostModel:
    num_tiers = len(tier_sizes) + 1
    sizes = [*tier_sizes, None]
    tiers = [
        Tier(size, float(values[index]), float(values[num_tiers + index]))
        for index, size in enumerate(sizes)
    ]
    return CostModel(tuple(tiers), float(values[-2]), float(values[-1]))
