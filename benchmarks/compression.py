"""Compression beside its peers: bytes, speed, memory, and hostile files.

* ``max_vs_nncodec``: bytes of profile ``max`` over nncodec's, the worst set; by set in
  ``sets``. Data drawn symbol by symbol cannot be coded below its entropy, which nncodec
  misses by less than 3 %: ``max_vs_nncodec_real`` is the worst set with structure.
* ``fast_vs_entropy``: bytes of profile ``fast`` over the entropy, the worse of the
  unstructured sets; ``fast_decode_gbps``: its fp32-equivalent decoding speed at 4 %;
  ``fast_decode_vs_nncodec``: the worst set.
* ``encode_vs_nncodec``: encoding speed of both profiles over nncodec's, the worst set.
* ``fc_speedup_vs_fp32``, ``fc_speedup_vs_int8``: AlexNet's fully connected stack.
* ``peak_rss``: memory while loading and running over file and packed weights.
* ``lenet_ratio``, ``lenet_error``: LeNet-5 pruned 108 times, no retraining, 6 bits.
* ``hostile_files``, ``hostile_failures``: damaged files and those that went wrong.
* ``lite0``: EfficientNet-Lite0's ImageNet weights at several ratios, no retraining:
  photographs recognised, and how often the best class of a view stayed the same.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.compression_coders import compare_coders
from benchmarks.compression_hostile import try_hostile_files
from benchmarks.compression_kernels import measure_stack
from benchmarks.compression_lite0 import find_lite0, measure_lite0
from benchmarks.compression_memory import measure_memory
from benchmarks.compression_tensors import (
    SHARED,
    read_lenet,
    read_mnist_test,
    tensor_sets,
)
from benchmarks.measurement import report
from cocodesign.compression import decode_model, encode_model, quantize

_SPEED_SET = "fc7_unstructured_4"


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="at most 90 seconds")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    lite0 = find_lite0()
    sets = tensor_sets(lite0, quick=quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, Any] = {
            "quick": quick,
            **measure_lenet(folder),
            **measure_stack(
                folder, rounds=5 if quick else 15, num_steps=2 if quick else 60
            ),
            **try_hostile_files(500 if quick else 10_000),
            **summarize(*compare_coders(sets, rounds=1 if quick else 5)),
        }
        results |= {"peak_rss": None} if quick else measure_memory(folder)
        if lite0 is None:
            results["missing"] = [*results["missing"], "EfficientNet-Lite0's weights"]
        else:
            results |= measure_lite0(lite0, folder, quick=quick)
    report(results, json_path=arguments.json)


def summarize(sets: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """Take the worst set of each figure.

    Args:
        sets: From ``compare_coders``.
        missing: Peers that are not installed.

    Returns:
        The report's keys.
    """
    unstructured = [each for each in sets.values() if not each["structured"]]
    real = [each for each in sets.values() if each["structured"]]
    summary: dict[str, Any] = {
        "fast_vs_entropy": max(each["fast_vs_entropy"] for each in unstructured),
        "fast_decode_gbps": sets[_SPEED_SET]["decode_mb_per_s"]["fast"] / 1e3,
        "max_vs_nncodec": None,
        "max_vs_nncodec_real": None,
        "fast_decode_vs_nncodec": None,
        "encode_vs_nncodec": None,
        "missing": missing,
        "sets": sets,
    }
    if all("max_vs_nncodec" in each for each in sets.values()):
        summary["max_vs_nncodec"] = max(e["max_vs_nncodec"] for e in sets.values())
        summary["max_vs_nncodec_real"] = max(e["max_vs_nncodec"] for e in real)
        summary["fast_decode_vs_nncodec"] = min(
            each["fast_decode_vs_nncodec"] for each in sets.values()
        )
        summary["encode_vs_nncodec"] = {
            profile: round(
                min(
                    e["encode_mb_per_s"][profile] / e["encode_mb_per_s"]["nncodec"]
                    for e in sets.values()
                ),
                2,
            )
            for profile in ("fast", "max")
        }
    return summary


def measure_lenet(folder: Path) -> dict[str, Any]:
    """Code the pruned LeNet-5 without retraining and count its errors on MNIST.

    Args:
        folder: Where the file goes.

    Returns:
        Ratio and error, or ``None`` where the weights are not there.
    """
    if not SHARED.is_dir():
        return {"lenet_ratio": None, "lenet_reason": f"{SHARED} is not there"}
    network = build_lenet(pruned=True)
    tensors = quantize(network, num_bits=6, vector_bits=6)
    found = encode_model(tensors, folder / "lenet.ccz")
    decoded = build_lenet(pruned=True)
    decoded.load_state_dict(decode_model(folder / "lenet.ccz"))
    return {
        "lenet_ratio": round(found.compression_ratio, 1),
        "lenet_bytes": found.file_bytes,
        "lenet_error": lenet_error(decoded),
        "lenet_error_before": lenet_error(network),
    }


def build_lenet(*, pruned: bool) -> nn.Sequential:
    """Return Caffe's LeNet-5 with its weights.

    Args:
        pruned: Those pruned 108 times.

    Returns:
        The network, for images in [0, 1).
    """
    network = nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )
    places = {"conv1": 0, "conv2": 2, "ip1": 5, "ip2": 7}
    state = {}
    for name, weights in read_lenet(pruned=pruned).items():
        layer, kind = name.split(".")
        state[f"{places[layer]}.{kind}"] = torch.tensor(weights)
    network.load_state_dict(state)
    return network


@torch.no_grad()
def lenet_error(network: nn.Module) -> float:
    """Return the share of MNIST's test images that a network gets wrong."""
    images, labels = read_mnist_test()
    inputs = torch.tensor(images)[:, None].float() / 256
    scores = torch.cat([network(part) for part in inputs.split(1000)])
    return round(float((scores.argmax(1) != torch.tensor(labels)).float().mean()), 6)


if __name__ == "__main__":
    main()
