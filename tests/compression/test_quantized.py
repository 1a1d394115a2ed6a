import pytest
import torch

from cocodesign.compression.quantized import (
    LARGEST_SYMBOL,
    Codebook,
    QuantizedTensor,
    UniformQuantizer,
)


@pytest.mark.parametrize("step", [0.0, -1.0, float("inf"), float("nan"), 1e-60])
def test_refuses_a_step_that_is_no_positive_float32(step: float) -> None:
    with pytest.raises(ValueError, match="step_size"):
        UniformQuantizer(step)


def test_a_step_is_rounded_to_float32_at_once() -> None:
    assert UniformQuantizer(0.1).step_size == torch.tensor(0.1).item()


def test_refuses_symbols_without_a_value() -> None:
    codebook = Codebook((-1.0,), (1.0,))
    with pytest.raises(ValueError, match="values for -1 to 1"):
        codebook.dequantize(torch.tensor([2], dtype=torch.int32))


def test_refuses_symbols_that_float32_cannot_tell_apart() -> None:
    symbols = torch.tensor([LARGEST_SYMBOL + 1], dtype=torch.int32)
    with pytest.raises(ValueError, match="larger step"):
        QuantizedTensor(symbols, UniformQuantizer(1.0))


def test_entropy_of_equally_frequent_symbols() -> None:
    symbols = torch.tensor([0, 1, 2, 3] * 5, dtype=torch.int32)
    tensor = QuantizedTensor(symbols, UniformQuantizer(1.0))
    assert tensor.entropy_bits == pytest.approx(2 * 20)
    assert tensor.num_levels == 4
    assert tensor.kept_fraction == 0.75


def test_comes_back_in_its_own_dtype() -> None:
    symbols = torch.tensor([3], dtype=torch.int32)
    tensor = QuantizedTensor(symbols, UniformQuantizer(0.5), torch.float16)
    assert tensor.dequantize().dtype == torch.float16
