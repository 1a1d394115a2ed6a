import pytest
import torch

from cocodesign.microbatch.cudnn import CudnnConvolution, CudnnError, cudnn_library
from cocodesign.microbatch.division import Part
from cocodesign.microbatch.problem import DIRECTIONS, ConvProblem
from tests.microbatch.conftest import make_example
from tests.tolerances import assert_close

pytestmark = pytest.mark.skipif(
    cudnn_library() is None, reason="torch has no cuDNN 9 beside it"
)


def test_cudnn_reckons_the_same_sizes(problem):
    convolution = CudnnConvolution(problem, "forward")
    expected = (3, problem.out_channels, *problem.output_size)
    assert convolution.output_shape(3) == expected


def test_every_direction_has_its_algorithms():
    problem = ConvProblem.square(2, 3, 4, size=8, kernel=3)
    counts = [len(CudnnConvolution(problem, each).algorithms()) for each in DIRECTIONS]
    assert counts == [7, 6, 6]


def test_a_refused_call_says_which():
    problem = ConvProblem.square(2, 3, 4, size=8, kernel=3)
    convolution = CudnnConvolution(problem, "forward")
    with pytest.raises(CudnnError, match="cudnnSetTensorNdDescriptor of 8x8"):
        convolution.output_shape(0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_algorithm_equals_torch_in_parts(direction):
    problem = ConvProblem.square(6, 16, 32, size=14, kernel=3, padding=1)
    example = make_example(problem, torch.float32)
    first, second = (each.cuda() for each in example.operands(direction))
    wanted = example.result(direction)
    convolution = CudnnConvolution(problem, direction)
    tried = 0
    for algorithm in convolution.algorithms():
        size = convolution.workspace_bytes(algorithm, 4)
        if size is None:
            continue
        tried += 1
        workspace = torch.empty(max(size, 1), dtype=torch.uint8, device="cuda")
        out = torch.full(wanted.shape, torch.nan, device="cuda")
        parts = (Part(algorithm, 4), Part(algorithm, 2))
        convolution.run_parts(parts, first, second, out, workspace)
        assert_close(out.cpu() / 10, wanted / 10)  # transforms are less exact
    assert tried >= 2
