import copy
import gc
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from cocodesign.kfac import KFAC
from cocodesign.seeding import seeded_globally
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

# Which passes count, and when


def test_an_in_place_activation_changes_nothing():
    inplace, separate = small_network(inplace=True), small_network(inplace=False)
    optimizers = KFAC(inplace), KFAC(separate)
    for _ in range(3):
        one_step(inplace, optimizers[0], PICTURES, LABELS)
        one_step(separate, optimizers[1], PICTURES, LABELS)
    for a, b in zip(inplace.parameters(), separate.parameters(), strict=True):
        assert torch.equal(a, b)


def test_evaluation_and_passes_without_gradients_do_not_count():
    disturbed, quiet = small_network(), small_network()
    optimizer = KFAC(disturbed)
    disturbed.eval()
    scores = disturbed(10 * PICTURES)
    torch.autograd.grad(scores.sum(), list(disturbed.parameters()))
    disturbed.train()
    with torch.no_grad():
        disturbed[4](torch.ones(2, 27).double())
    one_step(disturbed, optimizer, PICTURES, LABELS)
    one_step(quiet, KFAC(quiet), PICTURES, LABELS)
    for a, b in zip(disturbed.parameters(), quiet.parameters(), strict=True):
        assert torch.equal(a, b)


def test_zero_grad_drops_what_was_collected():
    model, fresh = small_network(bias=False), small_network(bias=False)
    norm_state = copy.deepcopy(model.state_dict())
    optimizer = KFAC(model)
    functional.cross_entropy(model(3 * PICTURES), LABELS).backward()
    model.load_state_dict(norm_state)
    one_step(model, optimizer, PICTURES, LABELS)
    one_step(fresh, KFAC(fresh), PICTURES, LABELS)
    for a, b in zip(model.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(a, b)


def test_statistics_are_refreshed_at_powers_of_two_and_then_every_interval():
    model = nn.Linear(4, 3).double()
    optimizer = KFAC(model, factor_interval=5)
    refreshed = []
    for step in range(17):
        statistic = optimizer.blocks["weight"].a
        before = statistic.num_updates
        one_step(model, optimizer, drawn(6, 4, seed=step), LABELS)
        if statistic.num_updates > before:
            refreshed.append(step)
    assert refreshed == [0, 1, 2, 4, 5, 10, 15]


def test_the_hooks_go_with_the_optimizer():
    model = small_network()
    optimizer = KFAC(model)
    assert any(module._forward_hooks for module in model.modules())
    del optimizer
    gc.collect()
    assert not any(module._forward_hooks for module in model.modules())


def test_a_layer_that_a_step_does_not_use_keeps_its_weights():
    used, unused = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    model = nn.ModuleList([used, unused])
    weight = unused.weight.clone()
    optimizer = KFAC(model)
    optimizer.zero_grad()
    functional.cross_entropy(used(drawn(6, 4)), LABELS).backward()
    optimizer.step()
    assert torch.equal(unused.weight, weight)


def test_a_first_step_that_saw_no_pass_says_so():
    model = small_network().eval()
    optimizer = KFAC(model)
    with pytest.warns(UserWarning, match="saw no pass of the model"):
        one_step(model, optimizer, PICTURES, LABELS)


# Robustness


def test_frozen_parameters_stay_and_the_others_solve_their_own_system():
    model = nn.Linear(4, 3).double()
    model.bias.requires_grad_(False)
    x = drawn(6, 4)
    without_bias = nn.Linear(4, 3, bias=False).double()
    without_bias.weight.data.copy_(model.weight)
    a_factor, _ = dense_curvature.linear_factors(without_bias, nn.Identity(), x, LABELS)
    bias = model.bias.clone()
    optimizer = KFAC(model)
    one_step(model, optimizer, x, LABELS)
    assert torch.equal(model.bias, bias)
    assert_close(optimizer.blocks["weight"].a.average, a_factor)


def test_a_dead_layer_stays_finite():
    model = small_network()
    optimizer = KFAC(model)
    for _ in range(3):
        optimizer.zero_grad()
        (0 * model(PICTURES)).sum().backward()
        optimizer.step()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_damping_below_the_precision_warns_once_and_never_gives_nan():
    model = small_network().float()
    optimizer = KFAC(model, lr=1e-3, damping=1e-30, factor_interval=1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(12):
            one_step(model, optimizer, PICTURES[:2].float(), LABELS[:2])
    assert ["not positive definite" in str(w.message) for w in warned] == [True]
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert optimizer.blocks["4.weight"].escalation > 1


class Offset(nn.Module):
    """A module that K-FAC cannot know."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.linspace(0, 1, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.amount


def test_one_warning_names_all_that_is_not_covered():
    offset = Offset(3)
    borrowing = nn.Linear(3, 3)
    borrowing.bias = offset.amount
    model = nn.ModuleDict(
        {
            "bilinear": nn.Bilinear(2, 2, 2),
            "sparse": nn.Embedding(2, 2, sparse=True),
            "offset": offset,
            "borrowing": borrowing,
            "covered": nn.Linear(2, 2),
        }
    )
    with pytest.warns(UserWarning, match="plain gradient") as warned:
        optimizer = KFAC(model)
    assert len(warned) == 1
    message = str(warned[0].message)
    for name in ("bilinear.weight", "bilinear.bias", "sparse.weight", "offset.amount"):
        assert name in message
    assert "covered" not in message
    assert set(optimizer.blocks) == {"borrowing.weight", "covered.weight"}


def test_an_uncovered_parameter_moves_as_with_sgd():
    models = Offset(3), Offset(3)
    settings = {"lr": 0.3, "momentum": 0.8, "weight_decay": 0.1}
    with pytest.warns(UserWarning, match="plain gradient"):
        ours = KFAC(models[0], **settings)
    theirs = torch.optim.SGD(models[1].parameters(), **settings)
    for step in range(4):
        for model, optimizer in zip(models, (ours, theirs), strict=True):
            one_step(model, optimizer, drawn(2, 3, seed=step).float(), LABELS[:2])
    assert torch.equal(models[0].amount, models[1].amount)


# As an optimizer


def test_a_group_has_its_own_learning_rate():
    together, apart = small_network(), small_network()
    expected = movements(together, KFAC(together, lr=0.1, kl_clip=None))
    groups = [
        {"params": list(apart[:4].parameters())},
        {"params": list(apart[4].parameters()), "lr": 0.3},
    ]
    actual = movements(apart, KFAC(apart, groups, lr=0.1, kl_clip=None))
    for index, (move, reference) in enumerate(zip(actual, expected, strict=True)):
        assert_close(move, reference * (3 if index >= 4 else 1))


def test_parameters_outside_all_groups_stay():
    model = small_network()
    kept = model[0].weight.clone()
    optimizer = KFAC(model, model[4].parameters())
    for _ in range(2):
        one_step(model, optimizer, PICTURES, LABELS)
    assert torch.equal(model[0].weight, kept)
    assert len(optimizer.state_dict()["state"]) == 2


def test_weight_decay_is_added_behind_the_preconditioner():
    decayed, plain = small_network(), small_network()
    start = [p.detach().clone() for p in plain.parameters()]
    moved = movements(decayed, KFAC(decayed, lr=0.1, weight_decay=0.5))
    reference = movements(plain, KFAC(plain, lr=0.1))
    for move, without, old in zip(moved, reference, start, strict=True):
        assert_close(move, without - 0.1 * 0.5 * old)


def test_a_scheduler_sets_the_learning_rate():
    model, reference = small_network(), small_network()
    optimizer = KFAC(model, lr=0.2, kl_clip=None)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.5)
    expected = movements(reference, KFAC(reference, lr=0.1, kl_clip=None))
    for move, other in zip(movements(model, optimizer), expected, strict=True):
        assert_close(move, other)


def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned():
    model, reference = small_network(), small_network()
    optimizer = KFAC(model)

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(PICTURES), LABELS)
        loss.backward()
        return loss.item()

    with torch.no_grad():
        expected = functional.cross_entropy(small_network()(PICTURES), LABELS)
    assert optimizer.step(closure) == pytest.approx(expected.item())
    one_step(reference, KFAC(reference), PICTURES, LABELS)
    assert torch.equal(model[4].weight, reference[4].weight)


def test_refuses_the_state_of_another_optimizer():
    model = nn.Linear(2, 2)
    state = torch.optim.SGD(model.parameters(), lr=0.1).state_dict()
    with pytest.raises(ValueError, match="not from KFAC"):
        KFAC(model).load_state_dict(state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"damping": 0.0}, "damping must be positive, got 0.0"),
        ({"damping": float("nan")}, "damping must be positive"),
        ({"lr": -1.0}, "lr must be at least 0, got -1.0"),
        ({"momentum": 1.0}, "momentum must be in"),
        ({"momentum": -0.1}, "momentum must be in"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"ema_decay": 1.0}, "ema_decay must lie in"),
        ({"factor_interval": 0}, "factor_interval must be at least 1"),
        ({"num_factor_examples": 0}, "num_factor_examples must be at least 1, got 0"),
        ({"kl_clip": 0.0}, "kl_clip must be positive or None"),
    ],
)
def test_refuses_a_setting_out_of_its_range(settings, message):
    with pytest.raises(ValueError, match=message):
        KFAC(nn.Linear(2, 2), **settings)


def test_refuses_parameters_of_another_model():
    with pytest.raises(ValueError, match="parameters of the model"):
        KFAC(nn.Linear(2, 2), nn.Linear(2, 2).parameters())


@pytest.mark.slow
def test_a_badly_scaled_network_trains_far_faster_than_with_sgd():
    scales = torch.logspace(-1.5, 1.5, 20, dtype=torch.float64)
    x = drawn(512, 20)
    y = (x @ drawn(20, 3, seed=1)).argmax(1)

    def loss_after(build, steps: int) -> float:
        with seeded_globally(0, "weights"):
            model = nn.Linear(20, 3).double()
        optimizer = build(model)
        for _ in range(steps):
            one_step(model, optimizer, x * scales, y)
        return functional.cross_entropy(model(x * scales), y).item()

    best_sgd = min(
        loss_after(lambda m, rate=rate: torch.optim.SGD(m.parameters(), lr=rate), 60)
        for rate in (1e-3, 1e-2, 0.1, 1.0)
    )
    ours = loss_after(lambda m: KFAC(m, lr=0.1, kl_clip=1e-2, damping=1e-4), 60)
    assert ours < 0.5 * best_sgd


@pytest.mark.gpu
@pytest.mark.parametrize("fisher_type", ["empirical", "monte_carlo"])
def test_no_step_makes_the_host_wait_for_the_device(fisher_type):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = small_network().float().cuda()
    optimizer = KFAC(model, factor_interval=2, fisher_type=fisher_type)
    x, y = PICTURES.float().cuda(), LABELS.cuda()

    def step() -> None:
        optimizer.zero_grad()
        scores = model(x)
        optimizer.observe(scores)
        functional.cross_entropy(scores, y).backward()
        optimizer.step()

    step()  # libraries may wait while they start
    torch.cuda.synchronize()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(4):
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(parameter.isfinite().all() for parameter in model.parameters())
