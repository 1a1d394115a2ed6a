"""Networks as ONNX files."""

import pytest
import torch
from torch import nn

from cocodesign.errors import DataFormatError
from cocodesign.models import OnnxNetwork, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network and the file that any number of examples can be given to."""
    pytest.importorskip("onnxscript")
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    path = tmp_path_factory.mktemp("onnx") / "sub" / "network.onnx"
    export_onnx(network, [torch.zeros(1, 3, 5, 5)], path, batched=True)
    return network, path


@pytest.mark.slow
def test_the_file_computes_what_the_module_computes(exported):
    network, path = exported
    assert network.training  # as it was before the export
    pictures = torch.randn(3, 3, 5, 5)
    (found,) = OnnxNetwork(path, num_threads=1)(pictures)
    with torch.no_grad():
        torch.testing.assert_close(found, network.eval()(pictures))


@pytest.mark.slow
def test_counts_its_inputs(exported):
    network = OnnxNetwork(exported[1])
    with pytest.raises(ValueError, match="got 2 inputs"):
        network(torch.zeros(1, 3, 5, 5), torch.zeros(1))


def test_refuses_a_file_that_is_no_network(tmp_path):
    path = tmp_path / "network.onnx"
    with pytest.raises(DataFormatError, match=r"network\.onnx is no network"):
        OnnxNetwork(path)
    path.write_bytes(b"text")
    with pytest.raises(DataFormatError, match=r"network\.onnx is no network"):
        OnnxNetwork(path)


def test_any_number_of_examples_needs_one_input(tmp_path):
    inputs = [torch.zeros(1, 2), torch.zeros(1, 2)]
    with pytest.raises(ValueError, match="got 2"):
        export_onnx(nn.Bilinear(2, 2, 1), inputs, tmp_path / "x.onnx", batched=True)
