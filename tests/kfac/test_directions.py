import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from cocodesign.kfac import KFAC
from tests.references import dense_curvature
from tests.references.small_networks import (
    LABELS,
    PICTURES,
    drawn,
    movements,
    one_step,
    small_network,
)
from tests.tolerances import assert_close


def assert_same_statistics(actual: KFAC, expected: KFAC) -> None:
    for name, block in expected.blocks.items():
        for kind, statistic in block.statistics.items():
            other = actual.blocks[name].statistics[kind]
            assert_close(other.average, statistic.average)


# What a layer's block is


def test_one_example_makes_the_block_of_a_linear_layer_the_exact_fisher():
    model = nn.Linear(4, 3).double()
    x, y = drawn(1, 4), LABELS[:1]
    fisher = dense_curvature.empirical_fisher(model, x, y, [model.weight])
    optimizer = KFAC(model)
    one_step(model, optimizer, x, y)
    block = optimizer.blocks["weight"]
    a_of_the_weight = block.a.average[:-1, :-1]
    assert_close(torch.kron(block.g.average, a_of_the_weight), fisher)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_step_solves_the_dense_damped_system(bias):
    model = nn.Linear(4, 3, bias=bias).double()
    x, y = drawn(6, 4), LABELS
    factors = dense_curvature.linear_factors(model, nn.Identity(), x, y)
    loss = functional.cross_entropy(model(x), y)
    gradient, *rest = torch.autograd.grad(loss, list(model.parameters()))
    if bias:
        gradient = torch.cat([gradient, rest[0][:, None]], 1)
    before = copy.deepcopy(model)
    one_step(model, KFAC(model, lr=0.5, damping=0.03, kl_clip=None), x, y)
    expected = -0.5 * dense_curvature.damped_solution(*factors, gradient, 0.03)
    assert_close(model.weight - before.weight, expected[:, :4])
    if bias:
        assert_close(model.bias - before.bias, expected[:, 4])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "settings",
    [{"padding": 1}, {"stride": (2, 1), "padding": (0, 1)}, {"dilation": 2}],
    ids=["padded", "strided", "dilated"],
)
def test_a_convolution_step_solves_the_dense_damped_system(settings, bias):
    layer = nn.Conv2d(2, 3, 2, bias=bias, **settings).double()
    head = nn.Sequential(nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    factors = dense_curvature.convolution_factors(layer, head, PICTURES, LABELS)
    loss = functional.cross_entropy(head(layer(PICTURES)), LABELS)
    gradient, *rest = torch.autograd.grad(loss, list(layer.parameters()))
    gradient = gradient.flatten(1)
    if bias:
        gradient = torch.cat([gradient, rest[0][:, None]], 1)
    before = copy.deepcopy(layer)
    model = nn.Sequential(layer, head)
    one_step(model, KFAC(model, lr=1.0, damping=0.1, kl_clip=None), PICTURES, LABELS)
    expected = -dense_curvature.damped_solution(*factors, gradient, 0.1)
    assert_close((layer.weight - before.weight).flatten(1), expected[:, :8])
    if bias:
        assert_close(layer.bias - before.bias, expected[:, 8])


def test_a_batch_normalisation_step_solves_each_channels_exact_fisher():
    norm = nn.BatchNorm1d(3).double()
    norm.running_mean.copy_(drawn(3))
    model = nn.Sequential(norm, nn.Tanh())
    norm.eval()  # running statistics: an example's gradient is its own
    x = drawn(6, 3)
    pair = [norm.weight, norm.bias]
    fisher = dense_curvature.empirical_fisher(model, x, LABELS, pair)
    loss = functional.cross_entropy(model(x), LABELS)
    gradient = torch.stack(torch.autograd.grad(loss, pair))
    before = copy.deepcopy(norm)
    one_step(model, KFAC(model, lr=1.0, damping=0.2, kl_clip=None), x, LABELS)
    for channel in range(3):
        block = fisher[channel::3, channel::3] + 0.2 * torch.eye(2).double()
        expected = -torch.linalg.solve(block, gradient[:, channel])
        moved = [
            after - old for after, old in zip(pair, before.parameters(), strict=True)
        ]
        assert_close(torch.stack(moved)[:, channel], expected)


# What the damping means


def test_repeating_every_example_changes_no_step():
    once, thrice = small_network(), small_network()
    one_step(once, KFAC(once), PICTURES, LABELS)
    one_step(thrice, KFAC(thrice), PICTURES.repeat(3, 1, 1, 1), LABELS.repeat(3))
    for single, repeated in zip(once.parameters(), thrice.parameters(), strict=True):
        assert_close(repeated, single)


def test_a_summed_loss_has_the_factors_of_a_mean_loss():
    mean, total = small_network(), small_network()
    optimizers = (KFAC(mean), KFAC(total, loss_reduction="sum"))
    one_step(mean, optimizers[0], PICTURES, LABELS)
    functional.cross_entropy(total(PICTURES), LABELS, reduction="sum").backward()
    optimizers[1].step()
    assert_same_statistics(optimizers[1], optimizers[0])


def test_passes_before_one_step_add_up_to_the_whole_batch():
    whole, parts = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    parts.load_state_dict(whole.state_dict())
    x = drawn(6, 4)
    one_step(whole, KFAC(whole), x, LABELS)
    optimizer = KFAC(parts)
    for part in (slice(0, 3), slice(3, 6)):
        (functional.cross_entropy(parts(x[part]), LABELS[part]) / 2).backward()
    optimizer.step()
    assert_close(parts.weight, whole.weight)
    assert_close(parts.bias, whole.bias)


def test_a_huge_damping_leaves_sgd_with_the_learning_rate_divided_by_it():
    damping = 1e16
    curved, plain = small_network(), small_network()
    kfac = KFAC(curved, lr=0.1 * damping, damping=damping, kl_clip=None)
    sgd = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        one_step(curved, kfac, PICTURES, LABELS)
        one_step(plain, sgd, PICTURES, LABELS)
    for ours, theirs in zip(curved.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_the_step_is_shortened_until_its_quadratic_form_is_the_bound():
    free, bounded = small_network(), small_network()
    long = movements(free, KFAC(free, lr=10.0, kl_clip=None))
    short = movements(bounded, KFAC(bounded, lr=10.0, kl_clip=1e-4))
    gradients = [parameter.grad for parameter in free.parameters()]
    # The long step is η D with D = (F + λI)⁻¹ ∇W, so η² D·∇W is its quadratic form.
    form = -10.0 * sum(
        (move * grad).sum() for move, grad in zip(long, gradients, strict=True)
    )
    shrinkage = (1e-4 / form) ** 0.5
    assert shrinkage < 0.5
    for move, reference in zip(short, long, strict=True):
        assert_close(move, shrinkage * reference)


def test_a_step_within_the_bound_is_left_alone():
    free, bounded = small_network(), small_network()
    expected = movements(free, KFAC(free, lr=1e-6, kl_clip=None))
    actual = movements(bounded, KFAC(bounded, lr=1e-6, kl_clip=1.0))
    assert all(torch.equal(a, e) for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize("loss_reduction", ["mean", "sum"])
def test_the_first_examples_stand_for_all_of_them(loss_reduction):
    model, few = small_network(), small_network()
    for network in (model, few):
        network[1].eval()  # so that examples do not depend on one another
    optimizer = KFAC(model, num_factor_examples=4, loss_reduction=loss_reduction)
    reference = KFAC(few)
    functional.cross_entropy(
        model(PICTURES), LABELS, reduction=loss_reduction
    ).backward()
    optimizer.step()
    one_step(few, reference, PICTURES[:4], LABELS[:4])
    assert_same_statistics(optimizer, reference)
