import json
import threading
from pathlib import Path

import pytest

from cocodesign.microbatch.algorithms import DIRECT
from cocodesign.microbatch.division import parse_parts
from cocodesign.microbatch.measurement import Timing, candidates_of, measure
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem
from cocodesign.microbatch.timings import Timings

PROBLEM = ConvProblem.square(4, 3, 4, size=8, kernel=3, padding=1)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("size", [1, 4])
def test_measures_a_time_and_the_scratch_memory(direction, size):
    timing = measure(PROBLEM, direction, DIRECT, size, repetitions=2)
    assert timing.run_s > 0
    expected = DIRECT.workspace_bytes(PROBLEM, direction, size)
    assert timing.workspace_bytes == expected
    assert timing.scratch_bytes >= 0


def test_refuses_a_micro_batch_that_is_larger_than_the_mini_batch():
    with pytest.raises(ValueError, match="must be 1 to 4, got 5"):
        measure(PROBLEM, "forward", DIRECT, 5)


def test_what_is_known_is_not_measured_again(tmp_path: Path):
    first = Timings(tmp_path, repetitions=2)
    timing = first.get(PROBLEM, "forward", DIRECT, 2)
    assert first.get(PROBLEM, "forward", DIRECT, 2) is timing
    second = Timings(tmp_path, repetitions=2)
    assert second.get(PROBLEM, "forward", DIRECT, 2) == timing
    assert (first.num_measured, second.num_measured) == (1, 0)


def test_another_problem_direction_or_size_is_measured(tmp_path: Path):
    timings = Timings(tmp_path, repetitions=2)
    timings.get(PROBLEM, "forward", DIRECT, 2)
    timings.get(PROBLEM.with_mini_batch(8), "forward", DIRECT, 2)
    timings.get(PROBLEM, "backward_data", DIRECT, 2)
    timings.get(PROBLEM, "forward", DIRECT, 1)
    assert timings.num_measured == 4


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"timing": {"surprise": 1}}'])
def test_a_damaged_file_is_measured_anew(tmp_path: Path, damage: str):
    Timings(tmp_path, repetitions=2).get(PROBLEM, "forward", DIRECT, 2)
    (path,) = tmp_path.rglob("direct-2.json")
    path.write_text(damage)
    again = Timings(tmp_path, repetitions=2)
    again.get(PROBLEM, "forward", DIRECT, 2)
    assert again.num_measured == 1
    assert json.loads(path.read_text())["timing"]["algorithm"] == "direct"


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path):
    def write(size: int) -> None:
        Timings(tmp_path, repetitions=1).get(PROBLEM, "forward", DIRECT, size)

    threads = [
        threading.Thread(target=write, args=(1 + number % 4,)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for size in range(1, 5):
        (path,) = tmp_path.rglob(f"direct-{size}.json")
        assert json.loads(path.read_text())["timing"]["micro_batch_size"] == size


def test_gains_are_kept_as_well(tmp_path: Path):
    halves, whole = parse_parts("direct:2*2"), parse_parts("direct:4")
    gain = Timings(tmp_path).gain(PROBLEM, "forward", halves, whole)
    assert gain > 0
    assert Timings(tmp_path).gain(PROBLEM, "forward", halves, whole) == gain


def test_all_candidates_of_an_algorithm_share_its_median_setup():
    timings = [
        Timing("fft", size, 1.0, setup_s, 10, 20, 0.0)
        for size, setup_s in ((1, 0.1), (2, 0.3), (4, 0.2))
    ]
    assert {each.setup_s for each in candidates_of(timings)} == {0.2}
    assert {each.workspace_bytes for each in candidates_of(timings)} == {10}
    counted = candidates_of(timings, counts_all_scratch=True)
    assert {each.workspace_bytes for each in counted} == {20}
