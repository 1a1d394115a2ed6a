# pyright: strict
"""From a schedule to bytes and seconds.

The time of a message is ``α + β m``: a latency and a time per byte, which depend on how
far apart the two ranks are; each byte that is added up costs γ more. With n bytes per
rank and levels ``p_1 … p_k``, whose links are ``(α_i, β_i)``, rings need

    T = 2 Σ_i (p_i - 1) α_i  +  n Σ_i (p_i - 1)/(p_1 … p_i) (2 β_i + γ)

for an all-reduce, half the first part and no γ for an all-gather. Halving replaces
``p_i - 1`` rounds by ``⌈log2 p_i⌉``. Equal links give the bandwidth term
``(p - 1)/p`` for every factorisation: only the latency is to be won. Unequal links are
best used with the fastest first, before the message is long on the slow ones.

Source: Thakur, Rabenseifner and Gropp (2005), doi:10.1177/1094342005051521, Section 3;
Ueno and Yokota (2019), doi:10.1109/CCGRID.2019.00057, for the hierarchy.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from cocodesign.collectives.schedules import Level, Schedule

Operation = Literal["all_reduce", "reduce_scatter", "all_gather"]


@runtime_checkable
class Machine(Protocol):
    """What the time of a schedule depends on, besides the schedule."""

    def level_s(
        self, level: Level, stride: int, num_bytes: float, *, reduces: bool
    ) -> float:
        """Return the seconds of one level of a reduce-scatter or an all-gather.

        Args:
            level: The level.
            stride: Distance between neighbouring members.
            num_bytes: What the group shares out, or holds together after gathering.
            reduces: Whether what is received is added.
        """
        ...

    def sum_s(self, num_bytes: float) -> float:
        """Return the seconds of adding up this many bytes on a rank."""
        ...

    @property
    def overhead_s(self) -> float:
        """The seconds of a collective of no rounds."""
        ...


@dataclass(frozen=True)
class Traffic:
    """What each rank does at one level, in one direction.

    Attributes:
        reach: Ranks that the group spans, from its first to beyond its last.
        num_rounds: Messages that it sends.
        num_bytes: What they hold, on average over the ranks if shards are unequal.
    """

    reach: int
    num_rounds: int
    num_bytes: float


@dataclass(frozen=True)
class Tier:
    """The links among some neighbouring ranks, such as those of a node.

    Attributes:
        num_ranks: Ranks that are linked so; ``None`` for all that there are.
        latency_s: α, seconds of a message without content.
        seconds_per_byte: β, further seconds for each byte.
    """

    num_ranks: int | None
    latency_s: float
    seconds_per_byte: float


@dataclass(frozen=True)
class CostModel:
    """The links of a machine, as ``fit_cost_model`` finds them; a ``Machine``.

    Native levels count as rings.

    Attributes:
        tiers: The links, from the nearest ranks to all.
        seconds_per_summed_byte: γ.
        overhead_s: Seconds of a collective of no rounds.

    Example:
        >>> from cocodesign.collectives.schedules import hierarchical, ring
        >>> model = CostModel((Tier(None, latency_s=10e-6, seconds_per_byte=0.0),))
        >>> round(1e3 * predict(model, ring(4096), 0), 2)  # milliseconds
        81.9
        >>> round(1e3 * predict(model, hierarchical([2] * 12), 0), 2)
        0.24
    """

    tiers: tuple[Tier, ...]
    seconds_per_summed_byte: float = 0.0
    overhead_s: float = 0.0

    def __post_init__(self) -> None:
        sizes = [tier.num_ranks for tier in self.tiers]
        inner = [size for size in sizes[:-1] if size is not None]
        if not sizes or sizes[-1] is not None or len(inner) != len(sizes) - 1:
            raise ValueError(
                f"the last tier, and only that, is that of all ranks, got {sizes}"
            )
        if inner != sorted(set(inner)):
            raise ValueError(f"tiers must grow from the nearest ranks on, got {sizes}")

    def tier_of(self, reach: int) -> int:
        """Return the index of the tier whose links a group of this reach uses.

        A group that does not fit evenly into a tier crosses its border somewhere, and
        all wait for the slowest.
        """
        return next(
            index
            for index, tier in enumerate(self.tiers)
            if tier.num_ranks is None or tier.num_ranks % reach == 0
        )

    def level_s(
        self, level: Level, stride: int, num_bytes: float, *, reduces: bool
    ) -> float:
        """Return the seconds of one level; see ``Machine``."""
        traffic = level_traffic(level, stride, num_bytes)
        tier = self.tiers[self.tier_of(traffic.reach)]
        seconds = traffic.num_rounds * tier.latency_s
        seconds += traffic.num_bytes * tier.seconds_per_byte
        return seconds + (self.sum_s(traffic.num_bytes) if reduces else 0.0)

    def sum_s(self, num_bytes: float) -> float:
        """Return the seconds of adding up this many bytes."""
        return num_bytes * self.seconds_per_summed_byte


def level_traffic(level: Level, stride: int, num_bytes: float) -> Traffic:
    """Return what each rank sends at a level of a reduce-scatter or an all-gather.

    Args:
        level: The level.
        stride: Distance between neighbouring members.
        num_bytes: What the group shares out, or holds together after gathering.

    Returns:
        ``(g - 1)/g`` of the bytes in the rounds of the pattern.
    """
    sent = num_bytes * (level.size - 1) / level.size
    return Traffic(stride * level.size, level.num_rounds, sent)


def traffic_of(
    schedule: Schedule, num_bytes: float, operation: Operation = "all_reduce"
) -> list[Traffic]:
    """Return what each rank sends at each level, all directions together.

    Args:
        schedule: The schedule.
        num_bytes: Size of the tensor that is reduced, of all shards together.
        operation: What is done.

    Returns:
        The traffic, one element per level.
    """
    passes = passes_of(schedule, num_bytes, operation)
    found: list[Traffic] = []
    for level, stride in zip(schedule.levels, schedule.strides, strict=True):
        each = [level_traffic(level, stride, total / stride) for _, total in passes]
        num_rounds = sum(one.num_rounds for one in each)
        found.append(
            Traffic(each[0].reach, num_rounds, sum(one.num_bytes for one in each))
        )
    return found


def summed_bytes(
    schedule: Schedule, num_bytes: float, operation: Operation = "all_reduce"
) -> float:
    """Return how many bytes each rank adds up.

    Args:
        schedule: The schedule.
        num_bytes: Size of the tensor that is reduced.
        operation: What is done.

    Returns:
        Bytes, on average over the ranks if shards are unequal.
    """
    if operation == "all_gather":
        return 0.0
    others = schedule.world_size - 1
    if operation == "all_reduce" and schedule.one_shot:
        return num_bytes * others
    return num_bytes * others / schedule.world_size


def passes_of(
    schedule: Schedule, num_bytes: float, operation: Operation = "all_reduce"
) -> list[tuple[bool, float]]:
    """Take an operation apart into reduce-scatters and all-gathers.

    Args:
        schedule: The schedule, of which only the ranks and the form count.
        num_bytes: Size of the tensor that is reduced, of all shards together.
        operation: What is done.

    Returns:
        For each pass through the levels whether it is a reduce-scatter, and the bytes
        that all ranks share out or hold together after gathering.
    """
    if operation == "reduce_scatter":
        return [(True, num_bytes)]
    if operation == "all_gather":
        return [(False, num_bytes)]
    if schedule.one_shot:
        return [(False, num_bytes * schedule.world_size)]
    return [(True, num_bytes), (False, num_bytes)]


def predict(
    machine: Machine,
    schedule: Schedule,
    num_bytes: float,
    operation: Operation = "all_reduce",
) -> float:
    """Predict how long a collective takes.

    Args:
        machine: The links, such as a ``CostModel``.
        schedule: The schedule.
        num_bytes: Size of the tensor that is reduced, of all shards together.
        operation: What is done.

    Returns:
        Seconds.
    """
    seconds = machine.overhead_s
    for reduces, total in passes_of(schedule, num_bytes, operation):
        for level, stride in zip(schedule.levels, schedule.strides, strict=True):
            seconds += machine.level_s(level, stride, total / stride, reduces=reduces)
    if operation == "all_reduce" and schedule.one_shot:
        seconds += machine.sum_s(summed_bytes(schedule, num_bytes))
    return seconds
