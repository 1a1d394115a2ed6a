"""The three networks that are compared at equal bytes, and how they are made.

*Dense*: far too large. *Compressed*: the dense one, pruned and quantized, in a file of
a given ratio. *Compact*: of the same family, so narrow that its file is no larger. All
three see as many mini-batches under the same defence.
"""

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from cocodesign.compression import Pruner, decode_model, encode_model, quantize
from cocodesign.compression.budget import price_for_file
from cocodesign.compression.centroids import CentroidTrainer
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.compression.report import CompressionReport
from cocodesign.compression.tensor_coding import Profile
from cocodesign.robustness.defences import Defence
from cocodesign.robustness.hardening import learn_masks, train, tune_values
from cocodesign.robustness_study.networks import StridedNet
from cocodesign.robustness_study.pictures import Pictures
from cocodesign.seeding import random_stream, seeded_globally

_COMPACT_BITS = (8, 7, 6, 5)  # the most that fit
_VECTOR_BITS = 8
_TRAINED_SHARE = 0.85  # about: what training leaves of the bytes of first weights
_TUNING_SHARE = 0.1  # of the steps after the first training go to the values
_TUNING_RATE = 1e-3
_NUM_RETRIES = 5  # to quantize, since tuned values may take more bytes than before


@dataclass(frozen=True)
class Plan:
    """How the arms are made.

    Attributes:
        channels: Of the dense network's first convolution.
        num_hidden: Width of its first linear layer.
        num_steps: Training steps of the dense network before compression.
        num_more_steps: Steps after that: of pruning and tuning, or of going on.
        mini_batch_size: Pictures a step.
        learning_rate: The largest; it rises and falls twice, before compression and
            from then on.
        density: Share of weights that pruning keeps.
        learns_scores: Whether scores learned under the defence choose the weights
            instead of magnitude and sensitivity.
        ratio: Bytes of the dense network's weights over bytes of the compressed file,
            at least; the price of a bit is the lowest that reaches it.
    """

    channels: int
    num_hidden: int
    num_steps: int
    num_more_steps: int
    mini_batch_size: int
    learning_rate: float
    density: float
    learns_scores: bool
    ratio: float


@dataclass(frozen=True)
class Arm:
    """One network with the file it came from.

    Attributes:
        name: ``"dense"``, ``"compressed"`` or ``"compact"``.
        network: What its file decodes to; of the dense one, itself.
        file_bytes: Of its file; of the dense one, its float32 weights.
        report: Of its file, ``None`` for the dense one.
    """

    name: str
    network: nn.Module
    file_bytes: int
    report: CompressionReport | None


def make_arms(
    plan: Plan, pictures: Pictures, defence: Defence, seed: int
) -> dict[str, Arm]:
    """Train and compress.

    Args:
        plan: How.
        pictures: What to learn by.
        defence: Of all three networks.
        seed: Of weights, mini-batches and attacks.

    Returns:
        The arms by name.

    Raises:
        ValueError: If quantization does not reach the ratio, or even the narrowest
            network is larger than the compressed file.
    """
    device = pictures.train[0].device
    generator = random_stream(seed, "defence", device)
    with seeded_globally(seed, "robustness"):
        network = _network(pictures, plan.channels, plan.num_hidden).to(device)
    batches = pictures.batches(seed, plan.mini_batch_size)
    train(
        network,
        batches,
        defence,
        generator,
        num_steps=plan.num_steps,
        learning_rate=plan.learning_rate,
    )
    dense = copy.deepcopy(network)
    train(
        dense,
        batches,
        defence,
        generator,
        num_steps=plan.num_more_steps,
        learning_rate=plan.learning_rate,
    )
    compressed = _compress(network, plan, pictures, defence, seed)
    compact = _compact(compressed.file_bytes, plan, pictures, defence, seed)
    arms = (Arm("dense", dense.eval(), _num_bytes(dense), None), compressed, compact)
    return {arm.name: arm for arm in arms}


def _network(pictures: Pictures, channels: int, num_hidden: int) -> StridedNet:
    return StridedNet(
        pictures.image_shape,
        pictures.num_classes,
        channels=channels,
        num_hidden=num_hidden,
    )


def _compress(
    network: nn.Module, plan: Plan, pictures: Pictures, defence: Defence, seed: int
) -> Arm:
    """Prune under attack, quantize to the ratio, tune what the symbols stand for."""
    generator = random_stream(seed, "compression", pictures.train[0].device)
    batches = pictures.batches(seed + 1_000_000, plan.mini_batch_size)
    num_tuning = round(_TUNING_SHARE * plan.num_more_steps)
    left = plan.num_more_steps - num_tuning
    learning_rate = plan.learning_rate
    masks = None
    if plan.learns_scores:
        masks = learn_masks(
            network,
            batches,
            defence,
            generator,
            density=plan.density,
            num_steps=left // 3,
            learning_rate=learning_rate,
        )
        left -= left // 3
    pruner = Pruner(
        network,
        plan.density,
        num_steps=max(1, left // 2),
        interval=max(1, left // 30),
        masks=masks,
    )
    train(
        network,
        batches,
        defence,
        generator,
        num_steps=left,
        learning_rate=learning_rate,
        after_step=pruner.step,
    )
    importance = pruner.importance()

    def tuned(most_bytes: float) -> Arm:
        copied = copy.deepcopy(network)
        trainer = _quantized(copied, importance, most_bytes)
        tune_values(
            trainer,
            copied,
            pictures.batches(seed + 2_000_000, plan.mini_batch_size),
            defence,
            random_stream(seed, "tuning", pictures.train[0].device),
            num_steps=num_tuning,
        )
        return _coded("compressed", copied, _packed(trainer))

    most_bytes = goal = _num_bytes(network) / plan.ratio
    arm = tuned(goal)
    for _ in range(_NUM_RETRIES):
        if arm.file_bytes <= most_bytes:
            return arm
        goal *= (most_bytes / arm.file_bytes) ** 2
        arm = tuned(goal)
    raise ValueError(
        f"after tuning the file takes {arm.file_bytes:,} bytes instead of "
        f"{most_bytes:,.0f}: lower the ratio {plan.ratio:g}"
    )


def _quantized(
    network: nn.Module, importance: Mapping[str, Tensor], most_bytes: float
) -> CentroidTrainer:
    """Quantize a network as finely as the bytes of its file allow."""

    def at(price: float, model: nn.Module) -> CentroidTrainer:
        tensors = quantize(network, price=price, importance=importance)
        return CentroidTrainer(model, tensors, lr=_TUNING_RATE)

    copied = copy.deepcopy(network)
    price = price_for_file(
        lambda price: _file_bytes(_packed(at(price, copied))), most_bytes
    )
    return at(price, network)


def _packed(trainer: CentroidTrainer) -> dict[str, QuantizedTensor | Tensor]:
    """Return a trainer's tensors with biases of a byte each."""
    tensors = trainer.tensors()
    biases = {name: each for name, each in tensors.items() if isinstance(each, Tensor)}
    return {**tensors, **quantize(biases, vector_bits=_VECTOR_BITS)}


def _num_bytes(network: nn.Module) -> int:
    return sum(4 * parameter.numel() for parameter in network.parameters())


def _compact(
    most_bytes: int, plan: Plan, pictures: Pictures, defence: Defence, seed: int
) -> Arm:
    """Train the widest network of the family whose file is no larger."""
    with seeded_globally(seed, "compact"):
        network = _widest(round(most_bytes / _TRAINED_SHARE), plan, pictures)
    network = network.to(pictures.train[0].device)
    train(
        network,
        pictures.batches(seed, plan.mini_batch_size),
        defence,
        random_stream(seed, "defence", pictures.train[0].device),
        num_steps=plan.num_steps + plan.num_more_steps,
        learning_rate=plan.learning_rate,
    )
    for num_bits in _COMPACT_BITS:
        weights = quantize(network, num_bits=num_bits, vector_bits=_VECTOR_BITS)
        arm = _coded("compact", network, weights)
        if arm.file_bytes <= most_bytes:
            return arm
    raise ValueError(f"the compact network does not fit into {most_bytes} bytes")


def _widest(most_bytes: int, plan: Plan, pictures: Pictures) -> StridedNet:
    """Return an untrained network whose file is as large as allowed."""
    for channels in range(plan.channels, 0, -1):
        proportional = max(2, plan.num_hidden * channels // plan.channels)
        if _first_bytes(_network(pictures, channels, proportional)) > most_bytes:
            continue
        low, high = proportional, 2 * proportional  # the first fits
        while high - low > 1:
            middle = (low + high) // 2
            fits = _first_bytes(_network(pictures, channels, middle)) <= most_bytes
            low, high = (middle, high) if fits else (low, middle)
        return _network(pictures, channels, low)
    raise ValueError(f"no network of the family fits into {most_bytes} bytes")


def _first_bytes(network: nn.Module) -> int:
    weights = quantize(network, num_bits=_COMPACT_BITS[0], vector_bits=_VECTOR_BITS)
    return _file_bytes(weights, profile="fast")


def _file_bytes(
    tensors: Mapping[str, QuantizedTensor | Tensor], profile: Profile = "max"
) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.ccz"
        return encode_model(tensors, path, profile=profile).file_bytes


def _coded(
    name: str, network: nn.Module, tensors: Mapping[str, QuantizedTensor | Tensor]
) -> Arm:
    """Write a file, weigh it, and return what it decodes to."""
    device = next(network.parameters()).device
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.ccz"
        report = encode_model(tensors, path)
        decoded = copy.deepcopy(network)
        decoded.load_state_dict(decode_model(path))
    return Arm(name, decoded.to(device).eval(), report.file_bytes, report)
