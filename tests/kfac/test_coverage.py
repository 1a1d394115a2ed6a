import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.kfac_coverage import CASES, FURTHER_CASES, TOLERANCE, largest_error
from cocodesign.kfac import KFAC
from tests.references.small_networks import LABELS, drawn, movements_of, one_step
from tests.references.traced_curvature import traced_directions
from tests.tolerances import assert_close

ALL_CASES = CASES | FURTHER_CASES


@pytest.mark.parametrize("name", ALL_CASES)
def test_the_first_step_is_the_dense_solution_of_every_layers_system(name):
    assert largest_error(ALL_CASES[name]) < TOLERANCE


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(3, 4), nn.Conv1d(5, 4, 2, padding=1)],
    ids=["linear", "convolution"],
)
def test_reduced_sharing_averages_inputs_and_sums_gradients_first(layer):
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = layer, nn.Linear(12, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.tanh(self.layer(x)).flatten(1)[:, :12])

    network, x = Network().double(), drawn(6, 5, 3)
    twin = copy.deepcopy(network)
    expected = traced_directions(twin, x, LABELS, 0.1, weight_sharing="reduce")
    optimizer = KFAC(
        network,
        lr=1.0,
        momentum=0.0,
        damping=0.1,
        kl_clip=None,
        weight_sharing="reduce",
    )
    moves = movements_of(network, optimizer, x, LABELS)
    for parameter, move in zip(twin.parameters(), moves, strict=True):
        assert_close(-move, expected[parameter])


def test_two_linear_layers_share_one_weight_but_not_their_biases():
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.tanh(self.first(x)))

    network, x = Network().double(), drawn(6, 4)
    optimizer = KFAC(network, kl_clip=None)
    one_step(network, optimizer, x, LABELS)
    assert set(optimizer.blocks) == {"first.weight", "first.bias", "second.bias"}
    # A bias alone has the exact Fisher of its gradients.
    gradients = []
    for example, label in zip(x, LABELS, strict=True):
        loss = functional.cross_entropy(network(example[None]), label[None])
        gradients.append(torch.autograd.grad(loss, network.second.bias)[0])
    assert optimizer.blocks["second.bias"].fisher.average.shape == (4, 4)
    inputs = optimizer.blocks["first.weight"].a.average
    assert inputs.shape == (4, 4)  # no homogeneous coordinate


def test_a_bias_whose_weight_is_frozen_moves_by_its_exact_fisher():
    layer = nn.Conv1d(2, 4, 2, groups=2).double()
    layer.weight.requires_grad_(False)
    network = nn.Sequential(layer, nn.Tanh(), nn.Flatten(), nn.Linear(8, 3).double())
    x = drawn(6, 2, 3)
    gradients = []
    for example, label in zip(x, LABELS, strict=True):
        loss = functional.cross_entropy(network(example[None]), label[None])
        gradients.append(torch.autograd.grad(loss, layer.bias)[0])
    stacked = torch.stack(gradients)
    fisher = stacked.T @ stacked / len(x)
    optimizer = KFAC(network, lr=1.0, damping=0.1, kl_clip=None)
    move = movements_of(network, optimizer, x, LABELS)[1]
    mean = stacked.mean(0)
    for group in (slice(0, 2), slice(2, 4)):
        damped = fisher[group, group] + 0.1 * torch.eye(2).double()
        assert_close(-move[group], torch.linalg.solve(damped, mean[group]))


def test_an_encoder_layer_counts_examples_wherever_they_stand():
    settings = {"d_model": 4, "nhead": 2, "dim_feedforward": 5, "dropout": 0.0}
    first = nn.TransformerEncoderLayer(**settings, batch_first=True).double()
    second = nn.TransformerEncoderLayer(**settings, batch_first=False).double()
    second.load_state_dict(first.state_dict())
    x = drawn(6, 3, 4)
    optimizers = KFAC(first), KFAC(second)
    functional.cross_entropy(first(x).mean(1), LABELS).backward()
    functional.cross_entropy(second(x.transpose(0, 1)).mean(0), LABELS).backward()
    for optimizer in optimizers:
        optimizer.step()
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert_close(theirs, ours)


def test_one_example_without_a_batch_axis_is_a_batch_of_one():
    networks = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    networks[1].load_state_dict(networks[0].state_dict())
    optimizers = KFAC(networks[0]), KFAC(networks[1])
    x = drawn(4)
    functional.cross_entropy(networks[0](x[None]), LABELS[:1]).backward()
    functional.cross_entropy(networks[1](x), LABELS[0]).backward()
    for optimizer in optimizers:
        optimizer.step()
    assert_close(networks[1].weight, networks[0].weight)


def test_a_parameter_that_is_unfrozen_later_is_covered_from_then_on():
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    network[0].requires_grad_(False)
    optimizer = KFAC(network)
    one_step(network, optimizer, drawn(6, 4), LABELS)
    known = optimizer.blocks["2.weight"].a.average
    network[0].requires_grad_(True)
    optimizer.add_param_group({"params": network[0].parameters(), "lr": 0.01})
    assert set(optimizer.blocks) == {"0.weight", "2.weight"}
    assert torch.equal(optimizer.blocks["2.weight"].a.average, known)
    one_step(network, optimizer, drawn(6, 4), LABELS)
    assert optimizer.blocks["0.weight"].is_ready


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of a library it imports
@pytest.mark.parametrize("weight_sharing", ["expand", "reduce"])
def test_the_exact_fisher_is_that_of_curvlinops(weight_sharing):
    curvlinops = pytest.importorskip("curvlinops", reason="it is not installed")
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1, groups=1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(27, 3),
    ).double()
    x = drawn(6, 2, 5, 5)
    optimizer = KFAC(network, fisher_type="exact", weight_sharing=weight_sharing)
    scores = network(x)
    optimizer.observe(scores)
    functional.cross_entropy(scores, LABELS).backward()
    before = copy.deepcopy(network)
    optimizer.step()
    parameters = list(before.parameters())
    operator = curvlinops.KFACLinearOperator(
        before,
        nn.CrossEntropyLoss(),
        parameters,
        [(x, LABELS)],
        fisher_type="type-2",
        kfac_approx=weight_sharing,
        separate_weight_and_bias=False,
    )
    vectors = [drawn(*each.shape, seed=3) for each in parameters]
    expected = operator @ torch.cat([each.flatten() for each in vectors])
    given = dict(zip(network.parameters(), vectors, strict=True))
    found = {}
    for block in optimizer.blocks.values():
        for part, values in block.scatter(block.apply(block.gather(given.get))):
            found[part.parameter] = values
    actual = [found[each].flatten() for each in network.parameters()]
    assert_close(torch.cat(actual), expected)
