"""How to sum the outer products of a convolution's patches: with or without them.

``python -m benchmarks.kfac_input_moment [--quick]`` times both ways on shapes of small
and large networks, and says where the rule by which K-FAC chooses is right. Ratios are
correlations over patches (below 1: the correlations are faster). The last line is one
JSON object.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measurement import parse_arguments, report, time_interleaved
from cocodesign.kfac import factors
from cocodesign.kfac.layers import ConvolutionMap
from cocodesign.kfac.layers.correlation import correlated_moment, is_faster
from cocodesign.seeding import random_stream

# Examples, channels, height and width, kernel size.
SHAPES = (
    (128, 3, 32, 3),
    (128, 16, 32, 3),
    (128, 32, 16, 3),
    (128, 64, 8, 3),
    (128, 64, 16, 3),
    (128, 8, 28, 5),
    (64, 128, 8, 3),
    (64, 256, 4, 3),
    (256, 32, 4, 3),
    (256, 4, 14, 3),
)
_QUICK_SHAPES = SHAPES[:4]


def measure(shape: tuple[int, int, int, int], *, rounds: int) -> dict[str, Any]:
    """Time both ways on one shape.

    Args:
        shape: One of ``SHAPES``.
        rounds: Rounds that count.

    Returns:
        The median times, their ratio, and what the rule says.
    """
    num_examples, channels, size, kernel = shape
    module = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
    x = torch.randn(
        num_examples, channels, size, size, generator=random_stream(0, "x")
    ).contiguous(memory_format=torch.channels_last)
    padding = (kernel // 2,) * 4
    picture = nn.functional.pad(x, padding).movedim(1, -1).contiguous()
    weight_map = ConvolutionMap(module)
    window = module.kernel_size, module.stride, module.dilation

    def patches() -> Tensor:
        return factors.second_moment(weight_map.input_rows(x).flatten(0, 1))

    def correlations() -> Tensor:
        return correlated_moment(picture, *window, has_bias=False)

    timings = time_interleaved(
        {"patches": _timed(patches), "correlations": _timed(correlations)},
        rounds=rounds,
    )
    ratio = timings["correlations"].median_s / timings["patches"].median_s
    return {
        "shape": list(shape),
        "ratio": round(ratio, 3),
        "rule_takes_correlations": is_faster(picture.shape, *window),
        **{name: each.to_dict() for name, each in timings.items()},
    }


def _timed(compute: Callable[[], Tensor]) -> Callable[[], float]:
    def run() -> float:
        started_s = time.perf_counter()
        compute()
        return time.perf_counter() - started_s

    return run


def main() -> None:
    """Time all shapes and print what the rule costs against always being right."""
    arguments = parse_arguments(__doc__)
    shapes = _QUICK_SHAPES if arguments.quick else SHAPES
    measured = [measure(shape, rounds=5 if arguments.quick else 11) for shape in shapes]
    right = [
        (each["ratio"] < 1) == each["rule_takes_correlations"] for each in measured
    ]
    report(
        {
            "input_moment_rule_right": sum(right) / len(right),
            "input_moment_median_ratio": statistics.median(
                each["ratio"] for each in measured if each["rule_takes_correlations"]
            ),
            "shapes": measured,
        },
        json_path=arguments.json,
    )


if __name__ == "__main__":
    main()
