import pytest
import torch

from cocodesign.compression.budget import (
    price_for_accuracy,
    price_for_bytes,
    relative_importance,
)
from cocodesign.compression.quantization import quantize


def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "large": torch.randn(100, 100, generator=generator),
        "small": 0.01 * torch.randn(20, 10, generator=generator),
        "bias": torch.ones(5),
    }


@pytest.mark.parametrize("budget_bytes", [1500, 5000])
@pytest.mark.slow
def test_the_symbols_fit_the_budget_and_use_it(budget_bytes: int) -> None:
    weights = state()
    importance = relative_importance(weights)
    price = price_for_bytes(weights, importance, budget_bytes)
    tensors = quantize(weights, price=price, importance=importance)
    used = sum(tensors[name].entropy_bits for name in importance) / 8
    assert 0.85 * budget_bytes < used < 1.02 * budget_bytes


@pytest.mark.slow
def test_a_small_layer_of_small_weights_is_not_sacrificed() -> None:
    weights = state()
    importance = relative_importance(weights)
    price = price_for_bytes(weights, importance, 2000)
    tensors = quantize(weights, price=price, importance=importance)
    bits = {
        name: tensors[name].entropy_bits / weights[name].numel() for name in importance
    }
    assert bits["small"] > bits["large"]


def test_vectors_are_left_out() -> None:
    assert set(relative_importance(state())) == {"large", "small"}


def test_finds_the_highest_price_that_keeps_an_accuracy() -> None:
    tried = []

    def accuracy_at(price: float) -> float:
        tried.append(price)
        return 1.0 if price <= 1e-5 else 0.0

    price = price_for_accuracy(accuracy_at, 0.5)
    assert 5e-6 < price <= 1e-5
    assert len(tried) < 12


def test_says_when_a_goal_is_out_of_reach() -> None:
    weights = state()
    with pytest.raises(ValueError, match="cannot reach"):
        price_for_bytes(weights, relative_importance(weights), -1.0)
    with pytest.raises(ValueError, match="no quantization keeps"):
        price_for_accuracy(lambda _price: 0.1, 0.5)
