import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cocodesign.kfac import factors
from tests.references.dense_curvature import sum_of_outer
from tests.tolerances import assert_close


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_input_moment_sums_outer_products_of_rows_with_a_one_at_their_end():
    rows = drawn(3, 2, 4)
    with_one = [torch.cat([row, torch.ones(1)]) for row in rows.flatten(0, 1)]
    assert_close(factors.input_moment(rows, has_bias=True), sum_of_outer(with_one))


def test_input_moment_without_bias_has_no_homogeneous_coordinate():
    rows = drawn(3, 2, 4)
    expected = sum_of_outer(list(rows.flatten(0, 1)))
    assert_close(factors.input_moment(rows, has_bias=False), expected)


def test_half_precision_is_summed_in_single_precision():
    rows = torch.ones(4096, 1, 1, dtype=torch.bfloat16)
    moment = factors.gradient_moment(rows)
    assert moment.dtype == torch.float32
    assert moment.item() == 4096  # in bfloat16 the sum would stop at 256


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (5, 3, 2, 4)])
def test_unit_wise_moment_is_that_of_each_examples_gradient(shape):
    x, gradient = drawn(*shape), drawn(*shape).flip(0)
    norm = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](3)
    norm.double()
    norm.running_mean.copy_(drawn(3))
    norm.running_var.copy_(drawn(3).square() + 0.5)
    norm.eval()
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for one_x, one_gradient in zip(x, gradient, strict=True):
        output = norm(one_x[None])
        scale, shift = torch.autograd.grad(
            output, [norm.weight, norm.bias], one_gradient[None]
        )
        expected += torch.stack([scale**2, scale * shift, shift**2])
    inverse_deviation = (norm.running_var + norm.eps).rsqrt()
    moment = factors.unit_wise_moment(x, gradient, norm.running_mean, inverse_deviation)
    assert_close(moment, expected)


@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=6),
    st.floats(0, 0.99),
)
def test_the_average_weighs_values_by_age_and_its_weights_sum_to_one(values, decay):
    average = torch.full((), 1e3, dtype=torch.float64)  # must leave no trace
    for count, value in enumerate(values, 1):
        factors.update_average_(
            average,
            torch.tensor(value, dtype=torch.float64),
            ema_decay=decay,
            num_updates=count,
        )
    weights = [decay**age for age in reversed(range(len(values)))]
    expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    assert average.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_value_that_is_not_finite_is_left_out_of_the_average(bad):
    average = torch.tensor([1.0, 2.0])
    value = torch.tensor([3.0, bad])
    factors.update_average_(average, value, ema_decay=0.5, num_updates=2)
    assert average.tolist() == [1.0, 2.0]
