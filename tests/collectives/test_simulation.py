import numpy as np
import pytest

from cocodesign.collectives.cost_model import Operation, predict
from cocodesign.collectives.schedules import (
    Schedule,
    halving,
    hierarchical,
    ring,
)
from cocodesign.collectives.simulation import simulate
from cocodesign.collectives.topology import (
    Domain,
    SimulatedMachine,
    Topology,
    abci,
    modern,
)

SCHEDULES = [
    ring(24),
    halving(24),
    hierarchical([2, 3, 4]),
    Schedule(halving(24).levels, one_shot=True),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_on_equal_links_all_clocks_go_together(schedule: Schedule) -> None:
    flat = Topology("flat", (Domain(24, 2e-6, 1e9),), sum_bytes_per_s=4e9)
    machine = SimulatedMachine(flat, 24, overhead_s=1e-6)
    for operation in ("all_reduce", "reduce_scatter", "all_gather"):
        assert simulate(machine, schedule, 1e6, operation) == pytest.approx(
            predict(machine, schedule, 1e6, operation)
        )


@pytest.mark.parametrize("topology", [abci(), modern()], ids=lambda each: each.name)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_own_clocks_are_never_later_than_common_rounds(
    topology: Topology, schedule: Schedule
) -> None:
    machine = SimulatedMachine(topology, 24)
    common = predict(machine, schedule, 1e7)
    assert 0.3 * common < simulate(machine, schedule, 1e7) <= common * (1 + 1e-9)


def test_delays_cost_more_the_more_rounds_there_are() -> None:
    machine = SimulatedMachine(modern(), 64)
    added = [
        simulate(machine, schedule, 0, mean_delay_s=1e-5, seed=1)
        - simulate(machine, schedule, 0)
        for schedule in (halving(64), ring(64))
    ]
    assert 12e-5 < added[0] < added[1]


def test_the_same_seed_gives_the_same_delays() -> None:
    machine = SimulatedMachine(modern(), 8)
    first, again, other = (
        simulate(machine, ring(8), 1e3, mean_delay_s=1e-5, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("schedule", SCHEDULES[:3], ids=str)
@pytest.mark.parametrize("operation", ["reduce_scatter", "all_gather"])
def test_unequal_shards_are_messages_of_the_real_schedule(
    schedule: Schedule, operation: Operation
) -> None:
    """On links without latency, compared with every message of every rank."""
    flat = SimulatedMachine(Topology("flat", (Domain(24, 0.0, 1.0),)), 24)
    sizes = [(7 * rank) % 11 for rank in range(24)]
    by_slot = {schedule.slot_of(rank): size for rank, size in enumerate(sizes)}
    clocks = [0.0] * 24
    levels = range(len(schedule.levels))
    for level in levels if operation == "reduce_scatter" else reversed(levels):
        phases = [schedule.phases(rank)[level] for rank in range(24)]
        rounds = [
            list(
                each.reduce_scatter_rounds()
                if operation == "reduce_scatter"
                else each.all_gather_rounds()
            )
            for each in phases
        ]
        for number in range(len(rounds[0])):
            clocks = [
                max(clocks[rank], clocks[rounds[rank][number].from_rank])
                + sum(
                    by_slot[slot]
                    for piece in rounds[rank][number].received
                    for slot in piece
                )
                for rank in range(24)
            ]
    shares = np.array(sizes) / sum(sizes)
    found = simulate(flat, schedule, sum(sizes), operation, shares=shares)
    assert found == pytest.approx(max(clocks))


def test_a_ring_waits_for_the_largest_shard_in_every_round() -> None:
    machine = SimulatedMachine(Topology("flat", (Domain(16, 0.0, 1.0),)), 16)
    shares = np.zeros(16)
    shares[3] = 1.0
    ring_s, halving_s = (
        simulate(machine, schedule, 1.0, "all_gather", shares=shares)
        for schedule in (ring(16), halving(16))
    )
    assert ring_s == pytest.approx(15.0)
    assert halving_s == pytest.approx(4.0)


def test_refuses_a_schedule_for_other_ranks() -> None:
    with pytest.raises(ValueError, match=r"\[4\] is for 4 ranks, .* machine has 8"):
        simulate(SimulatedMachine(modern(), 8), ring(4), 1.0)
    with pytest.raises(ValueError, match="8 ranks need as many shares, got 3"):
        simulate(
            SimulatedMachine(modern(), 8), ring(8), 1.0, shares=np.array([1.0, 0, 0])
        )
