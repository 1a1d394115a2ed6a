import itertools

import pytest
import torch
from torch import nn

from cocodesign.compression import quantize
from cocodesign.compression.quantization import dequantized, share_weights
from cocodesign.compression.quantized import Codebook, QuantizedTensor
from cocodesign.compression.rate_distortion import assign_symbols, choose_step


def random_weights(*shape: int, density: float = 0.3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(shape, generator=generator) < density
    return torch.randn(shape, generator=generator) * kept


def test_errors_stay_within_half_a_step() -> None:
    weights = random_weights(30, 40)
    found = quantize({"w": weights}, num_bits=6)["w"]
    assert isinstance(found, QuantizedTensor)
    step = float(weights.abs().max()) / 31
    assert (found.dequantize() - weights).abs().max() <= 0.5001 * step
    assert int(found.symbols.abs().max()) == 31


@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_zeros_stay_zeros(method: str) -> None:
    weights = random_weights(30, 40)
    found = dequantized(quantize({"w": weights}, num_bits=5, method=method))["w"]
    assert not found[weights == 0].any()


def test_vectors_and_integers_stay_as_they_are() -> None:
    layer = nn.BatchNorm1d(3)
    state = layer.state_dict()
    found = quantize(layer, num_bits=2)
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_vectors_are_quantized_when_asked_for() -> None:
    found = quantize({"bias": torch.tensor([0.5, -1.0])}, vector_bits=8)["bias"]
    assert isinstance(found, QuantizedTensor)


def test_kmeans_finds_clusters_and_no_sum_of_squares_is_smaller() -> None:
    weights = torch.tensor([[0.0, -1.0, -1.1, 2.0], [2.2, 5.0, 0.0, 5.1]])
    found = share_weights(weights, num_bits=2)
    assert isinstance(found.quantizer, Codebook)
    assert found.quantizer.negative == pytest.approx((-1.05,))
    assert found.quantizer.positive == pytest.approx((2.1, 5.05))
    assert found.symbols.tolist() == [[0, -1, -1, 1], [1, 2, 0, 2]]


def test_a_price_of_zero_rounds_to_the_nearest() -> None:
    weights = random_weights(20, 20)
    found = assign_symbols(weights, 1.0, 0.0, 0.25)
    assert torch.equal(found.symbols, (weights / 0.25).round().int())


def test_a_higher_price_costs_error_and_saves_bits() -> None:
    weights = random_weights(50, 50)
    found = [choose_step(weights, 1.0, price) for price in (1e-4, 1e-3, 1e-2, 1e-1)]
    for cheap, dear in itertools.pairwise(found):
        assert dear.rate_bits < cheap.rate_bits
        assert dear.distortion > cheap.distortion


def test_symbols_that_a_price_drove_out_do_not_come_back_for_nothing() -> None:
    weights = random_weights(300, 40, density=0.07)
    for step in (0.02, 0.1, 0.5):
        rates = [
            assign_symbols(weights, 1.0, 2.0 ** (exponent / 4), step).rate_bits
            for exponent in range(-32, 17)
        ]
        assert rates[0] > 1000 > rates[-1]
        for cheap, dear in itertools.pairwise(rates):
            assert dear < 1.05 * cheap + 10


def test_what_matters_more_is_kept_more_exactly() -> None:
    weights = random_weights(40, 40)
    importance = torch.ones(40, 40)
    importance[:20] = 100
    found = choose_step(weights, importance, 1e-2)
    error = (found.quantizer.dequantize(found.symbols) - weights).square()
    assert error[:20].sum() < error[20:].sum() / 3


def test_a_tensor_of_zeros_is_quantized_to_zeros() -> None:
    for options in ({}, {"price": 0.1}, {"method": "kmeans"}):
        found = quantize({"w": torch.zeros(3, 3)}, **options)["w"]
        assert not dequantized({"w": found})["w"].any()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"num_bits": 1}, "from 2 to 16"),
        ({"num_bits": {"v": 3}}, "no tensors named"),
        ({"method": "lloyd"}, "method"),
        ({"price": -1.0}, "price"),
    ],
)
def test_refuses_wrong_arguments(options: dict, complaint: str) -> None:
    with pytest.raises((ValueError, TypeError), match=complaint):
        quantize({"w": torch.ones(2, 2)}, **options)


def test_refuses_weights_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantize({"w": torch.full((2, 2), float("nan"))})
