import pytest

from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.distribution import Machine, choose_partition
from cocodesign.microbatch.distribution.choice import predict_partitions
from cocodesign.microbatch.problem import ConvProblem

FAST_LINKS = Machine(1e10, 1e-6, 1e-10, memory_bytes=1 << 34)


def test_many_examples_and_few_weights_are_cut_along_the_batch():
    problem = ConvProblem.square(256, 16, 16, size=32, kernel=3, padding=1)
    assert choose_partition(problem, 4, FAST_LINKS).axis == "batch"


def test_one_large_picture_is_cut_along_its_rows_or_columns():
    problem = ConvProblem.square(1, 16, 16, size=256, kernel=3, padding=1)
    assert choose_partition(problem, 4, FAST_LINKS).axis in ("height", "width")


def test_many_weights_and_small_pictures_are_cut_along_channels():
    problem = ConvProblem.square(4, 2048, 2048, size=7, kernel=3, padding=1)
    slow = Machine(1e12, 1e-6, 1e-8, memory_bytes=1 << 34)
    assert choose_partition(problem, 4, slow).axis in ("in_channels", "out_channels")


def test_too_little_memory_excludes_the_fastest_and_then_all():
    problem = ConvProblem.square(4, 512, 512, size=7, kernel=3, padding=1)
    choices = predict_partitions(problem, 4, FAST_LINKS)
    fastest = choose_partition(problem, 4, FAST_LINKS)
    leanest = min(each.memory_bytes for each in choices)
    little = Machine(1e10, 1e-6, 1e-10, memory_bytes=leanest)
    assert choose_partition(problem, 4, little).memory_bytes == leanest
    assert fastest.time_s <= choose_partition(problem, 4, little).time_s
    with pytest.raises(InfeasiblePlanError, match="fits into no rank of 4"):
        choose_partition(problem, 4, Machine(1e10, 1e-6, 1e-10, leanest - 1))


def test_a_single_rank_sends_nothing():
    problem = ConvProblem.square(4, 8, 8, size=7, kernel=3, padding=1)
    times = {each.time_s for each in predict_partitions(problem, 1, FAST_LINKS)}
    assert times == {3 * problem.flops / FAST_LINKS.flops_per_s}


def test_no_cut_leaves_a_rank_without_work():
    problem = ConvProblem.square(2, 8, 8, size=3, kernel=3, padding=1)
    axes = {each.axis for each in predict_partitions(problem, 4, FAST_LINKS)}
    assert axes == {"out_channels", "in_channels"}
