import pytest
import torch

from cocodesign.kfac.inverse import damped_inverse, scaled_identity, unit_wise_inverse
from tests.tolerances import assert_close


def singular(size: int) -> torch.Tensor:
    rows = torch.randn(2, size, generator=torch.Generator().manual_seed(0)).double()
    return rows.T @ rows


def test_the_inverse_times_the_damped_factor_is_the_identity():
    factor, damping = singular(5), torch.tensor(0.1, dtype=torch.float64)
    inverse, usable = damped_inverse(factor, damping)
    identity = torch.eye(5, dtype=torch.float64)
    assert usable
    assert_close(inverse @ (factor + damping * identity), identity)


@pytest.mark.parametrize(
    "factor",
    [-torch.eye(3), torch.zeros(3, 3), torch.full((3, 3), torch.nan)],
    ids=["negative", "zero", "nan"],
)
def test_an_inverse_that_does_not_exist_is_marked_unusable(factor):
    _, usable = damped_inverse(factor, torch.zeros(()))
    assert not usable


def test_an_inverse_that_overflows_is_marked_unusable():
    _, usable = damped_inverse(torch.zeros(2, 2), torch.tensor(1e-44))
    assert not usable


def test_the_scaled_identity_is_exact_for_a_multiple_of_the_identity():
    factor, damping = 3 * torch.eye(4), torch.tensor(1.0)
    assert torch.equal(scaled_identity(factor, damping), torch.eye(4) / 4)


def test_unit_wise_inverse_inverts_each_channels_block():
    scale, cross, shift = torch.tensor([[2.0, 5.0], [1.0, -3.0], [4.0, 6.0]]).double()
    inverse = unit_wise_inverse(torch.stack([scale, cross, shift]), torch.tensor(0.5))
    for channel in range(2):
        a, b, d = scale[channel], cross[channel], shift[channel]
        block = torch.stack([torch.stack([a + 0.5, b]), torch.stack([b, d + 0.5])])
        dense = torch.linalg.inv(block)
        expected = torch.stack([dense[0, 0], dense[0, 1], dense[1, 1]])
        assert_close(inverse[:, channel], expected)


@pytest.mark.parametrize("damping", [1e-12, 1e-30])
def test_an_indefinite_channel_still_gets_a_positive_finite_inverse(damping):
    block = torch.tensor([[1.0], [1.0 + 1e-6], [1.0]])  # what rounding may leave
    inverse = unit_wise_inverse(block, torch.tensor(damping))
    assert inverse.isfinite().all()
    assert inverse[0] > 0
    assert inverse[0] * inverse[2] > inverse[1] ** 2
