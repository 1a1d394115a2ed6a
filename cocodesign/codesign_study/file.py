"""The trained network as a file: compressed, or as it is."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from cocodesign.codesign_study.concepts import Pictures
from cocodesign.codesign_study.windows import build_network
from cocodesign.compression import encode_model, load_compressed, shrink
from cocodesign.compression.shrinking import smallest
from cocodesign.models import ConvNet
from cocodesign.seeding import random_stream
from cocodesign.training import BatchStream, evaluate

_LEARNING_RATE = 2e-3
_MINI_BATCH_SIZE = 64


@dataclass(frozen=True)
class NetworkFile:
    """A network on disk.

    Attributes:
        path: The file.
        num_bytes: Of the file, everything included.
        within_drop: Whether validation lost no more than was allowed; the file with
            the best validation accuracy is written where none does.
    """

    path: Path
    num_bytes: int
    within_drop: bool

    def load(self) -> ConvNet:
        """Return the network as the file gives it, in evaluation mode."""
        network = build_network()
        if self.path.suffix == ".ccz":
            load_compressed(self.path, network)
            return network.eval()
        network.load_state_dict(load_file(self.path))
        return network.eval()


def write_dense(network: ConvNet, folder: Path) -> NetworkFile:
    """Write all weights as 32-bit floats.

    Args:
        network: The network.
        folder: Where the file goes.

    Returns:
        The file, a safetensors one.
    """
    path = folder / "concepts.safetensors"
    tensors = {name: each.contiguous() for name, each in network.state_dict().items()}
    save_file(tensors, path)
    return NetworkFile(path, path.stat().st_size, within_drop=True)


def write_compressed(
    network: ConvNet,
    pictures: Pictures,
    validation: Pictures,
    folder: Path,
    *,
    densities: Sequence[float],
    prices: Sequence[float],
    num_steps: int,
    max_drop: float,
    seed: int,
) -> NetworkFile:
    """Prune, quantize and code; validation chooses the smallest file that holds.

    Args:
        network: The network, left as it is.
        pictures: To train on while weights go.
        validation: To choose by.
        folder: Where the file goes.
        densities: Shares of the weights to keep, falling.
        prices: Of a bit; see ``cocodesign.compression.shrink``.
        num_steps: Training steps after each cut.
        max_drop: Accuracy that validation may lose, a fraction.
        seed: Of the order of the pictures.

    Returns:
        The file, a ``.ccz`` one.
    """

    def validate(model: nn.Module) -> float:
        return evaluate(model, validation.pixels, validation.labels)

    batches = BatchStream(
        pictures.pixels,
        pictures.labels,
        _MINI_BATCH_SIZE,
        random_stream(seed, "compression"),
    )
    points = shrink(
        copy.deepcopy(network),
        batches,
        validate,
        densities=densities,
        prices=prices,
        num_steps=num_steps,
        learning_rate=_LEARNING_RATE,
    )
    chosen = smallest(points, validate(network) - max_drop)
    best = chosen or max(points, key=lambda point: point.accuracy)
    path = folder / "concepts.ccz"
    report = encode_model(best.tensors, path)
    return NetworkFile(path, report.file_bytes, chosen is not None)
