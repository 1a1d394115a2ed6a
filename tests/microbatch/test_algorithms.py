import pytest
import torch

from cocodesign.errors import PlanMismatchError
from cocodesign.microbatch.algorithms import CPU_ALGORITHMS, algorithm_named
from cocodesign.microbatch.allocations import trace_memory
from cocodesign.microbatch.division import Part
from cocodesign.microbatch.execution import convolve
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem
from tests.microbatch.conftest import CASES, make_example
from tests.tolerances import assert_close

pytestmark = pytest.mark.slow  # numba compiles

SINGLE = {
    "3x3": ConvProblem.square(6, 16, 24, size=13, kernel=3, padding=1),
    "5x5": ConvProblem.square(6, 16, 8, size=14, kernel=5, padding=2),
    "3x3 valid": ConvProblem.square(6, 8, 16, size=7, kernel=3),
    "1x1": ConvProblem.square(6, 8, 16, size=7, kernel=1),
    "stride": ConvProblem.square(6, 8, 16, size=9, kernel=3, stride=2, padding=1),
}


def parts_of(name: str, total: int) -> tuple[Part, ...]:
    """Divide unevenly, into three parts of different sizes where there are enough."""
    return Part(name, total - 3), Part(name, 2), Part(name, 1)


SUPPORTED = {
    f"{name}-{direction}-{algorithm.name}": (problem, direction, algorithm)
    for name, problem in CASES.items()
    for direction in DIRECTIONS
    for algorithm in CPU_ALGORITHMS
    if algorithm.supports(problem, direction)
}


@pytest.mark.parametrize(
    ("problem", "direction", "algorithm"), SUPPORTED.values(), ids=list(SUPPORTED)
)
def test_equals_autograd_in_double_precision(problem, direction, algorithm):
    example = make_example(problem)
    parts = parts_of(algorithm.name, problem.mini_batch_size)
    first, second = example.operands(direction)
    result = convolve(problem, direction, first, second, parts)
    assert_close(result, example.result(direction))
    if problem.num_axes == 2:
        first = first.contiguous(memory_format=torch.channels_last)
        result = convolve(problem, direction, first, second, parts)
        assert_close(result, example.result(direction))
        if direction != "backward_filter":
            assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("sizes", SINGLE.values(), ids=list(SINGLE))
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_errors_in_single_precision_stay_below_their_bounds(sizes, direction):
    exact = make_example(sizes, torch.float64)
    first, second = (each.float() for each in exact.operands(direction))
    scale = error_scale(sizes, direction, exact)
    for algorithm in CPU_ALGORITHMS:
        if algorithm.supports(sizes, direction):
            parts = parts_of(algorithm.name, sizes.mini_batch_size)
            result = convolve(sizes, direction, first, second, parts)
            error = (result - exact.result(direction)).abs().max().item() / scale
            assert error <= algorithm.error_bound(sizes, direction), algorithm.name
            assert error < 1e-4, algorithm.name


def error_scale(problem: ConvProblem, direction, example) -> float:
    """Return what the bounds are relative to, see ``Algorithm.error_bound``."""
    if direction == "backward_filter":
        positions = example.y[0, 0].numel() * problem.mini_batch_size
        return (positions * example.x.abs().max() * example.dy.abs().max()).item()
    source = example.x if direction == "forward" else example.dy
    kept_axis = 0 if direction == "forward" else 1
    axes = [axis for axis in range(example.w.ndim) if axis != kept_axis]
    return (source.abs().max() * example.w.abs().sum(axes).max()).item()


@pytest.mark.parametrize("sizes", SINGLE.values(), ids=list(SINGLE))
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_workspace_is_what_the_allocator_sees(sizes, direction):
    example = make_example(sizes, torch.float32)
    for algorithm in CPU_ALGORITHMS:
        if algorithm.name in ("direct", "fft") or not algorithm.supports(
            sizes, direction
        ):
            continue  # torch's functions take more inside, which is measured
        parts = (Part(algorithm.name, 4), Part(algorithm.name, 2))
        first, second = example.operands(direction)

        def work(parts=parts, first=first, second=second):
            return convolve(sizes, direction, first, second, parts)

        work()
        extra = trace_memory(work).peak_bytes - example.result(direction).nbytes
        expected = algorithm.workspace_bytes(sizes, direction, 4)
        # Transforming a filter takes some more for a moment, before the tiles are used.
        assert extra <= expected * 1.25 + 4096, algorithm.name
        assert extra >= expected, algorithm.name


def test_every_algorithm_is_found_by_its_name():
    for algorithm in CPU_ALGORITHMS:
        assert algorithm_named(algorithm.name) is algorithm
    with pytest.raises(PlanMismatchError, match="plan again"):
        algorithm_named("cudnn_fft_tiling")


def test_torch_can_always_compute():
    for problem in CASES.values():
        assert algorithm_named("direct").supports(problem, "forward")
