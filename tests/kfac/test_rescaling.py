import pytest
import torch
from torch import nn

from cocodesign.kfac import rescale_weights


@pytest.mark.parametrize("only_shrink", [True, False])
def test_weights_get_the_norm_of_their_width(only_shrink):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.mul_(100)
        model[2].weight.mul_(1e-3)
    short = model[2].weight.norm().item()
    rescale_weights(model, only_shrink=only_shrink)
    squared = sum(value**2 for value in model[0].weight.flatten().tolist())
    assert squared**0.5 == pytest.approx(4.0)  # √(2 · 8)
    expected = short if only_shrink else 2.0
    assert model[2].weight.norm().item() == pytest.approx(expected, rel=1e-5)


def test_directions_biases_and_normalisations_stay():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rescale_weights(model, only_shrink=False)
    after = model.state_dict()
    for name, value in before.items():
        if name != "0.weight":
            assert torch.equal(after[name], value)
    cosine = nn.functional.cosine_similarity(
        after["0.weight"].flatten(), before["0.weight"].flatten(), dim=0
    )
    assert cosine.item() == pytest.approx(1.0)


def test_a_shared_or_frozen_or_zero_weight_is_safe():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    frozen = nn.Linear(3, 3)
    frozen.weight.requires_grad_(False)
    zero = nn.Linear(3, 3)
    nn.init.zeros_(zero.weight)
    kept = frozen.weight.clone()
    rescale_weights(nn.Sequential(first, second, frozen, zero), only_shrink=False)
    assert first.weight.norm().item() == pytest.approx(6**0.5)
    assert torch.equal(frozen.weight, kept)
    assert torch.equal(zero.weight, torch.zeros(3, 3))
