import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from cocodesign.compression import decode_model, encode_model, quantize
from cocodesign.compression.quantization import dequantized
from cocodesign.errors import CorruptBitstreamError


def pruned_network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(32, 50)
    )
    for parameter in network.parameters():
        kept = torch.rand(parameter.shape, generator=generator) < 0.2
        parameter.data = torch.randn(parameter.shape, generator=generator) * kept
    return network


@pytest.mark.parametrize("profile", ["fast", "max"])
@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_symbols_come_back_exactly(tmp_path: Path, profile: str, method: str) -> None:
    tensors = quantize(pruned_network(), num_bits=5, method=method)
    report = encode_model(
        tensors, tmp_path / "a.ccz", profile=profile, round_stored=False
    )
    decoded = decode_model(tmp_path / "a.ccz")
    assert list(decoded) == list(tensors)
    for name, expected in dequantized(tensors).items():
        assert decoded[name].dtype == expected.dtype
        assert torch.equal(decoded[name], expected)
    assert report.file_bytes == (tmp_path / "a.ccz").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.uint8,
        torch.bool,
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 2)])
def test_other_dtypes_are_stored_exactly(
    tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    values = torch.ones(shape).to(dtype)
    encode_model({"x": values}, tmp_path / "a.ccz")
    decoded = decode_model(tmp_path / "a.ccz")["x"]
    assert decoded.dtype == dtype
    assert torch.equal(decoded, values)


def test_rounding_what_is_stored_keeps_eleven_bits_or_the_range(tmp_path: Path) -> None:
    small, large = torch.tensor([0.1, -3.0]), torch.tensor([1e30, 1e-30])
    encode_model({"small": small, "large": large}, tmp_path / "a.ccz")
    decoded = decode_model(tmp_path / "a.ccz")
    torch.testing.assert_close(decoded["small"], small, rtol=2**-11, atol=0)
    torch.testing.assert_close(decoded["large"], large, rtol=2**-8, atol=0)


def test_the_report_accounts_for_every_byte(tmp_path: Path) -> None:
    network = pruned_network()
    report = encode_model(quantize(network), tmp_path / "a.ccz")
    sizes = {name: tensor.nbytes for name, tensor in network.state_dict().items()}
    assert {each.name: each.original_bytes for each in report.layers} == sizes
    assert report.compression_ratio == sum(sizes.values()) / report.file_bytes
    assert 37 < report.table_bytes < 400
    assert f"{report.compression_ratio:.1f}x" in str(report)


def test_half_precision_weights_return_in_half_precision(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4).half()
    encode_model(quantize(layer), tmp_path / "a.ccz")
    assert decode_model(tmp_path / "a.ccz")["weight"].dtype == torch.float16


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ccz"
    encode_model(quantize(nn.Linear(4, 4)), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptBitstreamError, match=r"a\.ccz: .*SHA-256"):
        decode_model(path)


def formula_network() -> dict[str, torch.Tensor]:
    """Weights from integer arithmetic: the same wherever this runs."""
    numbers = torch.arange(4000)
    values = (numbers * numbers * 7919 % 1009 - 504).float() / 512
    kept = numbers * 31 % 97 < 20
    return {"a.weight": (values * kept).reshape(40, 100), "b": values[:7]}


@pytest.mark.parametrize(
    ("profile", "digest"),
    [
        ("fast", "8c2c3ae696dfd82b144e6be9e64f98ce4ada2bf78f6b3a5eaa9f6ff2ab9f6efe"),
        ("max", "05b18d8e49aafb7a87139acafb741bc645076009a7dcf17319003e3a6ca3ea26"),
    ],
)
def test_files_of_version_1_stay_as_they_are(
    tmp_path: Path, profile: str, digest: str
) -> None:
    path = tmp_path / "a.ccz"
    encode_model(quantize(formula_network(), num_bits=5), path, profile=profile)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
