"""Every schedule is played through in lockstep, on sets of who contributed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.collectives.schedules import (
    Level,
    Phase,
    Round,
    Schedule,
    all_schedules,
    factorisations,
    halving,
    hierarchical,
    ring,
)

each_world_size = pytest.mark.parametrize("world_size", range(1, 18))
Buffer = list[frozenset[int]]


def rounds_in_lockstep(schedule: Schedule, *, gathers: bool) -> list[list[Round]]:
    """The rounds of all ranks, by round and rank."""
    phases = [schedule.phases(rank) for rank in range(schedule.world_size)]
    rounds: list[list[Round]] = []
    levels = range(len(schedule.levels))
    for level in reversed(levels) if gathers else levels:
        rounds += zip(*(list(rounds_of(each[level], gathers)) for each in phases))  # noqa: B905
    return [list(each) for each in rounds]


def rounds_of(phase: Phase, gathers: bool) -> list[Round]:
    return list(phase.all_gather_rounds() if gathers else phase.reduce_scatter_rounds())


def slots_of(pieces: tuple[range, ...]) -> list[int]:
    return [slot for piece in pieces for slot in piece]


def deliver(rounds: list[Round], buffers: list[Buffer]) -> list[dict[int, frozenset]]:
    """What every rank receives in a round, by slot."""
    messages = {
        (rank, each.to_rank): [buffers[rank][slot] for slot in slots_of(each.sent)]
        for rank, each in enumerate(rounds)
    }
    return [
        dict(zip(slots_of(each.received), messages[each.from_rank, rank], strict=True))
        for rank, each in enumerate(rounds)
    ]


@each_world_size
def test_reduce_scatter_adds_every_rank_once_at_the_owner(world_size: int) -> None:
    everyone = frozenset(range(world_size))
    for schedule in all_schedules(world_size):
        buffers = [[frozenset([rank])] * world_size for rank in range(world_size)]
        for rounds in rounds_in_lockstep(schedule, gathers=False):
            for buffer, arrived in zip(buffers, deliver(rounds, buffers), strict=True):
                for slot, contributors in arrived.items():
                    assert not buffer[slot] & contributors, "added twice"
                    buffer[slot] |= contributors
        for rank, buffer in enumerate(buffers):
            assert buffer[schedule.slot_of(rank)] == everyone, schedule


@each_world_size
def test_all_gather_brings_every_shard_everywhere(world_size: int) -> None:
    for schedule in all_schedules(world_size):
        owners = {schedule.slot_of(rank): rank for rank in range(world_size)}
        missing: frozenset[int] = frozenset()
        buffers = [[missing] * world_size for _ in range(world_size)]
        for slot, owner in owners.items():
            buffers[owner][slot] = frozenset([owner])
        for rounds in rounds_in_lockstep(schedule, gathers=True):
            for buffer, arrived in zip(buffers, deliver(rounds, buffers), strict=True):
                assert all(arrived.values()), "a shard was sent before it was there"
                for slot, value in arrived.items():
                    buffer[slot] = value
        expected = [frozenset([owners[slot]]) for slot in range(world_size)]
        assert all(buffer == expected for buffer in buffers), schedule


@each_world_size
def test_no_rank_sends_more_than_the_least_possible(world_size: int) -> None:
    for schedule in all_schedules(world_size):
        for rank in range(world_size):
            sent = [
                slot
                for phase in schedule.phases(rank)
                for each in phase.reduce_scatter_rounds()
                for slot in slots_of(each.sent)
            ]
            assert len(sent) == len(set(sent)) == world_size - 1


@each_world_size
def test_every_slot_has_one_owner(world_size: int) -> None:
    for schedule in all_schedules(world_size):
        slots = {schedule.slot_of(rank) for rank in range(world_size)}
        assert slots == set(range(world_size))


@given(st.integers(1, 5000))
def test_halving_takes_the_fewest_rounds_and_a_ring_the_most(world_size: int) -> None:
    assert halving(world_size).num_rounds == math.ceil(math.log2(world_size))
    assert ring(world_size).num_rounds == world_size - 1


def test_levels_of_two_are_recursive_halving_with_the_partner_across() -> None:
    schedule = hierarchical([2, 2, 2])
    for rank in range(8):
        for level, phase in enumerate(schedule.phases(rank)):
            (only,) = phase.reduce_scatter_rounds()
            assert only.to_rank == only.from_rank == rank ^ (1 << level)
            assert len(slots_of(only.sent)) == 4 >> level


def test_a_ring_talks_to_its_neighbours_only() -> None:
    for rank in range(7):
        (phase,) = ring(7).phases(rank)
        peers = {
            (each.to_rank, each.from_rank) for each in phase.reduce_scatter_rounds()
        }
        assert peers == {((rank + 1) % 7, (rank - 1) % 7)}


def test_the_first_level_joins_neighbours() -> None:
    first, second = hierarchical([4, 3]).phases(5)
    assert list(first.members) == [4, 5, 6, 7]
    assert list(second.members) == [1, 5, 9]
    assert (first.index, second.index) == (1, 1)


@given(st.integers(1, 120))
def test_factorisations_multiply_to_the_number_and_are_distinct(number: int) -> None:
    found = list(factorisations(number))
    assert all(math.prod(factors) == number for factors in found)
    assert len(set(found)) == len(found)
    # H(n) = Σ H(d) over the proper divisors d, the recurrence of OEIS A074206.
    count = {1: 1}
    for n in range(2, number + 1):
        count[n] = sum(count[d] for d in range(1, n) if n % d == 0)
    assert len(found) == count[number]


def test_schedules_that_are_the_same_appear_once() -> None:
    assert [str(each) for each in all_schedules(4)] == ["[2, 2]", "[4]", "[4h]"]
    assert [str(each) for each in all_schedules(1)] == ["[1]"]
    assert [str(each) for each in all_schedules(2, ["halving"])] == ["[2]"]


def test_refuses_what_is_no_schedule() -> None:
    with pytest.raises(ValueError, match="at least 1 rank, got 0"):
        Level(0)
    with pytest.raises(ValueError, match="at least one level"):
        Schedule(())
    with pytest.raises(ValueError, match=r"rank must lie in \[0, 4\)"):
        ring(4).phases(4)
    with pytest.raises(ValueError, match="1 and more, got 0"):
        list(factorisations(0))
    with pytest.raises(ValueError, match="native level has no rounds"):
        list(hierarchical([2], "native").phases(0)[0].reduce_scatter_rounds())
