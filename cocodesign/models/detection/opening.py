"""A detector from a folder of TensorFlow.js graph models."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cocodesign.models.detection import centernet, nanodet
from cocodesign.models.detection.centernet import CenterNet
from cocodesign.models.detection.nanodet import NanoDet
from cocodesign.models.onnx_network import OnnxNetwork, export_onnx
from cocodesign.models.tfjs import GraphModel

Runtime = Literal["onnx", "torch"]


def open_detector(
    folder: Path,
    name: Literal["nanodet", "centernet"] = "nanodet",
    *,
    runtime: Runtime = "onnx",
    num_threads: int | None = None,
    min_score: float = 0.3,
) -> NanoDet | CenterNet:
    """Open a detector.

    Args:
        folder: Holds ``<name>.json`` and ``<name>.bin``.
        name: NanoDet is the faster one and finds smaller objects.
        runtime: ``onnx`` needs half of PyTorch's time. Its first call writes
            ``<name>.onnx`` beside the graph, which takes some ten seconds.
        num_threads: Threads of ONNX Runtime; ``None`` takes every core. PyTorch's are
            set by ``torch.set_num_threads``.
        min_score: What less sure boxes are dropped.

    Returns:
        The detector.

    Raises:
        ValueError: If ``name`` or ``runtime`` is another.
        DataFormatError: If the files are not those of the model.
    """
    if runtime not in ("onnx", "torch"):
        raise ValueError(f"runtime must be onnx or torch, got {runtime!r}")
    if name == "nanodet":
        side = nanodet.INPUT_PX
        example = torch.zeros(1, 3, side, side)
        network = _open(folder, name, nanodet.OUTPUTS, example, runtime, num_threads)
        return NanoDet(network, min_score=min_score)
    if name == "centernet":
        side = centernet.INPUT_PX
        example = torch.zeros(1, side, side, 3)
        network = _open(folder, name, centernet.OUTPUTS, example, runtime, num_threads)
        return CenterNet(network, min_score=min_score)
    raise ValueError(f"name must be nanodet or centernet, got {name!r}")


def _open(
    folder: Path,
    name: str,
    outputs: tuple[str, ...],
    example: Tensor,
    runtime: Runtime,
    num_threads: int | None,
) -> Callable[[Tensor], tuple[Tensor, ...]]:
    exported = folder / f"{name}.onnx"
    if runtime == "onnx" and exported.is_file():
        return OnnxNetwork(exported, num_threads=num_threads)
    graph = GraphModel.load(folder / f"{name}.json", outputs).eval()
    if runtime == "torch":
        return graph
    export_onnx(graph, [example], exported)
    return OnnxNetwork(exported, num_threads=num_threads)
