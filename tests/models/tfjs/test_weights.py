"""Weights as they lie in files."""

import numpy as np
import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.models.tfjs.weights import read_weights


def test_reads_groups_of_files_joined_end_to_end(tmp_path):
    content = np.arange(6, dtype="<f4").tobytes() + np.array([7, -8], "<i4").tobytes()
    (tmp_path / "a").write_bytes(content[:10])
    (tmp_path / "b").write_bytes(content[10:])
    weights = [
        {"name": "w", "shape": [2, 3], "dtype": "float32"},
        {"name": "n", "shape": [2], "dtype": "int32"},
    ]
    found = read_weights([{"paths": ["a", "b"], "weights": weights}], tmp_path)
    assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["n"].tolist() == [7, -8]


@pytest.mark.parametrize(
    ("stored", "dtype", "quantization", "expected"),
    [
        ("<f2", "float32", {"dtype": "float16"}, [0.0, 1.0, 3.0]),
        (
            "|u1",
            "float32",
            {"dtype": "uint8", "scale": 0.5, "min": -1.0},
            [-1, -0.5, 0.5],
        ),
        ("<u2", "float32", {"dtype": "uint16", "scale": 2.0, "min": 0.0}, [0, 2, 6]),
        ("|u1", "bool", {}, [False, True, True]),
    ],
)
def test_restores_quantised_weights(stored, dtype, quantization, expected, tmp_path):
    (tmp_path / "w").write_bytes(np.array([0, 1, 3], stored).tobytes())
    entry = {"name": "w", "shape": [3], "dtype": dtype}
    if quantization:
        entry["quantization"] = quantization
    found = read_weights([{"paths": ["w"], "weights": [entry]}], tmp_path)["w"]
    assert found.dtype == getattr(torch, dtype)
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("num_bytes", "dtype", "message"),
    [
        (7, "float32", "ends at byte 8, the files at 7"),
        (9, "float32", "describes 8 bytes, the files have 9"),
        (8, "complex64", "'complex64'"),
        (None, "float32", "cannot be read"),
    ],
)
def test_refuses_files_that_do_not_fit(num_bytes, dtype, message, tmp_path):
    if num_bytes is not None:
        (tmp_path / "w").write_bytes(bytes(num_bytes))
    entry = {"name": "w", "shape": [2], "dtype": dtype}
    with pytest.raises(DataFormatError, match=message):
        read_weights([{"paths": ["w"], "weights": [entry]}], tmp_path)


def test_a_path_cannot_leave_the_models_folder(tmp_path):
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(bytes(4))
    entry = {"name": "w", "shape": [1], "dtype": "float32"}
    with pytest.raises(DataFormatError, match="cannot be read"):
        read_weights([{"paths": ["../secret"], "weights": [entry]}], inner)
