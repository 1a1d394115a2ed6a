"""Small convolutions of every kind, and their results by autograd."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cocodesign.microbatch.problem import ConvProblem, Direction

square = ConvProblem.square

CASES = {
    "3x3": square(5, 3, 4, size=9, kernel=3, padding=1, dtype="float64"),
    "3x3 unpadded": square(5, 3, 4, size=9, kernel=3, dtype="float64"),
    "3x3 far padding": square(5, 3, 4, size=6, kernel=3, padding=5, dtype="float64"),
    "5x5": square(5, 3, 4, size=11, kernel=5, padding=2, dtype="float64"),
    "1x1": square(5, 3, 4, size=7, kernel=1, dtype="float64"),
    "1x1 grouped": square(5, 4, 6, size=7, kernel=1, groups=2, dtype="float64"),
    "1x1 stride 2": square(5, 3, 4, size=7, kernel=1, stride=2, dtype="float64"),
    "1x1 padded": square(5, 3, 4, size=7, kernel=1, padding=3, dtype="float64"),
    "7x7 stride 2": square(5, 3, 4, size=17, kernel=7, stride=2, dtype="float64"),
    "dilated": square(5, 3, 4, size=11, kernel=3, dilation=2, dtype="float64"),
    "depthwise": square(
        5, 4, 4, size=8, kernel=3, padding=1, groups=4, dtype="float64"
    ),
    "uneven": ConvProblem(
        5, 4, 6, (9, 7), (3, 2), (2, 1), (1, 0), (1, 2), 2, "float64"
    ),
    "3x1": ConvProblem(5, 4, 6, (9, 7), (3, 1), (1, 1), (1, 0), (1, 1), 1, "float64"),
    "even": ConvProblem(5, 4, 6, (9, 7), (2, 4), (1, 1), (1, 3), (1, 1), 1, "float64"),
    "1d": ConvProblem(5, 4, 6, (9,), (3,), (1,), (1,), (1,), 1, "float64"),
    "3d": ConvProblem(
        4, 2, 3, (5, 6, 4), (3, 2, 1), (1, 1, 1), (1, 0, 0), (1, 1, 1), 1, "float64"
    ),
    "3d stride": ConvProblem(
        4, 2, 3, (5, 6, 4), (3, 2, 1), (2, 1, 1), (1, 0, 0), (1, 2, 1), 1, "float64"
    ),
}


@dataclass(frozen=True)
class Example:
    """Operands of a problem and all results, by torch's autograd."""

    x: Tensor
    w: Tensor
    dy: Tensor
    y: Tensor
    dx: Tensor
    dw: Tensor

    def operands(self, direction: Direction) -> tuple[Tensor, Tensor]:
        return {
            "forward": (self.x, self.w),
            "backward_data": (self.dy, self.w),
            "backward_filter": (self.x, self.dy),
        }[direction]

    def result(self, direction: Direction) -> Tensor:
        return {
            "forward": self.y,
            "backward_data": self.dx,
            "backward_filter": self.dw,
        }[direction]


def make_example(problem: ConvProblem, dtype: torch.dtype | None = None) -> Example:
    generator = torch.Generator().manual_seed(0)
    chosen = dtype or getattr(torch, problem.dtype)

    def drawn(*shape: int) -> Tensor:
        values = torch.empty(shape, dtype=torch.float64)
        return values.normal_(generator=generator).to(chosen)

    x = drawn(problem.mini_batch_size, problem.in_channels, *problem.input_size)
    w = drawn(*problem.weight_shape)
    convolution = (functional.conv1d, functional.conv2d, functional.conv3d)
    x.requires_grad_()
    w.requires_grad_()
    y = convolution[problem.num_axes - 1](
        x,
        w,
        None,
        problem.stride,
        problem.padding,
        problem.dilation,
        problem.groups,
    )
    dy = drawn(*y.shape)
    dx, dw = torch.autograd.grad(y, (x, w), dy)
    return Example(x.detach(), w.detach(), dy, y.detach(), dx, dw)


@pytest.fixture(params=CASES, ids=list(CASES))
def problem(request: pytest.FixtureRequest) -> ConvProblem:
    return CASES[request.param]
