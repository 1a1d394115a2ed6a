"""K-FAC in the loops that people write around an optimizer."""

import copy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cocodesign.kfac import KFAC, StaleSchedule
from cocodesign.seeding import random_stream, seeded_globally
from tests.references.small_networks import (
    LABELS,
    PICTURES,
    drawn,
    one_step,
    small_network,
)
from tests.tolerances import assert_close


def factors(optimizer: KFAC) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{kind}": statistic.average
        for name, block in optimizer.blocks.items()
        for kind, statistic in block.statistics.items()
    }


# The size of the batch


@pytest.mark.parametrize("fisher_type", ["empirical", "exact"])
def test_factors_mean_the_same_from_64_to_4096_examples(fisher_type):
    x = drawn(64, 4).repeat(64, 1)
    labels = torch.arange(64).repeat(64) % 3
    found = []
    for size in (64, 512, 4096):
        with seeded_globally(0, "weights"):
            network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        network.double()
        optimizer = KFAC(network, fisher_type=fisher_type)
        scores = network(x[:size])
        optimizer.observe(scores)
        functional.cross_entropy(scores, labels[:size]).backward()
        optimizer.step()
        found.append(factors(optimizer))
    for other in found[1:]:
        for name, factor in found[0].items():
            assert_close(other[name], factor)


@pytest.mark.parametrize("fisher_type", ["empirical", "exact"])
def test_accumulated_passes_are_one_large_batch(fisher_type):
    networks = [small_network() for _ in range(2)]
    for network in networks:
        network[1].eval()  # so that examples do not depend on one another
    optimizers = [KFAC(network, fisher_type=fisher_type) for network in networks]
    parts = ([slice(0, 6)], [slice(0, 2), slice(2, 4), slice(4, 6)])
    for network, optimizer, slices in zip(networks, optimizers, parts, strict=True):
        for part in slices:
            scores = network(PICTURES[part])
            optimizer.observe(scores)
            loss = functional.cross_entropy(scores, LABELS[part])
            (loss / len(slices)).backward()
        optimizer.step()
    for ours, theirs in zip(*(each.parameters() for each in networks), strict=True):
        assert_close(theirs, ours)


def test_a_module_called_twice_in_every_accumulated_pass_counts_examples_once():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(torch.tanh(self.layer(x)))

    with seeded_globally(0, "weights"):
        networks = [Twice().double()]
    networks.append(copy.deepcopy(networks[0]))
    optimizers = [KFAC(network) for network in networks]
    x = drawn(6, 4)
    one_step(networks[0], optimizers[0], x, LABELS)
    for part in (slice(0, 3), slice(3, 6)):
        loss = functional.cross_entropy(networks[1](x[part]), LABELS[part])
        (loss / 2).backward()
    optimizers[1].step()
    assert_close(networks[1].layer.weight, networks[0].layer.weight)


# Precision


def test_the_scale_of_the_loss_is_divided_out():
    plain, scaled = small_network(), small_network()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    reference, optimizer = KFAC(plain), KFAC(scaled, grad_scaler=scaler)
    for _ in range(3):
        one_step(plain, reference, PICTURES, LABELS)
        optimizer.zero_grad()
        loss = functional.cross_entropy(scaled(PICTURES), LABELS)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    for name, factor in factors(reference).items():
        assert_close(factors(optimizer)[name], factor)
    for ours, theirs in zip(scaled.parameters(), plain.parameters(), strict=True):
        assert_close(ours, theirs)


def test_a_step_that_the_scaler_skips_leaves_no_trace():
    network, quiet = small_network().float(), small_network().float()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    optimizer = KFAC(network, grad_scaler=scaler)
    quiet_scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    reference = KFAC(quiet, grad_scaler=quiet_scaler)
    state = copy.deepcopy(network.state_dict())
    optimizer.zero_grad()
    scaler.scale(network(PICTURES.float()).sum() * torch.inf).backward()
    scaler.step(optimizer)  # meets an overflow
    scaler.update()
    assert scaler.get_scale() == 1.0
    network.load_state_dict(state)  # running statistics moved
    for net, opt, scale in (
        (network, optimizer, scaler),
        (quiet, reference, quiet_scaler),
    ):
        opt.zero_grad()
        loss = functional.cross_entropy(net(PICTURES.float()), LABELS)
        scale.scale(loss).backward()
        scale.step(opt)
    for ours, theirs in zip(network.parameters(), quiet.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_autocast_keeps_statistics_in_single_precision():
    network = small_network().float()
    optimizer = KFAC(network, lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = functional.cross_entropy(network(PICTURES.float()), LABELS)
        loss.backward()
        optimizer.step()
    assert all(factor.dtype == torch.float32 for factor in factors(optimizer).values())
    exact = small_network().float()
    reference = KFAC(exact, lr=0.01)
    one_step(exact, reference, PICTURES.float(), LABELS)
    for name, factor in factors(reference).items():
        assert factors(optimizer)[name].shape == factor.shape


@pytest.mark.parametrize(
    "layer",
    [
        nn.GRU(4, 4, batch_first=True),
        nn.TransformerEncoderLayer(4, 2, 4, batch_first=True),
    ],
    ids=["GRU", "transformer"],
)
def test_layers_that_are_taken_apart_train_under_autocast(layer):
    optimizer = KFAC(layer, factor_interval=2)
    x = drawn(3, 5, 4).float()
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(x)
            output = output[0] if isinstance(output, tuple) else output
            loss = output.float().square().mean()
        loss.backward()
        optimizer.step()
    assert all(parameter.isfinite().all() for parameter in layer.parameters())


def test_a_model_in_half_precision_keeps_its_dtype():
    network = small_network().bfloat16()
    optimizer = KFAC(network)
    one_step(network, optimizer, PICTURES.bfloat16(), LABELS)
    assert all(each.dtype == torch.bfloat16 for each in network.parameters())
    assert all(each.dtype == torch.float32 for each in factors(optimizer).values())
    twin = KFAC(small_network().bfloat16())
    twin.load_state_dict(optimizer.state_dict())
    assert all(each.dtype == torch.float32 for each in factors(twin).values())


# State


SETTINGS = {
    "fixed": {"factor_interval": 4},
    "stale": {"factor_interval": StaleSchedule(0.5)},
    "Monte Carlo": {"factor_interval": 3, "fisher_type": "monte_carlo"},
    "stale Monte Carlo": {
        "factor_interval": StaleSchedule(0.6),
        "fisher_type": "monte_carlo",
        "weight_sharing": "reduce",
    },
}


def train(network: nn.Module, optimizer: KFAC, batches: list[torch.Tensor]) -> None:
    for batch in batches:
        optimizer.zero_grad()
        scores = network(batch)
        optimizer.observe(scores)
        functional.cross_entropy(scores, LABELS).backward()
        optimizer.step()


@pytest.mark.slow
@pytest.mark.parametrize("num_before", [1, 5, 6])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_resumed_training_continues_to_the_bit(name, num_before, tmp_path):
    batches = [drawn(6, 2, 5, 5, seed=seed).float() for seed in range(12)]
    network = small_network().float()
    optimizer = KFAC(network, **SETTINGS[name])
    train(network, optimizer, batches[:num_before])
    torch.save((network.state_dict(), optimizer.state_dict()), tmp_path / "state")
    weights, state = torch.load(tmp_path / "state", weights_only=True)
    other = small_network().float()
    other.load_state_dict(weights)
    resumed = KFAC(other, lr=7.0, generator=random_stream(9, "other"), **SETTINGS[name])
    resumed.load_state_dict(state)
    train(network, optimizer, batches[num_before:])
    train(other, resumed, batches[num_before:])
    assert resumed.paces == optimizer.paces
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_deep_copy_of_model_and_optimizer_trains_alike_and_apart(name):
    batches = [drawn(6, 2, 5, 5, seed=seed).float() for seed in range(10)]
    network = small_network().float()
    optimizer = KFAC(network, **SETTINGS[name])
    train(network, optimizer, batches[:5])
    other, twin = copy.deepcopy((network, optimizer))
    frozen = copy.deepcopy(network.state_dict())
    train(other, twin, batches[5:])
    for key, value in network.state_dict().items():
        assert torch.equal(value, frozen[key])
    train(network, optimizer, batches[5:])
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_passes_of_a_copy_do_not_feed_the_original():
    network, quiet = small_network(), small_network()
    optimizer = KFAC(network)
    copied = copy.deepcopy(network)
    functional.cross_entropy(copied(10 * PICTURES), LABELS).backward()
    one_step(network, optimizer, PICTURES, LABELS)
    one_step(quiet, KFAC(quiet), PICTURES, LABELS)
    assert torch.equal(network[0].weight, quiet[0].weight)


def test_refuses_the_state_of_another_model():
    state = KFAC(nn.Linear(2, 2)).state_dict()
    with pytest.raises(ValueError, match=r"another model.*0\.weight"):
        KFAC(nn.Sequential(nn.Linear(2, 2))).load_state_dict(state)


# Staleness


def test_still_statistics_are_refreshed_less_and_less_and_it_shows():
    network = small_network()
    network[1].eval()
    optimizer = KFAC(network, lr=0.0, factor_interval=StaleSchedule())
    refreshed = []
    for step in range(20):
        due = {name for name, pace in optimizer.paces.items() if pace.is_due(step)}
        refreshed += [step] if due else []
        assert due in (set(), set(optimizer.paces))
        one_step(network, optimizer, PICTURES, LABELS)
    assert refreshed == [0, 1, 2, 4, 7, 12]
    assert optimizer.skipped_fraction == pytest.approx(1 - 6 / 20)
    assert set(optimizer.paces) == {
        "0.weight/A",
        "0.weight/G",
        "1.weight/F",
        "4.weight/A",
        "4.weight/G",
    }


def test_what_is_not_due_is_neither_measured_nor_inverted():
    network = small_network()
    optimizer = KFAC(network, factor_interval=StaleSchedule())
    for seed in range(12):
        before = {
            name: (statistic.average, statistic.inverse)
            for name, statistic in optimizer._preconditioner.statistics()
        }
        due = {
            name
            for name, pace in optimizer.paces.items()
            if pace.is_due(optimizer.num_steps)
        }
        one_step(network, optimizer, drawn(6, 2, 5, 5, seed=seed), LABELS)
        for name, statistic in optimizer._preconditioner.statistics():
            moved = [
                new is not old
                for new, old in zip(
                    (statistic.average, statistic.inverse), before[name], strict=True
                )
            ]
            assert moved == [name in due] * 2


# Compilation


_COMPILED = """
import sys
import torch
from cocodesign.kfac import KFAC
from tests.references.small_networks import LABELS, drawn, one_step, small_network

eager, network = small_network().float(), small_network().float()
optimizers = [KFAC(each, factor_interval=4) for each in (eager, network)]
compiled = torch.compile(network, backend=sys.argv[1])
for seed in range(7):
    batch = drawn(6, 2, 5, 5, seed=seed).float()
    for model, optimizer in zip((eager, compiled), optimizers, strict=True):
        one_step(model, optimizer, batch, LABELS)
for ours, theirs in zip(network.parameters(), eager.parameters(), strict=True):
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
for optimizer in optimizers:
    assert optimizer.blocks["0.weight"].a.num_updates == 4
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_compiled_model_trains_as_an_eager_one(backend):
    # In a process of its own: here the tests' type checker would be compiled as well.
    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler")
    command = [sys.executable, "-c", _COMPILED, backend]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_gradients_that_are_zeroed_instead_of_dropped_change_nothing():
    networks = small_network(), small_network()
    optimizers = [KFAC(network) for network in networks]
    for _ in range(3):
        for network, optimizer, to_none in zip(
            networks, optimizers, (True, False), strict=True
        ):
            optimizer.zero_grad(set_to_none=to_none)
            functional.cross_entropy(network(PICTURES), LABELS).backward()
            optimizer.step()
    for ours, theirs in zip(*(each.parameters() for each in networks), strict=True):
        assert torch.equal(ours, theirs)
