"""Micro-batched cuDNN convolutions beside stock PyTorch, on one GPU.

For DeepBench's layers with windows at a mini-batch of 256, every algorithm of cuDNN is
timed at every power of two (CUDA events), divided under several workspace limits, and
the division is timed in turns with the best undivided algorithm within the limit and
with torch's own convolution (``cudnn.benchmark``, no limit).

* ``gain_vs_best_undivided``, ``gain_vs_torch``: by type and limit in MiB, geometric
  means over the layers, forward. A null result is one.

Without a GPU, and with ``--quick``, only the descriptors are tried.
"""

import math
import statistics
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.measurement import parse_arguments, report
from cocodesign.errors import InfeasiblePlanError
from cocodesign.microbatch.cudnn import CudnnConvolution, CudnnError, cudnn_library
from cocodesign.microbatch.deepbench import window_layers
from cocodesign.microbatch.division import Candidate
from cocodesign.microbatch.planner import best_division, candidate_sizes
from cocodesign.microbatch.problem import ConvProblem

MIB = 1 << 20
LIMITS_MIB = (64, 128, 256, 512)
MINI_BATCH_SIZE = 256
KINDS = (
    ("fp32", "float32", False),
    ("tf32", "float32", True),
    ("bf16", "bfloat16", True),
)
ROUNDS = 9


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    results: dict[str, Any] = {
        "quick": quick,
        "cuda": torch.cuda.is_available(),
        "cudnn": None if cudnn_library() is None else torch.backends.cudnn.version(),
    }
    layers = window_layers(MINI_BATCH_SIZE)[: 2 if quick else None]
    if not torch.cuda.is_available():
        shapes = [
            CudnnConvolution(layer, "forward").output_shape(8) for layer in layers
        ]
        results |= {"reason": "no CUDA device", "described": len(shapes)}
    else:
        torch.backends.cudnn.benchmark = True
        for name, dtype, allows_tf32 in KINDS:
            torch.backends.cudnn.allow_tf32 = allows_tf32
            typed = [with_type(layer, dtype) for layer in layers]
            results[name] = measure(typed, allows_tf32=allows_tf32)
    report(results, json_path=arguments.json)


def with_type(problem: ConvProblem, dtype: str) -> ConvProblem:
    """Return a problem with tensors of another type."""
    return ConvProblem.from_dict({**problem.to_dict(), "dtype": dtype})


def measure(layers: list[ConvProblem], *, allows_tf32: bool) -> dict[str, Any]:
    """Time, plan and compare some layers.

    Args:
        layers: All of one type.
        allows_tf32: Whether single precision may be rounded.

    Returns:
        The mean gains by limit, and every layer's.
    """
    rows: list[dict[str, Any]] = []
    for layer in layers:
        rows += measure_layer(layer, allows_tf32=allows_tf32)
        torch.cuda.empty_cache()
    means: dict[str, dict[str, float]] = {}
    for key in ("gain_vs_best_undivided", "gain_vs_torch"):
        means[key] = {
            str(limit): _mean([row[key] for row in rows if row["limit_mib"] == limit])
            for limit in LIMITS_MIB
        }
    return {**means, "layers": rows}


def measure_layer(problem: ConvProblem, *, allows_tf32: bool) -> list[dict[str, Any]]:
    """Return a row per limit."""
    convolution = CudnnConvolution(problem, "forward", allows_tf32=allows_tf32)
    dtype = getattr(torch, problem.dtype)
    size = problem.mini_batch_size
    x = torch.randn(size, problem.in_channels, *problem.input_size, device="cuda")
    w = torch.randn(problem.weight_shape, device="cuda")
    x, w = x.to(dtype), w.to(dtype)
    y = torch.empty(
        size, problem.out_channels, *problem.output_size, dtype=dtype, device="cuda"
    )
    workspace = torch.empty(max(LIMITS_MIB) * MIB, dtype=torch.uint8, device="cuda")
    candidates: list[Candidate] = []
    for algorithm in convolution.algorithms():
        for count in candidate_sizes(size, "power_of_two"):
            needed = convolution.workspace_bytes(algorithm, count)
            if needed is None or needed > workspace.numel():
                continue

            def once(algorithm: str = algorithm, count: int = count) -> None:
                convolution.run(algorithm, x[:count], w, y[:count], workspace)

            try:
                seconds = statistics.median(_seconds([once], 3)[0])
            except CudnnError:
                continue  # a workspace is known, but not how to compute
            candidates.append(Candidate(algorithm, count, seconds, needed))
    return [
        _row(problem, convolution, candidates, limit, x, w, y, workspace)
        for limit in LIMITS_MIB
    ]


def _row(problem, convolution, candidates, limit, x, w, y, workspace) -> dict[str, Any]:
    """Compare the three sides under one limit."""
    size = problem.mini_batch_size
    whole = [one for one in candidates if one.micro_batch_size == size]
    divided = best_division(candidates, size, limit * MIB)
    try:
        undivided = best_division(whole, size, limit * MIB)
    except InfeasiblePlanError:
        undivided = divided  # nothing fits without dividing: no ratio to boast of
    sides: list[Callable[[], object]] = [
        lambda: convolution.run_parts(divided.parts, x, w, y, workspace),
        lambda: convolution.run_parts(undivided.parts, x, w, y, workspace),
        lambda: torch.convolution(
            x,
            w,
            None,
            problem.stride,
            problem.padding,
            problem.dilation,
            False,  # noqa: FBT003 (not transposed)
            [0, 0],
            1,
        ),
    ]
    ours, best, own = _seconds(sides, ROUNDS)
    return {
        "layer": problem.label,
        "limit_mib": limit,
        "plan": str(divided),
        "best_undivided": str(undivided),
        "gain_vs_best_undivided": _ratio(best, ours),
        "gain_vs_torch": _ratio(own, ours),
    }


def _seconds(sides: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Time the sides in turns by events, after a round that warms up."""
    seconds: list[list[float]] = [[] for _ in sides]
    for number in range(1 + rounds):
        for side, call in enumerate(sides):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            call()
            stop.record()
            stop.synchronize()
            if number:
                seconds[side].append(start.elapsed_time(stop) * 1e-3)
    return seconds


def _ratio(numerator: list[float], denominator: list[float]) -> float:
    pairs = zip(numerator, denominator, strict=True)
    return round(statistics.median(one / other for one, other in pairs), 3)


def _mean(ratios: list[float]) -> float:
    """Return the geometric mean."""
    return round(math.exp(statistics.fmean(map(math.log, ratios))), 3)


if __name__ == "__main__":
    main()
