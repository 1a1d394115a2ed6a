import pytest
import torch
from torch import nn
from torch.nn import functional

from cocodesign.kfac import KFAC
from cocodesign.kfac.projection import projected_direction
from tests.references.small_networks import LABELS, drawn
from tests.tolerances import assert_close


def dense_projection(g, d, fisher, damped):
    """Follow Equations 3 to 5, 16 and 17 of the paper with dense matrices."""
    inverse = torch.linalg.inv(damped)
    share = (d @ fisher @ g) / (g @ fisher @ g)
    orthogonal = d - share * g
    beta = (g @ inverse @ orthogonal) / (orthogonal @ inverse @ orthogonal)
    combined = g + beta * orthogonal
    rate = (g @ inverse @ combined) / (combined @ inverse @ combined)
    return rate * inverse @ combined


def spread(size: int) -> torch.Tensor:
    rows = drawn(2 * size, size, seed=5)
    return rows.T @ rows / len(rows)


@pytest.mark.parametrize("factor", [1.0, -2.0, 1e-3])
def test_the_projection_is_that_of_dense_matrices_at_any_scale_of_the_difference(
    factor,
):
    fisher = spread(6)
    damped = fisher + 0.1 * torch.eye(6).double()
    g, d = drawn(6, seed=1), drawn(6, seed=2)
    inverse = torch.linalg.inv(damped)
    found = projected_direction(
        g, factor * d, fisher @ g, inverse @ g, factor * inverse @ d
    )
    assert_close(found, dense_projection(g, d, fisher, damped))


def test_halves_that_agree_leave_the_preconditioned_gradient():
    g, zero = drawn(4), torch.zeros(4).double()
    assert torch.equal(projected_direction(g, zero, 2 * g, g / 3, zero), g / 3)


def test_a_gradient_of_zero_gives_no_direction():
    zero = torch.zeros(3)
    assert torch.equal(projected_direction(zero, zero, zero, zero, zero), zero)


def test_a_step_between_two_halves_is_the_dense_projection_of_a_layer():
    layer = nn.Linear(4, 3, bias=False).double()
    x = drawn(6, 4)
    optimizer = KFAC(layer, lr=1.0, momentum=0.0, damping=0.05, kl_clip=None)
    before = layer.weight.detach().clone()
    halves = []
    for part in (slice(0, 3), slice(3, 6)):
        loss = functional.cross_entropy(layer(x[part]), LABELS[part])
        halves.append(torch.autograd.grad(loss, layer.weight)[0].flatten())
    optimizer.zero_grad()
    (functional.cross_entropy(layer(x[:3]), LABELS[:3]) / 2).backward()
    optimizer.mark_half()
    (functional.cross_entropy(layer(x[3:]), LABELS[3:]) / 2).backward()
    optimizer.step()
    block = optimizer.blocks["weight"]
    fisher = torch.kron(block.g.average, block.a.average)
    inverse = torch.kron(block.g.inverse, block.a.inverse)
    mean, difference = (halves[0] + halves[1]) / 2, halves[0] - halves[1]
    expected = dense_projection(mean, difference, fisher, torch.linalg.inv(inverse))
    assert_close((before - layer.weight).flatten(), expected)


def test_the_mark_lasts_for_one_step():
    networks = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    networks[1].load_state_dict(networks[0].state_dict())
    optimizers = [KFAC(network) for network in networks]
    x = drawn(6, 4)
    for network, optimizer in zip(networks, optimizers, strict=True):
        functional.cross_entropy(network(x), LABELS).backward()
        if optimizer is optimizers[0]:
            optimizer.mark_half()
            optimizer.zero_grad()
            functional.cross_entropy(network(x), LABELS).backward()
        optimizer.step()
    assert torch.equal(networks[0].weight, networks[1].weight)
