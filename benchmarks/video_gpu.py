"""The detector of HD video on one device: agreement with the CPU, frames a second.

* ``score_difference``: largest difference of a class score from the CPU's, on frames of
  noise;
* ``frames_per_s``: NanoDet on batches of 416 x 416; ``latency_ms``: one frame.

``--quick`` takes small batches, also on a CPU. The last line is one JSON object.
"""

import torch

from benchmarks.measurement import median_s, parse_arguments, report
from cocodesign.data import fetch_dataset
from cocodesign.devices import choose_device
from cocodesign.models import GraphModel
from cocodesign.models.detection.nanodet import INPUT_PX, OUTPUTS
from cocodesign.seeding import random_stream


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    device = choose_device("auto")
    num_frames, rounds = (2, 3) if arguments.quick else (64, 20)
    path = fetch_dataset("coco_detectors") / "nanodet.json"
    network = GraphModel.load(path, OUTPUTS).eval()
    frames = torch.randn(
        num_frames, 3, INPUT_PX, INPUT_PX, generator=random_stream(0, "frames")
    )
    with torch.inference_mode():
        expected = network(frames[:1])
        network.to(device)
        there = frames.to(device)
        found = network(there[:1])
        difference = max(
            (one.cpu() - other).abs().max().item()
            for one, other in zip(found[:3], expected[:3], strict=True)
        )
        one_s = median_s(lambda: network(there[:1]), device, rounds=rounds)
        all_s = median_s(lambda: network(there), device, rounds=rounds)
    results = {
        "device": str(device),
        "quick": arguments.quick,
        "score_difference": difference,
        "frames_per_s": round(num_frames / all_s, 1),
        "latency_ms": round(1000 * one_s, 2),
    }
    report(results, json_path=arguments.json)


if __name__ == "__main__":
    main()
