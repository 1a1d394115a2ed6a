import pytest
import torch
from torch import nn

from cocodesign.models import ConvNet
from cocodesign.seeding import seeded_globally


@pytest.mark.parametrize("size", [8, 28, 32])
def test_gives_one_score_per_class_at_any_picture_size(size):
    network = ConvNet(7, in_channels=3, widths=(4, 8))
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_weights_have_hes_deviation():
    with seeded_globally(0, "weights"):
        network = ConvNet(widths=(64, 128))
    weight = network.features[3].weight
    fan_out = 128 * 3 * 3
    assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=1e-3)


def test_signals_keep_their_scale_through_the_stages():
    with seeded_globally(0, "weights"):
        network = ConvNet()
    features = network.features(torch.randn(64, 1, 28, 28))
    assert 0.3 < features.square().mean().item() < 0.7  # half of 1 behind a ReLU


def test_a_picture_costs_as_many_multiplications_as_the_docstring_says():
    counts = []

    def count(module: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        counts.append(output[0].numel() * module.weight[0].numel())

    network = ConvNet()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.zeros(1, 1, 28, 28))
    assert sum(counts) == pytest.approx(0.6e6, rel=0.05)


def test_patches_are_seen_once_each_and_cost_a_quarter():
    network = ConvNet(patch_size=4)
    image = torch.randn(1, 1, 28, 28)
    stem = network.features[0]
    patch = image[0, 0, 8:12, 20:24].flatten()
    expected = stem.weight.detach()[:, 0].flatten(1) @ patch
    torch.testing.assert_close(stem(image)[0, :, 2, 5].detach(), expected)
    counts = []

    def count(module: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        counts.append(output[0].numel() * module.weight[0].numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(image)
    assert sum(counts) < 0.6e6 / 3


def test_refuses_to_have_no_stage():
    with pytest.raises(ValueError, match="at least one stage"):
        ConvNet(widths=())
