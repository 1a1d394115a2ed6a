from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cocodesign.compression import decode_model, encode_model, load_compressed, quantize
from cocodesign.compression.cuda_kernels import SOURCE, by_rows
from cocodesign.compression.model_codec import read_entries
from cocodesign.compression.packed import SparseColumns, pack_matrix
from tests.tolerances import assert_close


def sparse_layer(density: float) -> nn.Linear:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(300, 70)
    kept = torch.rand(layer.weight.shape, generator=generator) < density
    layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * kept
    return layer


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_source_compiles_without_a_device(architecture: str) -> None:
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    try:
        error, program = nvrtc.nvrtcCreateProgram(SOURCE.encode(), b"p.cu", 0, [], [])
    except RuntimeError as missing:
        pytest.skip(f"no NVRTC library: {missing}")
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS
    options = [f"--gpu-architecture={architecture}".encode()]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    # The log is written into the object: it must not be one that Python shares, as
    # it does all bytes of length one.
    log = bytes(size + 1)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    nvrtc.nvrtcDestroyProgram(program)


def test_a_matrix_by_rows_holds_the_same_entries(tmp_path: Path) -> None:
    layer = sparse_layer(0.04)
    tensors = quantize(layer, num_bits=5)
    encode_model(tensors, tmp_path / "a.ccz")
    entry = next(e for e in read_entries(tmp_path / "a.ccz") if e.name == "weight")
    matrix = pack_matrix(entry)
    assert isinstance(matrix, SparseColumns)
    rows = by_rows(matrix, "cpu")
    dense = torch.zeros(70, 300, dtype=torch.int32)
    columns = rows.columns.numpy().view(np.uint16)
    for r in range(70):
        for k in range(int(rows.starts[r]), int(rows.starts[r + 1])):
            dense[r, int(columns[k])] = int(rows.codes[k])
    assert torch.equal(dense, tensors["weight"].symbols)


@pytest.mark.gpu
@pytest.mark.parametrize("density", [0.04, 0.5])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_gpu_computes_what_the_decoded_weights_compute(
    tmp_path: Path, density: float, batch: int
) -> None:
    pytest.importorskip("cupy")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    layer = sparse_layer(density)
    encode_model(quantize(layer, num_bits=5), tmp_path / "a.ccz")
    layer.load_state_dict(decode_model(tmp_path / "a.ccz"))
    packed = load_compressed(tmp_path / "a.ccz", nn.Linear(300, 70), device="cuda")
    inputs = torch.randn(batch, 300, generator=torch.Generator().manual_seed(1))
    assert_close(packed(inputs.cuda()).cpu(), layer(inputs).detach())
