"""AlexNet's fully connected stack from the packed form, beside fp32 and int8.

The network is torchvision's AlexNet, trained for a moment on Fashion-MNIST at 64×64, so
that weights and activations are those of a network that computes something; then its
linear layers are pruned to 4 % by magnitude. Batch 1, one thread. The rival of interest
is int8: weights of 8 bits, activations quantized on the fly.
"""

import copy
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import alexnet

from benchmarks.measurement import time_interleaved
from cocodesign.compression import encode_model, load_compressed, prune, quantize
from cocodesign.data import load_dataset

DENSITY = 0.04
_IMAGES_PER_STEP = 32


def measure_stack(folder: Path, *, rounds: int, num_steps: int) -> dict[str, Any]:
    """Time the stack in its three forms on real activations.

    Args:
        folder: Where the compressed file goes.
        rounds: Rounds that count.
        num_steps: Training steps.

    Returns:
        Speed-ups, milliseconds, and how many activations are zero.
    """
    torch.set_num_threads(1)
    images, labels = _fashion_images(_IMAGES_PER_STEP * num_steps + 64)
    model = _train_briefly(images[:-64], labels, num_steps)
    linear = ("classifier.1", "classifier.4", "classifier.6")
    prune(model, {f"{name}.weight": DENSITY for name in linear})
    path = folder / "alexnet.ccz"
    encode_model(quantize(model, num_bits=5), path, profile="fast")
    packed = load_compressed(path, copy.deepcopy(model))
    with torch.no_grad():
        activations = functional.relu(model.avgpool(model.features(images[-64:])))
        inputs = activations.flatten(1)
    stacks = {"packed": packed.classifier, "fp32": model.classifier}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stacks["int8"] = torch.ao.quantization.quantize_dynamic(
            copy.deepcopy(model.classifier), {nn.Linear}, torch.qint8
        )
    _check_outputs(stacks, inputs)
    timings = time_interleaved(
        {name: _pass_through(stack, inputs) for name, stack in stacks.items()},
        rounds=rounds,
    )
    ms = {name: each.median_s / len(inputs) * 1e3 for name, each in timings.items()}
    return {
        "fc_speedup_vs_fp32": round(ms["fp32"] / ms["packed"], 2),
        "fc_speedup_vs_int8": round(ms["int8"] / ms["packed"], 2),
        "fc_ms": {name: round(value, 3) for name, value in ms.items()},
        "fc_density": DENSITY,
        "fc_input_nonzero_fraction": _nonzero_inputs(packed.classifier, inputs),
    }


def _fashion_images(num: int) -> tuple[Tensor, Tensor]:
    dataset = load_dataset("fashion_mnist", download=False)
    images = dataset.normalised()[0][:num]
    return functional.interpolate(images, 64).expand(-1, 3, -1, -1), (
        dataset.train.labels[:num]
    )


def _train_briefly(images: Tensor, labels: Tensor, num_steps: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        model = alexnet(num_classes=1000)
        optimizer = torch.optim.AdamW(model.parameters(), 2e-4, foreach=True)
        for step in range(num_steps):
            chosen = slice(_IMAGES_PER_STEP * step, _IMAGES_PER_STEP * (step + 1))
            loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def _pass_through(stack: nn.Module, inputs: Tensor):
    @torch.no_grad()
    def measure() -> float:
        start = time.perf_counter()
        for row in inputs:
            stack(row[None])
        return time.perf_counter() - start

    return measure


@torch.no_grad()
def _check_outputs(stacks: dict[str, nn.Module], inputs: Tensor) -> None:
    expected = stacks["fp32"](inputs)
    error = (stacks["packed"](inputs) - expected).abs().max() / expected.abs().max()
    if error > 0.2:  # 5 bits of the weights; the activations are exact
        raise RuntimeError(f"the packed stack is off by {error:.0%}")


@torch.no_grad()
def _nonzero_inputs(stack: nn.Sequential, inputs: Tensor) -> list[float]:
    """Return the share of inputs that are not zero, by linear layer."""
    shares = []
    for layer in stack:
        if not isinstance(layer, nn.Dropout | nn.ReLU):
            shares.append(round(float((inputs != 0).float().mean()), 3))
        inputs = layer(inputs)
    return shares
