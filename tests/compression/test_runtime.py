from pathlib import Path

import pytest
import torch
from torch import nn

from cocodesign.compression import decode_model, encode_model, load_compressed, quantize
from cocodesign.compression.packed import DenseColumns, SparseColumns
from cocodesign.compression.runtime import PackedLinear
from tests.tolerances import assert_close


def network(density: float, *, width: int = 96) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    layers = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, width),
        nn.ReLU(),
        nn.Linear(width, 10, bias=False),
    )
    for parameter in layers.parameters():
        kept = torch.rand(parameter.shape, generator=generator) < density
        parameter.data = torch.randn(parameter.shape, generator=generator) * kept
    return layers


@pytest.mark.parametrize("profile", ["fast", "max"])
@pytest.mark.parametrize("method", ["uniform", "kmeans"])
@pytest.mark.parametrize("density", [0.04, 0.5])
@pytest.mark.parametrize("batch", [1, 5])
def test_computes_what_the_decoded_weights_compute(
    tmp_path: Path, profile: str, method: str, density: float, batch: int
) -> None:
    path = tmp_path / "a.ccz"
    encode_model(
        quantize(network(density), num_bits=5, method=method), path, profile=profile
    )
    reference = network(density)
    reference.load_state_dict(decode_model(path))
    model = load_compressed(path, network(1.0))
    images = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    assert isinstance(model[3], PackedLinear)
    assert_close(model(images), reference(images).detach())


def test_full_matrices_take_the_dense_form(tmp_path: Path) -> None:
    for density, form in ((0.03, SparseColumns), (0.4, DenseColumns)):
        encode_model(quantize(network(density)), tmp_path / "a.ccz")
        model = load_compressed(tmp_path / "a.ccz", network(1.0))
        assert isinstance(model[3].matrix, form)


def test_a_model_without_memory_gets_its_weights_from_the_file(tmp_path: Path) -> None:
    encode_model(quantize(network(0.1)), tmp_path / "a.ccz")
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 36, 96),
            nn.ReLU(),
            nn.Linear(96, 10, bias=False),
        )
    assert load_compressed(tmp_path / "a.ccz", model)(torch.rand(2, 1, 8, 8)).shape == (
        2,
        10,
    )


def test_packed_weights_take_three_bytes_a_nonzero(tmp_path: Path) -> None:
    encode_model(quantize(network(0.03, width=400)), tmp_path / "a.ccz")
    layer = load_compressed(tmp_path / "a.ccz", network(1.0, width=400))[3]
    entries = len(layer.matrix.rows)
    assert layer.num_bytes == 3 * entries + 4 * (144 + 1) + 4 * 256 + 4 * 400


def test_symbols_beyond_a_byte_are_decoded_into_their_layer(tmp_path: Path) -> None:
    encode_model(quantize(network(0.1), num_bits=12), tmp_path / "a.ccz")
    model = load_compressed(tmp_path / "a.ccz", network(1.0))
    assert type(model[3]) is nn.Linear


def test_a_single_linear_layer_becomes_a_packed_one(tmp_path: Path) -> None:
    encode_model(quantize(nn.Linear(3, 2)), tmp_path / "a.ccz")
    layer = load_compressed(tmp_path / "a.ccz", nn.Linear(3, 2))
    assert layer(torch.zeros(3)).shape == (2,)


def test_attention_keeps_its_own_layers(tmp_path: Path) -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    encode_model(quantize(attention, num_bits=8), tmp_path / "a.ccz")
    model = load_compressed(
        tmp_path / "a.ccz", nn.MultiheadAttention(8, 2, batch_first=True)
    )
    tokens = torch.rand(1, 3, 8)
    assert model(tokens, tokens, tokens)[0].shape == (1, 3, 8)


def test_refuses_a_file_of_another_architecture(tmp_path: Path) -> None:
    encode_model(quantize(nn.Linear(3, 2)), tmp_path / "a.ccz")
    with pytest.raises(ValueError, match="lacks"):
        load_compressed(tmp_path / "a.ccz", nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match="shape"):
        load_compressed(tmp_path / "a.ccz", nn.Linear(4, 2))


def test_refuses_inputs_that_it_would_have_to_convert(tmp_path: Path) -> None:
    encode_model(quantize(nn.Linear(3, 2)), tmp_path / "a.ccz")
    layer = load_compressed(tmp_path / "a.ccz", nn.Linear(3, 2))
    with pytest.raises(ValueError, match="float32"):
        layer(torch.zeros(3, dtype=torch.float64))
    with pytest.raises(ValueError, match="features"):
        layer(torch.zeros(4))
