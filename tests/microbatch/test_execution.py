import math

import pytest
import torch

from cocodesign.microbatch.division import Part, parse_parts
from cocodesign.microbatch.execution import convolve
from cocodesign.microbatch.problem import DIRECTIONS
from tests.microbatch.conftest import CASES, make_example
from tests.tolerances import assert_close

DIVISIONS = [
    "direct:5",
    "direct:2*2 direct:1",
    "im2col:3 im2col:2",
    "direct:2 im2col:3",
]


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("division", DIVISIONS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_beta_weighs_the_old_content_once(direction, division, beta):
    problem = CASES["3x3"]
    example = make_example(problem)
    old = torch.full_like(example.result(direction), 7.0)
    out = old.clone()
    result = convolve(
        problem,
        direction,
        *example.operands(direction),
        parse_parts(division),
        out=out,
        beta=beta,
    )
    assert result is out
    assert_close(out, beta * old + example.result(direction))


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("division", ["winograd4:2*2 winograd2:1", "fft:3 direct:2"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_beta_is_right_for_transforms_as_well(direction, division, beta):
    test_beta_weighs_the_old_content_once(direction, division, beta)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_beta_of_zero_ignores_what_is_not_finite(direction):
    problem = CASES["3x3"]
    example = make_example(problem)
    out = torch.full_like(example.result(direction), math.nan)
    parts = parse_parts("direct:2 direct:3")
    convolve(problem, direction, *example.operands(direction), parts, out=out)
    assert_close(out, example.result(direction))


def test_takes_operands_that_are_not_dense():
    problem = CASES["3x3"]
    example = make_example(problem)
    spread = torch.stack([example.x, example.x], -1)[..., 0]
    result = convolve(problem, "forward", spread, example.w, parse_parts("im2col:5"))
    assert_close(result, example.y)


def test_refuses_parts_that_do_not_cover_the_mini_batch():
    problem = CASES["3x3"]
    example = make_example(problem)
    with pytest.raises(ValueError, match="cover 4 examples, but there are 5"):
        convolve(problem, "forward", example.x, example.w, [Part("direct", 4)])


def test_refuses_beta_without_an_old_content():
    problem = CASES["3x3"]
    example = make_example(problem)
    with pytest.raises(ValueError, match="no out"):
        convolve(
            problem, "forward", example.x, example.w, [Part("direct", 5)], beta=1.0
        )
