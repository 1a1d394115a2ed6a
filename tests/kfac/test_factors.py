import pytest
import torch
from torch import Tensor

from cocodesign.kfac import factors
from tests.references.dense_curvature import sum_of_outer
from tests.tolerances import assert_close


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_second_moment_sums_outer_products_of_rows_with_a_one_at_their_end():
    rows = drawn(3, 4)
    with_one = [torch.cat([row, torch.ones(1)]) for row in rows]
    assert_close(factors.second_moment(rows, has_bias=True), sum_of_outer(with_one))


def test_second_moment_of_groups_is_that_of_each():
    rows = drawn(2, 3, 4)
    moments = factors.second_moment(rows)
    for group in range(2):
        assert_close(moments[group], sum_of_outer(list(rows[group])))


def test_half_precision_is_summed_in_single_precision():
    moment = factors.second_moment(torch.ones(4096, 1, dtype=torch.bfloat16))
    assert moment.dtype == torch.float32
    assert moment.item() == 4096  # in bfloat16 the sum would stop at 256


def test_unit_wise_moment_sums_the_products_of_each_feature():
    scale, shift = drawn(5, 3), drawn(5, 3).flip(0)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for s, t in zip(scale, shift, strict=True):
        expected += torch.stack([s**2, s * t, t**2])
    assert_close(factors.unit_wise_moment(torch.stack([scale, shift])), expected)
    assert_close(factors.unit_wise_moment(shift[None]), expected[2:])


@pytest.mark.parametrize("decay", [0.0, 1e-6, 0.3, 0.9, 0.99])
@pytest.mark.parametrize(
    "values",
    [[3.0], [0.0, -0.0], [10.0, -10.0, 1e-12], [-7.5, 2.0, 2.0, 0.25, 9.0, -1e-3]],
)
def test_the_average_weighs_values_by_age_and_its_weights_sum_to_one(values, decay):
    average = None
    for count, value in enumerate(values, 1):
        average = factors.averaged(
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
    value = torch.tensor([3.0, bad])
    first = torch.tensor([1.0, 2.0])
    average = factors.averaged(first, value, ema_decay=0.5, num_updates=2)
    assert average.tolist() == [1.0, 2.0]
    assert first.tolist() == [1.0, 2.0]
