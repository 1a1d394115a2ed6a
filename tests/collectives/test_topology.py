import numpy as np
import pytest

from cocodesign.collectives.cost_model import CostModel, Tier, predict
from cocodesign.collectives.schedules import (
    all_schedules,
    halving,
    hierarchical,
)
from cocodesign.collectives.topology import (
    Domain,
    SimulatedMachine,
    Topology,
    abci,
    modern,
)

# Nodes of 2 ranks with 10 byte/s inside and 1 byte/s each, 1.5 byte/s together, out.
PAIRS = Topology(
    "pairs", (Domain(2, 1.0, 10.0, uplink_bytes_per_s=1.5), Domain(8, 3.0, 1.0))
)


def test_a_message_alone_has_its_link_to_itself() -> None:
    near = PAIRS.message_seconds(np.array([0]), np.array([1]), 20.0)
    far = PAIRS.message_seconds(np.array([0]), np.array([2]), 20.0)
    assert near.tolist() == [1.0 + 2.0]
    assert far.tolist() == [3.0 + 20.0]


def test_messages_out_of_one_node_share_its_uplink() -> None:
    both = PAIRS.message_seconds(np.array([0, 1]), np.array([2, 4]), 15.0)
    assert both.tolist() == [3.0 + 2 * 15 / 1.5] * 2


def test_messages_into_one_node_share_it_as_well() -> None:
    both = PAIRS.message_seconds(np.array([0, 2]), np.array([4, 5]), 15.0)
    assert both.tolist() == [3.0 + 2 * 15 / 1.5] * 2


def test_without_contention_it_is_the_cost_model() -> None:
    machine = SimulatedMachine(
        Topology("flat", (Domain(24, 2e-6, 1e9),), sum_bytes_per_s=4e9), 24, 1e-6
    )
    model = CostModel((Tier(None, 2e-6, 1e-9),), 0.25e-9, 1e-6)
    for schedule in all_schedules(24):
        assert predict(machine, schedule, 5e6) == pytest.approx(
            predict(model, schedule, 5e6)
        )


def test_a_fast_first_level_spares_the_shared_links() -> None:
    machine = SimulatedMachine(PAIRS, 8)
    near_first = predict(machine, hierarchical([2, 4]), 1000.0)
    ignoring_nodes = predict(machine, hierarchical([8], "halving"), 1000.0)
    assert near_first < ignoring_nodes


def test_named_machines_hold_as_many_ranks_as_asked() -> None:
    assert abci().domains[-1].num_ranks == 4352
    assert abci(10_000).domains[-1].num_ranks >= 10_000
    assert modern().domains[0].num_ranks == 8
    small = SimulatedMachine(modern(), 8)
    assert predict(small, halving(8), 0) == pytest.approx(6 * 3e-6)


def test_refuses_domains_that_do_not_nest() -> None:
    with pytest.raises(ValueError, match=r"multiple of the one inside it, got \[4, 6"):
        Topology("odd", (Domain(4, 1.0, 1.0), Domain(6, 1.0, 1.0)))
