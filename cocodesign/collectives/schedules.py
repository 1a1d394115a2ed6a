# pyright: strict
"""Schedules of collectives: who sends what to whom, round by round.

A schedule factorises the ranks, ``p = p_1 p_2 … p_k``. Rank ``r`` has the digits
``d_1 … d_k`` with ``r = d_1 + p_1 (d_2 + p_2 (d_3 + …))``, so that level 1 joins
neighbours, which sit on one node and have the fastest links. A reduce-scatter goes
through the levels upwards: at level i the ranks that differ in ``d_i`` only share
out what each of them still holds, and the message shrinks by ``p_i``. An all-gather is
the same backwards, an all-reduce the one after the other.

One level of p ranks is the ring; levels of two ranks are recursive halving and
doubling; everything between is a hybrid. Within a level the ranks follow a pattern:

* ``ring``: ``g - 1`` rounds, each with the next neighbour;
* ``halving``: ``⌈log2 g⌉`` rounds of doubling sizes, for *any* g, without folding away
  the ranks above a power of two;
* ``native``: whatever the communication library does among these ranks.

Each pattern sends ``(g - 1)/g`` of the message from every rank, the least possible.

A vector of p shards lies in *slots*, ordered with ``d_1`` as the leading digit: what a
level deals with is then one contiguous piece, whatever the factorisation.

Sources: Thakur, Rabenseifner and Gropp (2005), doi:10.1177/1094342005051521, Sections
3 and 4, for ring and recursive halving; Ueno and Yokota (2019),
doi:10.1109/CCGRID.2019.00057, for the hierarchy; Träff (2024), arXiv:2410.14234,
Algorithm 1, for halving with any number of ranks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple, get_args

Pattern = Literal["ring", "halving", "native"]
Slots = tuple[range, ...]  # pieces of the buffer, each contiguous

_MARKS = {"ring": "", "halving": "h", "native": "n"}


class Step(NamedTuple):
    """A round of a level; members and blocks are counted from a member's own on.

    Attributes:
        skip: How many members further the message goes.
        first: The first block that is sent.
        num_blocks: How many blocks are.
    """

    skip: int
    first: int
    num_blocks: int


@dataclass(frozen=True)
class Level:
    """One factor of the number of ranks.

    Attributes:
        size: Ranks in a group, at least 1.
        pattern: How they exchange.
    """

    size: int
    pattern: Pattern = "ring"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a level needs at least 1 rank, got {self.size}")
        if self.pattern not in get_args(Pattern):
            raise ValueError(
                f"pattern must be one of {get_args(Pattern)}, got {self.pattern!r}"
            )

    @property
    def num_rounds(self) -> int:
        """Rounds of a reduce-scatter; a native one counts as a ring."""
        if self.pattern == "halving":
            return (self.size - 1).bit_length()
        return self.size - 1

    def steps(self) -> Iterator["Step"]:
        """Yield the rounds of a reduce-scatter, which are alike for all members.

        Yields:
            The steps, in order; a native level counts as a ring.
        """
        if self.pattern != "halving":
            # Every block goes once around and ends, complete, at its owner.
            for number in range(1, self.size):
                yield Step(1, -number, 1)
            return
        # A member keeps the nearer half of its blocks, rounded up, and sends the rest
        # to the member that far ahead, for which they are the nearer ones.
        count = self.size
        while count > 1:
            kept = (count + 1) // 2
            yield Step(kept, kept, count - kept)
            count = kept

    def __str__(self) -> str:
        is_either = self.size <= 2 and self.pattern != "native"
        return f"{self.size}{'' if is_either else _MARKS[self.pattern]}"


@dataclass(frozen=True)
class Round:
    """One round as one rank sees it: it sends and receives at the same time.

    Attributes:
        to_rank: Who gets what this rank sends.
        from_rank: Who sends.
        sent: The slots that are sent.
        received: The slots that come; their size is that of the sender's ``sent``.
    """

    to_rank: int
    from_rank: int
    sent: Slots
    received: Slots

    def backwards(self) -> "Round":
        """Return the round that takes back what this one has sent."""
        return Round(self.from_rank, self.to_rank, self.received, self.sent)


@dataclass(frozen=True)
class Phase:
    """One level of a schedule as one rank sees it.

    Attributes:
        level: The level.
        members: The ranks of the group.
        index: This rank's place among them.
        blocks: What the group shares out: after a reduce-scatter ``members[j]`` holds
            the sum of the slots ``blocks[j]``.
    """

    level: Level
    members: range
    index: int
    blocks: tuple[range, ...]

    def reduce_scatter_rounds(self) -> Iterator[Round]:
        """Yield the rounds in which what is received is added.

        Yields:
            The rounds, in order; none for one rank.

        Raises:
            ValueError: If the pattern is native, whose rounds are not ours to know.
        """
        if self.level.pattern == "native":
            raise ValueError("a native level has no rounds of ours")
        size, index = self.level.size, self.index
        for step in self.level.steps():
            yield Round(
                to_rank=self.members[(index + step.skip) % size],
                from_rank=self.members[(index - step.skip) % size],
                sent=self._run(index + step.first, step.num_blocks),
                received=self._run(index - step.skip + step.first, step.num_blocks),
            )

    def all_gather_rounds(self) -> Iterator[Round]:
        """Yield the rounds in which what is received is kept.

        Yields:
            Those of the reduce-scatter backwards, in time and in direction.
        """
        for each in reversed(list(self.reduce_scatter_rounds())):
            yield each.backwards()

    def _run(self, first: int, count: int) -> Slots:
        """Return the slots of ``count`` blocks from ``first`` on, around the end."""
        size = self.level.size
        first %= size
        last = first + count
        pieces = [range(first, min(last, size)), range(last - size)]
        return tuple(
            range(self.blocks[each[0]].start, self.blocks[each[-1]].stop)
            for each in pieces
            if each
        )


@dataclass(frozen=True)
class Schedule:
    """A factorisation of the ranks with a pattern for each level.

    Attributes:
        levels: From neighbours outwards, at least one.
        one_shot: Whether an all-reduce gathers all tensors whole and sums them locally,
            instead of a reduce-scatter and an all-gather: half the rounds, but p times
            the bytes, which pays for messages that cost nothing but latency.

    Example:
        >>> schedule = Schedule((Level(4), Level(2)))
        >>> schedule.world_size, schedule.num_rounds, str(schedule)
        (8, 4, '[4, 2]')
        >>> [schedule.slot_of(rank) for rank in range(8)]
        [0, 2, 4, 6, 1, 3, 5, 7]
    """

    levels: tuple[Level, ...]
    one_shot: bool = False

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("a schedule needs at least one level")

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return math.prod(level.size for level in self.levels)

    @property
    def num_rounds(self) -> int:
        """Rounds of a reduce-scatter, or of an all-gather."""
        return sum(level.num_rounds for level in self.levels)

    @property
    def strides(self) -> tuple[int, ...]:
        """The distance between neighbouring members at each level."""
        sizes = [level.size for level in self.levels]
        return tuple(math.prod(sizes[:index]) for index in range(len(sizes)))

    def slot_of(self, rank: int) -> int:
        """Return the slot that a rank owns: its digits in reverse order."""
        slot = 0
        for level in self.levels:
            rank, digit = divmod(rank, level.size)
            slot = slot * level.size + digit
        return slot

    def phases(self, rank: int) -> list[Phase]:
        """Return what a rank does, level by level, in the order of a reduce-scatter.

        Args:
            rank: The rank.

        Returns:
            One phase per level. What the rank holds before a phase is all its blocks,
            after it the one with its index.

        Raises:
            ValueError: If there is no such rank.
        """
        if not 0 <= rank < self.world_size:
            raise ValueError(
                f"rank must lie in [0, {self.world_size}) for {self}, got {rank}"
            )
        phases: list[Phase] = []
        held = range(self.world_size)
        for level, stride in zip(self.levels, self.strides, strict=True):
            index = rank // stride % level.size
            first = rank - index * stride
            width = len(held) // level.size
            blocks = tuple(
                range(held.start + each * width, held.start + (each + 1) * width)
                for each in range(level.size)
            )
            members = range(first, first + stride * level.size, stride)
            phases.append(Phase(level, members, index, blocks))
            held = blocks[index]
        return phases

    def __str__(self) -> str:
        mark = "one-shot " if self.one_shot else ""
        return f"{mark}[{', '.join(str(level) for level in self.levels)}]"


def ring(world_size: int) -> Schedule:
    """Return the schedule of one ring through all ranks.

    Args:
        world_size: The number of ranks.

    Returns:
        Latency ``p - 1`` in each direction.

    Example:
        >>> str(ring(6)), ring(6).num_rounds
        ('[6]', 5)
    """
    return Schedule((Level(world_size),))


def halving(world_size: int) -> Schedule:
    """Return recursive halving (backwards: doubling) over all ranks.

    Args:
        world_size: The number of ranks, a power of two or not.

    Returns:
        Latency ``⌈log2 p⌉`` in each direction, the least possible.

    Example:
        >>> str(halving(6)), halving(6).num_rounds
        ('[6h]', 3)
    """
    return Schedule((Level(world_size, "halving"),))


def hierarchical(sizes: Sequence[int], pattern: Pattern = "ring") -> Schedule:
    """Return the schedule of a factorisation with one pattern at all levels.

    Args:
        sizes: Ranks per group, from neighbours outwards.
        pattern: The pattern of every level.

    Returns:
        The schedule of ``p_1 p_2 …`` ranks.

    Example:
        >>> hierarchical([4, 8]).world_size
        32
    """
    return Schedule(tuple(Level(size, pattern) for size in sizes))


def factorisations(number: int) -> Iterator[tuple[int, ...]]:
    """Yield all ordered factorisations into factors of at least 2.

    Args:
        number: At least 1, whose only factorisation is ``(1,)``.

    Yields:
        The factors, the first one rising.

    Raises:
        ValueError: If the number is not positive.

    Example:
        >>> list(factorisations(8))
        [(2, 2, 2), (2, 4), (4, 2), (8,)]
    """
    if number < 1:
        raise ValueError(f"there are only factorisations of 1 and more, got {number}")
    for first in range(2, number):
        if number % first == 0:
            yield from ((first, *rest) for rest in factorisations(number // first))
    yield (number,)


def all_schedules(
    world_size: int, patterns: Sequence[Pattern] = ("ring", "halving")
) -> Iterator[Schedule]:
    """Yield every schedule for a number of ranks, without two that are the same.

    Args:
        world_size: The number of ranks.
        patterns: Those that a level may follow. In groups of two, ring and halving are
            the same, and only the first of them is taken.

    Yields:
        The schedules; their number grows fast, beyond 64 ranks ``tune`` searches.
    """
    for sizes in factorisations(world_size):
        choices = [distinct_patterns(size, patterns) for size in sizes]
        for chosen in product(*choices):
            yield Schedule(
                tuple(
                    Level(size, pattern)
                    for size, pattern in zip(sizes, chosen, strict=True)
                )
            )


def distinct_patterns(size: int, patterns: Sequence[Pattern]) -> list[Pattern]:
    """Return the patterns that differ in a group of ``size`` ranks."""
    if size > 2 or not {"ring", "halving"} <= set(patterns):
        return list(patterns)
    return [each for each in patterns if each != "halving"]
