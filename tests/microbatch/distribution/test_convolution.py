import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cocodesign.collectives import Communicator
from cocodesign.collectives.memory import run_in_memory
from cocodesign.microbatch.distribution import (
    local_parts,
    partition_axes,
    partitioned_convolution,
)
from cocodesign.microbatch.distribution.partition import Axis, even_spans
from cocodesign.microbatch.problem import ConvProblem
from tests.tolerances import assert_close

pytestmark = pytest.mark.slow

PROBLEMS = {
    "3x3": ConvProblem.square(4, 4, 6, size=9, kernel=3, padding=1, dtype="float64"),
    "even kernel": ConvProblem.square(
        4, 4, 6, size=9, kernel=4, padding=1, dtype="float64"
    ),
    "stride": ConvProblem.square(
        4, 4, 6, size=13, kernel=3, stride=2, padding=1, dtype="float64"
    ),
    "stride over window": ConvProblem.square(
        4, 4, 6, size=17, kernel=2, stride=3, dtype="float64"
    ),
    "dilated": ConvProblem.square(
        4, 4, 6, size=13, kernel=3, dilation=3, padding=3, dtype="float64"
    ),
    "window over several ranks": ConvProblem.square(
        4, 4, 6, size=8, kernel=7, padding=3, dtype="float64"
    ),
    "grouped": ConvProblem.square(
        4, 4, 6, size=9, kernel=3, padding=1, groups=2, dtype="float64"
    ),
    "1d": ConvProblem(4, 4, 6, (17,), (4,), (2,), (3,), (2,), 1, "float64"),
    "3d": ConvProblem(
        4, 4, 4, (6, 7, 5), (3, 2, 2), (1, 2, 1), (1, 0, 1), (1, 1, 1), 1, "float64"
    ),
}


def whole(problem: ConvProblem, x: Tensor, w: Tensor, *, is_transposed: bool) -> Tensor:
    """Compute on one process, by autograd's own transposition."""
    if not is_transposed:
        return torch.convolution(
            x,
            w,
            None,
            problem.stride,
            problem.padding,
            problem.dilation,
            False,
            [0] * problem.num_axes,
            problem.groups,
        )
    shape = (len(x), problem.in_channels, *problem.input_size)
    image = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
    y = whole(problem, image, w, is_transposed=False)
    (result,) = torch.autograd.grad(y, image, x, create_graph=True)
    return result


def check(problem: ConvProblem, axis: Axis, world_size: int, *, is_transposed: bool):
    generator = torch.Generator().manual_seed(0)
    channels, size = problem.in_channels, problem.input_size
    if is_transposed:
        channels, size = problem.out_channels, problem.output_size
    shape = (problem.mini_batch_size, channels, *size)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    w = torch.randn(problem.weight_shape, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    w.requires_grad_()
    expected = whole(problem, x, w, is_transposed=is_transposed)
    dy = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    dx, dw = torch.autograd.grad(expected, (x, w), dy)
    cut = {"batch": 0, "out_channels": 1, "in_channels": None}.get(
        axis, -3 + ["depth", "height", "width"].index(axis) if axis[0] in "dhw" else 0
    )

    def work(communicator: Communicator):
        rank = communicator.rank
        parts = [
            local_parts(
                problem, axis, rank, world_size, *each, is_transposed=is_transposed
            )
            for each in ((x.detach(), w.detach()), (dx, dw))
        ]
        mine = [part.clone().requires_grad_() for part in parts[0]]
        y = partitioned_convolution(
            problem, axis, *mine, communicator, is_transposed=is_transposed
        )
        wanted, gradient = expected.detach(), dy
        if cut is not None:
            span = even_spans(wanted.shape[cut], world_size)[rank]
            wanted = wanted.narrow(cut, span.start, span.size)
            gradient = gradient.narrow(cut, span.start, span.size)
        return (y, wanted), *zip(
            torch.autograd.grad(y, mine, gradient), parts[1], strict=True
        )

    for results in run_in_memory(world_size, work, limit_s=10):
        for actual, wanted in results:
            assert_close(actual.detach(), wanted.detach())


CASES = [
    (name, axis, world_size, is_transposed)
    for name, problem in PROBLEMS.items()
    for axis in partition_axes(problem)
    for world_size in (1, 2, 3)
    for is_transposed in (False, True)
]


@pytest.mark.parametrize(("name", "axis", "world_size", "is_transposed"), CASES)
def test_equals_one_process_in_output_and_gradients(
    name, axis, world_size, is_transposed
):
    check(PROBLEMS[name], axis, world_size, is_transposed=is_transposed)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(4, 20),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    world_size=st.integers(1, 4),
    is_transposed=st.booleans(),
)
def test_equals_one_process_for_any_sizes_of_an_axis(
    size, kernel, stride, padding, dilation, world_size, is_transposed
):
    reach = dilation * (kernel - 1)
    assume(size + 2 * padding > reach)
    problem = ConvProblem(
        1, 2, 2, (size,), (kernel,), (stride,), (padding,), (dilation,), 1, "float64"
    )
    assume(world_size <= problem.output_size[0])
    check(problem, "width", world_size, is_transposed=is_transposed)


def test_refuses_more_ranks_than_there_are_rows():
    with pytest.raises(ValueError, match="cannot be cut for 10 ranks"):
        local_parts(PROBLEMS["3x3"], "height", 0, 10, torch.ones(1), torch.ones(1))


def test_refuses_channels_of_groups_and_axes_that_are_not_there():
    problem = PROBLEMS["grouped"]
    assert "out_channels" not in partition_axes(problem)
    from cocodesign.collectives import local_communicator

    for axis, message in (("in_channels", "2 groups"), ("depth", "has no depth")):
        with pytest.raises(ValueError, match=message):
            partitioned_convolution(
                problem, axis, torch.ones(1), torch.ones(1), local_communicator()
            )
