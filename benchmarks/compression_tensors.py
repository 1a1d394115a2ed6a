"""The tensors that the coders are compared on: real LeNets, a real ImageNet net, fc7.

Caffe's files are protocol buffers; the few fields that hold weights are read here, so
that no Caffe is needed.
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "compression"

_LAYER, _OLD_LAYER = 100, 2  # fields of NetParameter
_NAME = {_LAYER: 1, _OLD_LAYER: 4}
_BLOBS = {_LAYER: 7, _OLD_LAYER: 6}
_BLOB_DIMENSIONS, _BLOB_DATA, _BLOB_SHAPE = range(1, 5), 5, 7


@dataclass(frozen=True)
class TensorSet:
    """Quantized tensors that belong together.

    Attributes:
        name: What they are.
        tensors: By name, int32 symbols in the layer's shape.
        structured: Whether real training shaped them; else every weight is drawn on
            its own, and no lossless coder can beat their entropy.
    """

    name: str
    tensors: Mapping[str, np.ndarray]
    structured: bool

    @property
    def num_weights(self) -> int:
        """Number of all weights, zeros included."""
        return sum(tensor.size for tensor in self.tensors.values())


def read_caffe_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the weights of a ``.caffemodel``.

    Args:
        path: The file.

    Returns:
        float32 arrays named ``<layer>.weight`` and ``<layer>.bias``.
    """
    weights: dict[str, np.ndarray] = {}
    for field, layer in _fields(path.read_bytes()):
        if field not in (_LAYER, _OLD_LAYER) or not isinstance(layer, bytes):
            continue
        parts = list(_fields(layer))
        name = next(bytes(v).decode() for f, v in parts if f == _NAME[field])
        blobs = [_blob(v) for f, v in parts if f == _BLOBS[field]]
        for kind, blob in zip(("weight", "bias"), blobs, strict=False):
            weights[f"{name}.{kind}"] = blob
    return weights


def read_lenet(*, pruned: bool) -> dict[str, np.ndarray]:
    """Read LeNet-5 as trained (Caffe) or as pruned 108 times (Guo et al. 2016).

    Args:
        pruned: Which of the two.

    Returns:
        float32 arrays in PyTorch's layouts, by name.
    """
    name = "sparse" if pruned else "original"
    weights = read_caffe_weights(SHARED / f"caffe_lenet5_{name}.caffemodel")
    shapes = {
        "conv1.weight": (20, 1, 5, 5),
        "conv2.weight": (50, 20, 5, 5),
        "ip1.weight": (500, 800),
        "ip2.weight": (10, 500),
    }
    return {k: v.reshape(shapes.get(k, (v.size,))) for k, v in weights.items()}


def read_mnist_test() -> tuple[np.ndarray, np.ndarray]:
    """Read MNIST's test images (uint8 ``[10000, 28, 28]``) and labels."""
    images = gzip.decompress((SHARED / "mnist-t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((SHARED / "mnist-t10k-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8),
    )


def read_lite0(path: Path) -> dict[str, np.ndarray]:
    """Read EfficientNet-Lite0's ImageNet weights.

    Args:
        path: The published file ``efficientnet-lite0-57934424.pth``.

    Returns:
        float32 arrays of two and more axes, by name.
    """
    state = torch.load(path, weights_only=True)
    return {k: v.numpy() for k, v in state.items() if v.dim() > 1}


def tensor_sets(lite0: Path | None, *, quick: bool) -> list[TensorSet]:
    """Build the sets that the coders are compared on.

    Args:
        lite0: EfficientNet-Lite0's file; its sets are left out if ``None``.
        quick: A quarter of fc7, and no dense ImageNet net.

    Returns:
        The sets whose data is there.
    """
    sets = []
    if SHARED.is_dir():
        pruned = read_lenet(pruned=True)
        sets += [
            _quantized("lenet5_pruned_5_bit", pruned, num_bits=5),
            _quantized("lenet5_pruned_4_bit", pruned, num_bits=4),
            _quantized("lenet5_dense_6_bit", read_lenet(pruned=False), num_bits=6),
        ]
    if lite0 is not None:
        weights = read_lite0(lite0)
        sets.append(_quantized("lite0_pruned_80_6_bit", _pruned(weights, 0.2), 6))
        if not quick:
            sets.append(_quantized("lite0_dense_6_bit", weights, 6))
    rows = 1024 if quick else 4096
    return [
        *sets,
        _drawn("fc7_unstructured_9", unstructured(rows, 4096, 0.09), structured=False),
        _drawn("fc7_unstructured_4", unstructured(rows, 4096, 0.04), structured=False),
        _drawn("fc7_structured_4", structured(rows, 4096, 0.04), structured=True),
    ]


def unstructured(rows: int, columns: int, density: float) -> np.ndarray:
    """Draw symbols of up to 16 magnitudes, each on its own: entropy is the bound."""
    rng = np.random.default_rng(round(1000 * density))
    kept = rng.random((rows, columns)) < density
    magnitudes = np.minimum(rng.geometric(0.35, (rows, columns)), 15)
    signs = rng.integers(0, 2, (rows, columns)) * 2 - 1
    return (kept * magnitudes * signs).astype(np.int32)


def structured(rows: int, columns: int, density: float) -> np.ndarray:
    """As ``unstructured``, but rows and columns differ in density, as in layers."""
    rng = np.random.default_rng(7)
    chance = rng.gamma(0.5, 1, (rows, 1)) * rng.gamma(0.5, 1, (1, columns))
    kept = rng.random((rows, columns)) < chance / chance.mean() * density
    return np.where(kept, unstructured(rows, columns, 1.0), 0).astype(np.int32)


def entropy_bytes(tensor: np.ndarray) -> float:
    """Return the bytes of a tensor whose symbols are coded one by one."""
    _, counts = np.unique(tensor, return_counts=True)
    p = counts / tensor.size
    return float(-(counts * np.log2(p)).sum() / 8)


def _drawn(name: str, symbols: np.ndarray, *, structured: bool) -> TensorSet:
    return TensorSet(name, {"fc7": symbols}, structured)


def _quantized(
    name: str, weights: Mapping[str, np.ndarray], num_bits: int
) -> TensorSet:
    symbols = {}
    for key, tensor in weights.items():
        if tensor.ndim > 1:
            step = np.abs(tensor).max() / (2 ** (num_bits - 1) - 1)
            symbols[key] = np.rint(tensor / step).astype(np.int32)
    return TensorSet(name, symbols, structured=True)


def _pruned(weights: Mapping[str, np.ndarray], density: float) -> dict[str, np.ndarray]:
    """Keep the largest weights of all tensors, each scaled to the same mean square."""
    scaled = {k: np.abs(w) / np.sqrt(np.square(w).mean()) for k, w in weights.items()}
    threshold = np.quantile(
        np.concatenate([s.ravel() for s in scaled.values()]), 1 - density
    )
    return {k: np.where(scaled[k] > threshold, w, 0) for k, w in weights.items()}


def _blob(message: "bytes | int") -> np.ndarray:
    """Return a blob's numbers, in its shape if it tells one."""
    dimensions: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    data = np.empty(0, np.float32)
    for field, value in _fields(bytes(message)):
        if field in _BLOB_DIMENSIONS and isinstance(value, int):
            dimensions[field] = value
        elif field == _BLOB_DATA and isinstance(value, bytes):
            data = np.frombuffer(value, "<f4")
        elif field == _BLOB_SHAPE and isinstance(value, bytes):
            shape = tuple(_packed_integers(value))
    return data.reshape(shape or tuple(dimensions[k] for k in sorted(dimensions)))


def _packed_integers(message: bytes) -> Iterator[int]:
    for _, value in _fields(message):
        if isinstance(value, int):
            yield value
        else:
            position = 0
            while position < len(value):
                number, position = _varint(value, position)
                yield number


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield field number and raw value of a protocol buffer message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind == 5:
            length = 4
        elif kind == 1:
            length = 8
        else:
            raise ValueError(f"wire type {kind} at byte {position} is not known")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        position += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, position
