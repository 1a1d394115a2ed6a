import pytest
import torch
from torch import nn

from cocodesign.kfac.layers import example_gradients
from tests.references.small_networks import drawn
from tests.tolerances import assert_close

NORMS = {
    "batch, features": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "batch, series": (lambda: nn.BatchNorm1d(4), (5, 4, 3)),
    "batch, pictures": (lambda: nn.BatchNorm2d(4), (5, 4, 3, 2)),
    "batch, volumes": (lambda: nn.BatchNorm3d(4), (5, 4, 2, 3, 2)),
    "batch, no statistics": (
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
        (1, 4, 3, 2),
    ),
    "group": (lambda: nn.GroupNorm(2, 4), (5, 4, 3, 2)),
    "instance": (lambda: nn.InstanceNorm2d(4, affine=True), (5, 4, 3, 2)),
    "instance, running": (
        lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
        (5, 4, 3),
    ),
    "layer": (lambda: nn.LayerNorm(4), (5, 3, 4)),
    "layer, two axes": (lambda: nn.LayerNorm((3, 4)), (5, 3, 4)),
    "RMS": (lambda: nn.RMSNorm(4), (5, 3, 4)),
}


@pytest.mark.parametrize("name", NORMS)
def test_gradients_of_examples_are_those_of_autograd(name):
    make, shape = NORMS[name]
    module = make().double().eval()
    if getattr(module, "running_mean", None) is not None:
        module.running_mean.copy_(drawn(4))
        module.running_var.copy_(drawn(4).square() + 0.5)
    x, gradient = drawn(*shape), drawn(*shape, seed=1)
    scale, shift = example_gradients(module, x, gradient)
    parameters = list(module.parameters())
    for index in range(len(x)):
        output = module(x[index : index + 1])
        expected = torch.autograd.grad(output, parameters, gradient[index : index + 1])
        found = (scale, shift)[: len(parameters)]
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours[index], theirs.flatten())


def test_gradients_of_a_training_batch_add_up_to_those_of_autograd():
    module = nn.BatchNorm2d(4).double()
    x, gradient = drawn(5, 4, 3, 2), drawn(5, 4, 3, 2, seed=1)
    expected = torch.autograd.grad(module(x), list(module.parameters()), gradient)
    for ours, theirs in zip(
        example_gradients(module, x, gradient), expected, strict=True
    ):
        assert_close(ours.sum(0), theirs)


def test_looking_twice_leaves_the_running_statistics_as_they_are():
    module = nn.InstanceNorm1d(4, affine=True, track_running_stats=True).double()
    x = drawn(5, 4, 3)
    module(x)
    mean = module.running_mean.clone()
    example_gradients(module, x, x)
    assert torch.equal(module.running_mean, mean)
