import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.kfac import StaleSchedule
from cocodesign.kfac.schedule import FixedInterval, Pace, delayed

CHANGES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


def intervals_by_the_rule(
    changes: list[tuple[float, float]], threshold: float
) -> list[int]:
    """Keep the history as lists and decide by the paper's three cases."""
    intervals = [1, 1]  # before the first refresh
    for to_last, to_earlier in changes:
        if to_last >= threshold:
            intervals.append(max(1, intervals[-1] // 2))
        elif to_earlier >= threshold:
            intervals.append(intervals[-1])
        else:
            intervals.append(intervals[-1] + intervals[-2])
    return intervals[2:]


@given(CHANGES, st.floats(0.01, 0.9))
def test_intervals_follow_the_rule(changes, threshold):
    schedule, pace, found = StaleSchedule(threshold), Pace(), []
    for change in changes:
        step = pace.next_step
        pace = schedule.after(step, pace, *change)
        found.append(pace.interval)
        assert pace.next_step == step + pace.interval
    assert found == intervals_by_the_rule(changes, threshold)
    assert pace.num_refreshes == len(changes)


def test_a_still_statistic_waits_by_fibonacci_numbers():
    schedule, pace, found = StaleSchedule(), Pace(), []
    for _ in range(7):
        pace = schedule.after(pace.next_step, pace, 0.0, 0.0)
        found.append(pace.interval)
    assert found == [2, 3, 5, 8, 13, 21, 34]


@pytest.mark.parametrize("change", [float("nan"), float("inf")])
def test_a_change_that_is_no_number_is_not_similar(change):
    pace = Pace(next_step=8, interval=8, earlier_interval=5)
    assert StaleSchedule().after(8, pace, change, change).interval == 4


@given(st.integers(1, 40))
def test_a_fixed_interval_is_preceded_by_powers_of_two(interval):
    schedule, pace, steps = FixedInterval(interval), Pace(), []
    while pace.next_step < 4 * interval:
        steps.append(pace.next_step)
        pace = schedule.after(pace.next_step, pace, 0.0, 0.0)
    early = {0} | {2**k for k in range(8) if 2**k < interval}
    late = {interval, 2 * interval, 3 * interval}
    assert steps == sorted(early | late)


def test_a_layer_that_took_no_part_waits_for_the_same_interval():
    pace = delayed(Pace(next_step=5, interval=3, num_refreshes=2), 5)
    assert (pace.next_step, pace.interval, pace.num_refreshes) == (8, 3, 2)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_refuses_a_threshold_out_of_its_range(threshold):
    with pytest.raises(ValueError, match="threshold must lie in"):
        StaleSchedule(threshold)
