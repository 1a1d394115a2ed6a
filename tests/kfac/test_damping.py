import pytest
import torch

from cocodesign.kfac.damping import factored_damping


@pytest.mark.parametrize("damping", [1e-6, 1e-3, 10.0])
def test_the_two_dampings_multiply_to_the_whole(damping):
    a_factor, g_factor = torch.diag(torch.tensor([9.0, 3.0])), 0.1 * torch.eye(3)
    parts = factored_damping(a_factor, g_factor, torch.tensor(damping))
    assert (parts[0] * parts[1]).item() == pytest.approx(damping)


def test_each_factor_is_damped_in_proportion_to_its_own_mean_eigenvalue():
    a_factor, g_factor = torch.diag(torch.tensor([9.0, 3.0])), 0.1 * torch.eye(3)
    a_damping, g_damping = factored_damping(a_factor, g_factor, torch.tensor(0.01))
    assert (a_damping / 6.0).item() == pytest.approx((g_damping / 0.1).item())


@pytest.mark.parametrize("dead", ["a", "g"])
def test_a_dead_layer_is_damped_evenly(dead):
    zero, some = torch.zeros(2, 2), torch.eye(2)
    pair = (zero, some) if dead == "a" else (some, zero)
    a_damping, g_damping = factored_damping(*pair, torch.tensor(0.04))
    assert a_damping.item() == g_damping.item() == pytest.approx(0.2)
