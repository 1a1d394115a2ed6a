import pytest
import torch

from cocodesign.collectives import Communicator, CostModel, all_reduce, tune
from cocodesign.collectives.comparison import (
    LIBRARY,
    PROBE_SIZES_BYTES,
    Comparison,
    candidates,
    compare_schedules,
)
from cocodesign.collectives.cost_model import Tier
from cocodesign.collectives.memory import run_in_memory
from cocodesign.collectives.schedules import all_schedules


def compare(communicator: Communicator) -> Comparison:
    return compare_schedules(
        communicator,
        lambda tensor: all_reduce(tensor, communicator),
        [1024, 4096],
        num_turns=1,
    )


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    return run_in_memory(3, compare)


@pytest.mark.slow
def test_all_ranks_come_to_the_same_result(comparisons: list[Comparison]) -> None:
    assert all(each == comparisons[0] for each in comparisons)


@pytest.mark.slow
def test_measures_every_schedule_and_judges_where_it_was_not_fitted(
    comparisons: list[Comparison],
) -> None:
    found = comparisons[0]
    names = {str(each) for each in candidates(3)}
    measured = {(each.schedule, each.num_bytes) for each in found.timings}
    assert measured == {
        (name, size) for name in names | {LIBRARY} for size in (1024, 4096)
    }
    assert {each.num_bytes for each in found.probes} == set(PROBE_SIZES_BYTES)
    assert set(found.choices.values()) <= names
    assert all(regret >= 1 for regret in found.regrets().values())
    assert set(found.errors()) == {
        (name, size) for name in names for size in (1024, 4096)
    }
    assert "3 ranks: median regret" in found.summary()


@pytest.mark.slow
def test_comes_back_from_json(comparisons: list[Comparison]) -> None:
    assert Comparison.from_json(comparisons[0].to_json()) == comparisons[0]


def test_every_schedule_is_a_candidate() -> None:
    schedules = list(all_schedules(6))
    assert len(candidates(6)) == len(schedules) + 1
    unequal = candidates(6, equal_links=False)
    assert len(unequal) == 2 * len(schedules)
    assert len({str(each) for each in unequal}) == len(unequal)


@pytest.mark.parametrize("world_size", range(2, 17))
def test_on_equal_links_the_tuner_chooses_a_candidate(world_size: int) -> None:
    names = {str(each) for each in candidates(world_size)}
    for latency_s, seconds_per_byte in ((1e-4, 1e-9), (1e-6, 1e-8), (0.0, 1e-9)):
        model = CostModel((Tier(None, latency_s, seconds_per_byte),), 1e-10)
        for size in (0, 1024, 1 << 20, 1 << 26):
            assert str(tune(model, world_size, size)) in names


def test_refuses_to_judge_where_it_is_fitted() -> None:
    def judge_at_a_probe(communicator: Communicator) -> None:
        compare_schedules(communicator, torch.neg, [PROBE_SIZES_BYTES[0]], num_turns=1)

    with pytest.raises(ValueError, match=r"fitted at \[2048\] bytes"):
        run_in_memory(2, judge_at_a_probe)
