"""Packed layers on one device: agreement with the CPU, latency beside fp32 and fp16.

AlexNet's fully connected stack with weights of chance, 4 % of them kept at 5 bits, so
that no data is needed; half of the inputs are zero, as after a ReLU.

* ``packed_difference``: largest difference of an output from the CPU's packed layers,
  relative to the largest output;
* ``fc_us``: one pass in microseconds, by batch and form (``packed``, ``fp32``,
  ``fp16``); ``fc_speedup_vs_fp32`` and ``fc_speedup_vs_fp16`` at batch 1;
* ``packed_bytes``, ``fp32_bytes``: what the weights take on the device;
* ``pruning_step_overhead``: time of a training step with a ``Pruner`` over without.

On a CUDA device packed layers need CuPy; without it they are reported as missing.
``--quick`` takes small layers, also on a CPU. The last line is one JSON object.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measurement import parse_arguments, report, wait_for
from cocodesign.compression import (
    Pruner,
    encode_model,
    load_compressed,
    prune,
    quantize,
)
from cocodesign.devices import choose_device
from cocodesign.seeding import random_stream, seeded_globally

DENSITY = 0.04
_BATCHES = (1, 64)
_WIDTHS, _QUICK_WIDTHS = (9216, 4096, 4096, 1000), (512, 256, 256, 10)
_ROUNDS, _PASSES = 7, 20


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    device = choose_device("auto")
    widths = _QUICK_WIDTHS if arguments.quick else _WIDTHS
    with seeded_globally(0, "weights"):
        dense = _stack(widths)
    results = {
        "device": str(device),
        "quick": arguments.quick,
        "density": DENSITY,
        **measure_pruning(copy.deepcopy(dense).to(device), widths[0]),
        **measure_stack(dense, widths[0], device),
    }
    report(results, json_path=arguments.json)


def measure_stack(
    dense: nn.Sequential, num_inputs: int, device: torch.device
) -> dict[str, Any]:
    """Time the stack in each form on a device.

    Args:
        dense: The stack; it is pruned.
        num_inputs: Its width.
        device: Where.

    Returns:
        The report's keys.
    """
    prune(dense, DENSITY)
    inputs = {n: _activations(n, num_inputs) for n in _BATCHES}
    stacks: dict[str, nn.Module] = {"fp32": copy.deepcopy(dense).to(device)}
    if device.type == "cuda":
        stacks["fp16"] = copy.deepcopy(dense).to(device).half()
    results: dict[str, Any] = {"missing": []}
    if device.type == "cuda" and find_spec("cupy") is None:
        results["missing"].append("packed layers: cupy")
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stack.ccz"
            encode_model(quantize(dense, num_bits=5), path, profile="fast")
            here = load_compressed(path, copy.deepcopy(dense))
            stacks["packed"] = load_compressed(
                path, copy.deepcopy(dense), device=device
            )
        expected = here(inputs[64])
        difference = stacks["packed"](inputs[64].to(device)).cpu() - expected
        results["packed_difference"] = float(difference.abs().max() / expected.max())
        results["packed_bytes"] = sum(each.num_bytes for each in here if _packed(each))
    us = {
        str(n): _interleaved_us(stacks, batch.to(device), device)
        for n, batch in inputs.items()
    }
    one = us["1"]
    speedups = {
        f"fc_speedup_vs_{rival}": round(one[rival] / one["packed"], 2)
        for rival in ("fp32", "fp16")
        if rival in one and "packed" in one
    }
    fp32_bytes = sum(each.nbytes for each in dense.parameters())
    return results | {"fc_us": us, "fp32_bytes": fp32_bytes} | speedups


def measure_pruning(model: nn.Module, num_inputs: int) -> dict[str, Any]:
    """Time training steps with and without masks on the model's device.

    Args:
        model: It is trained.
        num_inputs: Its width.

    Returns:
        The overhead as a factor.
    """
    device = next(model.parameters()).device
    x = _activations(64, num_inputs).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=True)
    pruner = Pruner(model, DENSITY, num_steps=10_000)

    def plain() -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    def masked() -> None:
        plain()
        pruner.step()

    steps = {"plain": plain, "masked": masked}
    seconds = {name: [] for name in steps}
    for _ in range(_ROUNDS):
        for name, step in steps.items():
            seconds[name].append(_seconds(step, device, passes=10))
    medians = {name: statistics.median(each[1:]) for name, each in seconds.items()}
    return {"pruning_step_overhead": round(medians["masked"] / medians["plain"], 3)}


def _stack(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def _activations(num: int, width: int) -> Tensor:
    return torch.randn(num, width, generator=random_stream(num, "inputs")).relu()


def _packed(module: nn.Module) -> bool:
    return hasattr(module, "num_bytes")


def _interleaved_us(
    stacks: Mapping[str, nn.Module], inputs: Tensor, device: torch.device
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in stacks}
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            for name, stack in stacks.items():
                x = inputs.half() if name == "fp16" else inputs
                elapsed_s = _seconds(lambda s=stack, x=x: s(x), device, passes=_PASSES)
                seconds[name].append(elapsed_s / _PASSES)
    return {
        name: round(1e6 * statistics.median(each[1:]), 1)
        for name, each in seconds.items()
    }


def _seconds(work: Callable[[], object], device: torch.device, *, passes: int) -> float:
    wait_for(device)
    started = time.perf_counter()
    for _ in range(passes):
        work()
    wait_for(device)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
