import pytest
import torch
from torch import nn
from torch.nn import functional

from cocodesign.kfac import KFAC
from cocodesign.kfac.sampling import exact_vectors, sampled_vectors
from cocodesign.seeding import random_stream
from tests.references.small_networks import LABELS, drawn, one_step
from tests.tolerances import assert_close

LOSSES = {"cross_entropy": functional.cross_entropy, "mse": functional.mse_loss}


def hessian_of(loss: str, scores: torch.Tensor, reduction: str) -> torch.Tensor:
    """Return the second derivative of one example's loss, by autograd."""
    target = torch.tensor([1]) if loss == "cross_entropy" else scores[None] + 0.3

    def of_one(values: torch.Tensor) -> torch.Tensor:
        return LOSSES[loss](values[None], target, reduction=reduction)

    return torch.autograd.functional.hessian(of_one, scores)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES)
def test_exact_vectors_have_the_hessian_of_the_loss_as_their_second_moment(
    loss, reduction
):
    scores = drawn(2, 4)
    vectors = list(exact_vectors(scores, loss, mean_loss=reduction == "mean"))
    for example in range(2):
        moment = sum(torch.outer(each[example], each[example]) for each in vectors)
        assert_close(moment, hessian_of(loss, scores[example], reduction))


@pytest.mark.parametrize("loss", LOSSES)
def test_sampled_vectors_have_it_in_the_mean(loss):
    scores = drawn(1, 4)
    vectors = sampled_vectors(
        scores.expand(50_000, -1), loss, random_stream(0, "labels"), mean_loss=True
    )
    moment = vectors.T @ vectors / len(vectors)
    expected = hessian_of(loss, scores[0], "mean")
    torch.testing.assert_close(moment, expected, rtol=0, atol=1e-2)


def test_sampled_positions_have_the_hessian_of_their_mean_loss():
    scores = drawn(1, 3, 2).expand(50_000, -1, -1)
    vectors = sampled_vectors(
        scores, "cross_entropy", random_stream(0, "labels"), mean_loss=True
    ).flatten(1)
    moment = vectors.T @ vectors / len(vectors)

    def of_one(values: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(values[None], torch.tensor([[0, 2]]))

    expected = torch.autograd.functional.hessian(of_one, scores[0])
    torch.testing.assert_close(moment, expected.reshape(6, 6), rtol=0, atol=1e-2)


def test_the_exact_fisher_refuses_positions():
    with pytest.raises(ValueError, match="monte_carlo"):
        next(exact_vectors(drawn(2, 3, 4), "cross_entropy", mean_loss=True))


def g_factor(fisher_type: str, num_repetitions: int = 1) -> torch.Tensor:
    """Return G of the first layer for six examples, each repeated."""
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = drawn(*parameter.shape, seed=seed)
    optimizer = KFAC(network, fisher_type=fisher_type)
    scores = network(drawn(6, 4).repeat(num_repetitions, 1))
    optimizer.observe(scores)
    functional.cross_entropy(scores, LABELS.repeat(num_repetitions)).backward()
    optimizer.step()
    return optimizer.blocks["0.weight"].g.average


def test_monte_carlo_approaches_the_exact_fisher():
    exact = g_factor("exact")
    assert (g_factor("monte_carlo", 3000) - exact).norm() < 0.03 * exact.norm()
    assert (g_factor("empirical") - exact).norm() > 0.3 * exact.norm()


def test_the_exact_fisher_is_the_expectation_over_labels():
    network = nn.Linear(4, 3, bias=False).double()
    x = drawn(2, 4)
    optimizer = KFAC(network, fisher_type="exact")
    scores = network(x)
    expected = torch.zeros(3, 3).double()
    for example in scores.detach():
        p = example.softmax(0)
        for label in range(3):
            g = p - torch.eye(3).double()[label]
            expected += p[label] * torch.outer(g, g) / 2
    optimizer.observe(scores)
    functional.cross_entropy(scores, LABELS[:2]).backward()
    optimizer.step()
    assert_close(optimizer.blocks["weight"].g.average, expected)


def test_a_refresh_without_observation_says_what_to_call():
    network = nn.Linear(4, 3).double()
    optimizer = KFAC(network, fisher_type="monte_carlo", factor_interval=4)
    functional.cross_entropy(network(drawn(6, 4)), LABELS).backward()
    with pytest.raises(RuntimeError, match=r"call optimizer\.observe\(scores\)"):
        optimizer.step()


def test_no_observation_is_needed_or_made_where_nothing_is_due():
    network = nn.Linear(4, 3).double()
    optimizer = KFAC(network, fisher_type="monte_carlo", factor_interval=4)
    for step in range(8):
        optimizer.zero_grad()
        scores = network(drawn(6, 4))
        if step in (0, 1, 2, 4):
            optimizer.observe(scores)
        else:
            state = optimizer.state_dict()["generator"]
            optimizer.observe(scores)
            assert torch.equal(optimizer.state_dict()["generator"], state)
        functional.cross_entropy(scores, LABELS).backward()
        optimizer.step()
    assert optimizer.blocks["weight"].g.num_updates == 4


def test_observation_leaves_the_gradient_as_it_is():
    networks = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    networks[1].load_state_dict(networks[0].state_dict())
    optimizer = KFAC(networks[0], fisher_type="monte_carlo")
    x = drawn(6, 4)
    scores = networks[0](x)
    optimizer.observe(scores)
    functional.cross_entropy(scores, LABELS).backward()
    functional.cross_entropy(networks[1](x), LABELS).backward()
    assert torch.equal(networks[0].weight.grad, networks[1].weight.grad)


def test_soft_labels_have_gradients_between_those_of_hard_ones():
    network = nn.Linear(4, 3, bias=False).double()
    x = drawn(1, 4)
    optimizer = KFAC(network)
    soft = torch.tensor([[0.7, 0.3, 0.0]]).double()
    g = network(x).detach().softmax(1) - soft
    one_step(network, optimizer, x, soft)
    assert_close(optimizer.blocks["weight"].g.average, g.T @ g)
