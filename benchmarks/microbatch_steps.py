"""Whole training steps of AlexNet and ResNet-18, planned within torch's own memory."""

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from cocodesign.microbatch import apply_plan, plan_model
from cocodesign.microbatch.step import measure_peak
from cocodesign.microbatch.timings import Timings

Loss = Callable[[Tensor], Tensor]
# Name, maker, mini-batch and picture size, and the same for --quick.
NETWORKS = (
    ("alexnet", torchvision.models.alexnet, (64, 224), (8, 112)),
    ("resnet18", torchvision.models.resnet18, (64, 112), (8, 64)),
)


def measure_steps(timings: Timings, *, quick: bool) -> dict[str, Any]:
    """Time both networks' steps with and without a plan, in turns.

    Args:
        timings: What is known already.
        quick: Whether to take small mini-batches and few rounds.

    Returns:
        The gains with their spread, the peaks and the errors.
    """
    results: dict[str, Any] = {"steps": {}}
    for name, make, full, small in NETWORKS:
        num_examples, size = small if quick else full
        measured = _measure_step(make, num_examples, size, timings, 3 if quick else 7)
        results[f"{name}_step_gain_vs_torch"] = measured["gain"]
        results["steps"][name] = measured
        print(name, measured, flush=True)
    steps = results["steps"].values()
    results["peak_error_fraction"] = max(step["peak_error_fraction"] for step in steps)
    results["gradient_error"] = max(step["gradient_error"] for step in steps)
    return results


def _measure_step(
    make: Callable[..., nn.Module],
    num_examples: int,
    size: int,
    timings: Timings,
    rounds: int,
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(num_examples, 3, size, size).normal_(generator=generator)
    labels = torch.randint(1000, (num_examples,), generator=generator)

    def loss(y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(y, labels)

    native = make(num_classes=1000).train()
    for module in native.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # both sides shall compute the same gradients
    own_peak = measure_peak(native, x, loss=loss).peak_bytes
    plan = plan_model(native, x, step_limit_bytes=own_peak, loss=loss, timings=timings)
    planned = apply_plan(copy.deepcopy(native), plan)
    peak = measure_peak(planned, x, loss=loss).peak_bytes
    assert plan.predicted_peak_bytes is not None
    ratios = _interleaved(native, planned, x, loss, rounds)
    return {
        "gain": round(statistics.median(ratios), 3),
        "gain_low": round(min(ratios), 3),
        "gain_high": round(max(ratios), 3),
        "mini_batch_size": num_examples,
        "picture_px": size,
        "peak_bytes_torch": own_peak,
        "peak_bytes": peak,
        "predicted_peak_bytes": plan.predicted_peak_bytes,
        "peak_error_fraction": round(abs(plan.predicted_peak_bytes - peak) / peak, 4),
        "gradient_error": _gradient_error(native, planned, x, loss),
        "divided_kernels": sum(
            not division.is_undivided
            for layer in plan.layers
            for division in layer.divisions.values()
        ),
        "kernels": sum(len(layer.divisions) for layer in plan.layers),
    }


def _interleaved(
    native: nn.Module, planned: nn.Module, x: Tensor, loss: Loss, rounds: int
) -> list[float]:
    """Return torch's time over the plan's, round by round."""
    models = [copy.deepcopy(native), copy.deepcopy(planned)]  # training moves them
    optimizers = [torch.optim.SGD(model.parameters(), 1e-4) for model in models]
    ratios: list[float] = []
    for number in range(1 + rounds):
        seconds = [0.0, 0.0]
        for side in (0, 1) if number % 2 else (1, 0):
            started = time.process_time()
            optimizers[side].zero_grad()
            loss(models[side](x)).backward()
            optimizers[side].step()
            seconds[side] = time.process_time() - started
        if number:  # the first round warms up
            ratios.append(seconds[0] / seconds[1])
    return ratios


def _gradient_error(
    native: nn.Module, planned: nn.Module, x: Tensor, loss: Loss
) -> float:
    """Return the largest difference of a weight's gradient, relative to its largest."""
    for model in (native, planned):
        model.zero_grad()
        loss(model(x)).backward()
    errors = [
        ((one.grad - other.grad).abs().max() / one.grad.abs().max()).item()
        for one, other in zip(native.parameters(), planned.parameters(), strict=True)
        if one.ndim > 1
    ]
    return max(errors)
