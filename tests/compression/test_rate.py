import math

import pytest
import torch
from torch import nn

from cocodesign.compression.rate import CodingRate


def layer_of(values: list[float]) -> nn.Linear:
    layer = nn.Linear(len(values), 1, bias=False)
    layer.weight.data = torch.tensor([values])
    return layer


def test_of_weights_on_the_levels_it_is_their_entropy_and_signs() -> None:
    values = [0.0] * 600 + [0.5] * 250 + [-1.0] * 150
    rate = CodingRate(layer_of(values), {"weight": 0.5})
    shares = (0.6, 0.25, 0.15)
    expected = 1000 * -sum(p * math.log2(p) for p in shares) + 400
    assert rate.bits().item() == pytest.approx(expected, rel=1e-3)


def test_the_slope_is_that_between_the_neighbouring_symbols() -> None:
    layer = layer_of([0.0] * 6 + [1.0, 1.0, -2.0, 0.25])
    rate = CodingRate(layer, {"weight": 1.0})  # 7 × 0, 2 × 1, 1 × 2
    rate.bits().backward()
    assert layer.weight.grad is not None
    slope = math.log2(7.5 / 2.5) + 1
    assert layer.weight.grad[0, 9].item() == pytest.approx(slope, rel=1e-5)
    assert not layer.weight.grad[0, :6].any()


def bits_and_loss_after_training(price: float) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    layer = layer_of(torch.randn(200, generator=generator).tolist())
    inputs = torch.randn(400, 200, generator=generator)
    targets = inputs[:, :4].sum(1, keepdim=True)
    rate = CodingRate(layer, {"weight": 0.5})
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    for step in range(200):
        if step % 10 == 0:
            rate.refresh()
        optimizer.zero_grad()
        loss = (layer(inputs) - targets).square().mean()
        (loss + price * rate.bits()).backward()
        optimizer.step()
    rate.refresh()
    return rate.bits().item(), loss.item()


def test_a_price_of_bits_makes_cheaper_weights_that_do_as_well() -> None:
    free_bits, free_loss = bits_and_loss_after_training(0.0)
    bits, loss = bits_and_loss_after_training(0.01)
    assert bits < 0.7 * free_bits
    assert loss < 1.1 * free_loss


def test_refuses_unknown_names_and_steps_that_are_not_positive() -> None:
    with pytest.raises(ValueError, match="no matrices named"):
        CodingRate(nn.Linear(2, 2), {"bias": 0.1})
    with pytest.raises(ValueError, match="must be positive"):
        CodingRate(nn.Linear(2, 2), {"weight": 0.0})
