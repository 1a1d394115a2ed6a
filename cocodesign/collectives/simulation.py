"""Every rank of a large machine with its own clock.

``predict`` lets all ranks start a round together. Here a rank goes on as soon as its
own messages are there, so that delays travel along the schedule: what a random delay
on each rank costs depends on who waits for whom.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from cocodesign.collectives.cost_model import Operation, passes_of, summed_bytes
from cocodesign.collectives.schedules import Level, Schedule, Step
from cocodesign.collectives.topology import Ranks, SimulatedMachine, step_kinds

Shares = Float[np.ndarray, " ranks"]
Sizes = Float[np.ndarray, " ranks"]


def simulate(
    machine: SimulatedMachine,
    schedule: Schedule,
    num_bytes: float,
    operation: Operation = "all_reduce",
    *,
    shares: Shares | None = None,
    mean_delay_s: float = 0.0,
    seed: int = 0,
) -> float:
    """Play a schedule through, every round on every rank.

    The messages of one round share the uplinks with one another, not with those of
    ranks that are rounds ahead or behind.

    Args:
        machine: The links.
        schedule: The schedule, for as many ranks as the machine has.
        num_bytes: Size of the tensor that is reduced, of all shards together.
        operation: What is done.
        shares: For every rank the fraction of the bytes that is its shard; ``None``
            means that all shards are of one size.
        mean_delay_s: Mean of an exponentially distributed delay of every rank after
            every round, such as the operating system causes.
        seed: Of the delays.

    Returns:
        Seconds until the last rank is done.

    Raises:
        ValueError: If the schedule is for another number of ranks, or the shares are.

    Example:
        >>> from cocodesign.collectives.schedules import ring
        >>> from cocodesign.collectives.topology import modern
        >>> machine = SimulatedMachine(modern(), 16)
        >>> round(1e6 * simulate(machine, ring(16), 0))  # 15 rounds of 6 µs, twice
        180
    """
    if schedule.world_size != machine.world_size:
        raise ValueError(
            f"the schedule {schedule} is for {schedule.world_size} ranks, but the "
            f"machine has {machine.world_size}"
        )
    if shares is not None and len(shares) != machine.world_size:
        raise ValueError(
            f"{machine.world_size} ranks need as many shares, got {len(shares)}"
        )
    delays = np.random.default_rng(seed)
    clocks = np.zeros(machine.world_size)
    for reduces, rounds in _rounds(machine, schedule, num_bytes, operation, shares):
        sources, targets, sizes, num_rounds = rounds
        seconds = machine.topology.message_seconds(sources, targets, sizes)
        if reduces:
            seconds += machine.sum_s(1.0) * sizes
        for _ in range(num_rounds):
            later = np.empty_like(clocks)  # a rank and its source start together
            later[targets] = np.maximum(clocks[sources], clocks[targets]) + seconds
            clocks = later
            if mean_delay_s:
                clocks += delays.exponential(mean_delay_s, len(clocks))
    seconds = float(clocks.max()) + machine.overhead_s
    if operation == "all_reduce" and schedule.one_shot:
        seconds += machine.sum_s(summed_bytes(schedule, num_bytes))
    return seconds


def _rounds(
    machine: SimulatedMachine,
    schedule: Schedule,
    num_bytes: float,
    operation: Operation,
    shares: Shares | None,
) -> Iterator[tuple[bool, tuple[Ranks, Ranks, Sizes, int]]]:
    """Yield like rounds: whether they add up, who sends to whom, bytes, how many."""
    levels = list(zip(schedule.levels, schedule.strides, strict=True))
    unequal = None if shares is None else _UnequalShards(schedule, shares)
    for reduces, total in passes_of(schedule, num_bytes, operation):
        for level, stride in levels if reduces else reversed(levels):
            if unequal:
                kinds = [(step, 1) for step in level.steps()]
            else:
                kinds = list(step_kinds(level))
            for step, num_rounds in kinds if reduces else reversed(kinds):
                sources, targets = machine.messages(level, stride, step)
                if unequal:
                    sizes = total * unequal.sent(level, stride, step)
                else:
                    size = total / stride * step.num_blocks / level.size
                    sizes = np.full(len(sources), size)
                if not reduces:  # what was sent comes back
                    sources, targets = targets, sources
                yield reduces, (sources, targets, sizes, num_rounds)


class _UnequalShards:
    """What a rank's message holds, as a fraction of all."""

    def __init__(self, schedule: Schedule, shares: Shares) -> None:
        self._world_size = schedule.world_size
        self._slots = np.array(
            [schedule.slot_of(rank) for rank in range(schedule.world_size)]
        )
        by_slot = np.empty_like(shares)
        by_slot[self._slots] = shares
        self._before = np.concatenate([[0.0], np.cumsum(by_slot)])

    def sent(self, level: Level, stride: int, step: Step) -> Sizes:
        """Return what each rank sends in a round of a reduce-scatter."""
        # What a rank holds before this level are neighbouring slots, as many as ranks
        # agree with it in the digits below; each block is an equal part of them.
        held = self._world_size // stride
        starts = self._slots // held * held
        width = held // level.size
        digits = np.arange(self._world_size) // stride % level.size
        first = (digits + step.first) % level.size
        last = first + step.num_blocks
        straight = np.minimum(last, level.size)
        around = np.maximum(last - level.size, 0)
        return (
            self._before[starts + straight * width]
            - self._before[starts + first * width]
            + self._before[starts + around * width]
            - self._before[starts]
        )
