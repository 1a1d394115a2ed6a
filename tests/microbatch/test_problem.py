import pytest
import torch
from torch.nn import functional

from cocodesign.microbatch.problem import ConvProblem
from tests.microbatch.conftest import make_example


def test_output_size_and_bytes_are_torch_s(problem):
    example = make_example(problem)
    assert example.y.shape[2:] == problem.output_size
    assert example.x[0].nbytes == problem.input_bytes
    assert example.y[0].nbytes == problem.output_bytes
    assert example.w.nbytes == problem.weight_bytes


def test_flops_count_two_per_product():
    problem = ConvProblem.square(2, 3, 4, size=5, kernel=2)
    counted = 0
    for _ in range(2 * 4 * 4 * 4):  # examples, output channels, rows, columns
        counted += 2 * 3 * 2 * 2
    assert problem.flops == counted


def test_survives_a_round_trip_through_json_values(problem):
    assert ConvProblem.from_dict(problem.to_dict()) == problem


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 0}, "kernel_size needs 2 values of at least 1"),
        ({"padding": -1}, "padding needs 2 values of at least 0"),
        ({"kernel": 9}, "does not fit"),
        ({"groups": 2}, "groups must divide"),
        ({"dtype": "int8"}, "dtype must be one of"),
    ],
)
def test_refuses_sizes_that_make_no_convolution(changes, message):
    sizes = {"size": 8, "kernel": 3, **changes}
    with pytest.raises(ValueError, match=message):
        ConvProblem.square(2, 3, 4, **sizes)


def test_refuses_more_than_three_axes():
    four = (4,) * 4
    ones = (1,) * 4
    with pytest.raises(ValueError, match="1 to 3 extents"):
        ConvProblem(1, 1, 1, four, ones, ones, (0,) * 4, ones)


def test_the_empty_output_is_refused_as_torch_refuses_it():
    with pytest.raises(RuntimeError):
        functional.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 4))
    with pytest.raises(ValueError, match="does not fit"):
        ConvProblem(1, 1, 1, (3,), (4,), (1,), (0,), (1,))
