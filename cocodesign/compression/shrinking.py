"""The whole recipe: prune while training, quantize, code, and look at what is left.

A network is pruned in stages, each to a lower density, and trained on in between;
after each stage its weights are quantized at several prices of a bit and coded. Every
file is a point of accuracy against bytes. Validation examples choose; test examples are
never seen here.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.compression.model_codec import encode_model
from cocodesign.compression.pruning import Pruner
from cocodesign.compression.quantization import dequantized, quantize
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.compression.report import CompressionReport
from cocodesign.compression.tensor_coding import Profile

Batches = Iterator[tuple[Tensor, Tensor]]
"""Mini-batches of examples and class indices, without end."""

_WARM_UP = 0.1  # share of the steps in which the learning rate rises
_RAMP = 0.5  # share of a stage's steps in which the density falls
_NUM_MASKS = 12  # chosen along a ramp
_LARGEST_GRADIENT = 1.0  # its norm; a mini-batch after new masks may have a huge one
_LEAST_DENSITY = 1e-4  # an empty layer has no rate


@dataclass(frozen=True)
class Point:
    """One compressed network.

    Attributes:
        density: Share of the matrices' weights that the masks keep.
        price: λ of its quantization.
        accuracy: Of the decoded network on the validation examples, a fraction.
        report: What became of each tensor, and the bytes of the file.
        tensors: The quantized state dictionary.
    """

    density: float
    price: float
    accuracy: float
    report: CompressionReport
    tensors: Mapping[str, QuantizedTensor | Tensor]

    @property
    def summary(self) -> str:
        """One line."""
        return (
            f"density {self.density:g}, price {self.price:g}: "
            f"{self.report.file_bytes:,} bytes, validation accuracy "
            f"{self.accuracy:.2%}"
        )


def shrink(
    model: nn.Module,
    batches: Batches,
    validate: Callable[[nn.Module], float],
    *,
    densities: Sequence[float],
    prices: Sequence[float],
    num_steps: int,
    learning_rate: float,
    profile: Profile = "max",
    report: Callable[[Point], None] | None = None,
) -> list[Point]:
    """Compress a trained network in stages; it is left as the last stage made it.

    Args:
        model: The trained network, scores before softmax.
        batches: Where the training goes on.
        validate: Returns a network's accuracy on the validation examples.
        densities: Share of weights to keep after each stage, falling.
        prices: λ of the quantization, in the units of ``Pruner.importance`` times a
            squared weight; several are tried after each stage.
        num_steps: Training steps of a stage.
        learning_rate: Its largest.
        profile: Of the files that are weighed.
        report: Is shown every point.

    Returns:
        All points, in the order they were made.

    Raises:
        ValueError: If the densities do not fall.
    """
    if list(densities) != sorted(set(densities), reverse=True):
        raise ValueError(f"densities must fall, got {list(densities)}")
    points = []
    start_density = 1.0
    for density in densities:
        pruner = Pruner(
            model,
            density,
            num_steps=max(1, round(_RAMP * num_steps)),
            interval=max(1, round(_RAMP * num_steps / _NUM_MASKS)),
            start_density=start_density,
            rescales=True,
        )
        train(model, batches, num_steps, learning_rate=learning_rate, pruner=pruner)
        start_density = density
        importance = pruner.importance()
        for price in prices:
            point = _weigh(model, validate, density, price, importance, profile)
            points.append(point)
            if report is not None:
                report(point)
    return points


def smallest(points: Sequence[Point], accuracy: float) -> Point | None:
    """Return the smallest file whose validation accuracy reaches a bound.

    Args:
        points: From ``shrink``.
        accuracy: The bound.

    Returns:
        The point, or ``None`` if none reaches it.
    """
    reached = [point for point in points if point.accuracy >= accuracy]
    return min(reached, key=lambda point: point.report.file_bytes, default=None)


def train(
    model: nn.Module,
    batches: Batches,
    num_steps: int,
    *,
    learning_rate: float,
    pruner: Pruner | None = None,
) -> None:
    """Minimise the cross-entropy with AdamW; the rate rises, then falls to zero.

    Gradients are cut to a norm of at most 1.

    Adam moves every weight alike, so that a neuron of which a twentieth of the weights
    is left moves a twentieth as far. The rate of a pruned layer is therefore divided by
    the root of its density: halfway to what keeps the movement (Dey, Bergsma &
    Hestness 2024, arXiv:2405.15743, Section 3, divide by the density).

    Args:
        model: Scores before softmax; left in training mode.
        batches: Where mini-batches come from.
        num_steps: Steps to do.
        learning_rate: The largest of a layer that is whole.
        pruner: Is told of every step.
    """
    model.train()
    optimizer = torch.optim.AdamW(
        [
            {"params": [parameter], "name": name}
            for name, parameter in model.named_parameters()
        ],
        learning_rate,
        weight_decay=0.0,
        fused=True,
    )
    for step in range(num_steps):
        densities = pruner.densities if pruner is not None else {}
        for group in optimizer.param_groups:
            density = densities.get(group["name"], 1.0)
            rate = learning_rate * _rate(step, num_steps)
            group["lr"] = rate / max(density, _LEAST_DENSITY) ** 0.5
        examples, labels = next(batches)
        optimizer.zero_grad()
        functional.cross_entropy(model(examples), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        if pruner is not None:
            pruner.step()
    optimizer.zero_grad()


def _rate(step: int, num_steps: int) -> float:
    warm_up = max(1.0, _WARM_UP * num_steps)
    falling = 0.5 * (1 + math.cos(math.pi * step / num_steps))
    return min(1.0, (step + 1) / warm_up) * falling


def _weigh(
    model: nn.Module,
    validate: Callable[[nn.Module], float],
    density: float,
    price: float,
    importance: Mapping[str, Tensor],
    profile: Profile,
) -> Point:
    """Quantize a copy of the weights, code them, and try what they decode to."""
    tensors = quantize(model, price=price, importance=importance, vector_bits=8)
    with tempfile.TemporaryDirectory() as folder:
        report = encode_model(tensors, Path(folder) / "a.ccz", profile=profile)
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(dequantized(tensors))
    accuracy = validate(model)
    model.load_state_dict(kept)
    return Point(density, price, accuracy, report, tensors)
