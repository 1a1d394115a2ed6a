"""The skeleton network on one device: agreement with the CPU, throughput, training.

Clips of chance, so that no data is needed: NTU's 25 joints, two persons, 60 classes.

* ``score_difference``: largest difference of a score from the CPU's;
* ``clips_per_s``: evaluation in batches; ``latency_ms``: one clip;
* ``training_clips_per_s``: augmentation, forward, backward and step, in batches of 256.

``--quick`` takes small batches, also on a CPU. The last line is one JSON object.
"""

import torch

from benchmarks.measurement import median_s, parse_arguments, report
from cocodesign.devices import choose_device
from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.skeleton import FineToCoarse, load_layout
from cocodesign.skeleton.fitting import Recipe, fit

_NUM_FRAMES = 64
_NUM_CLASSES = 60


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    device = choose_device("auto")
    layout = load_layout("kinect_v2")
    num_clips, batch = (64, 16) if quick else (4096, 256)
    generator = random_stream(0, "clips")
    clips = torch.randn(num_clips, 4, _NUM_FRAMES, 25, 2, generator=generator)
    clips[:, 3] = 1
    labels = torch.randint(_NUM_CLASSES, (num_clips,), generator=generator)
    with seeded_globally(0, "weights"):
        network = FineToCoarse(layout, _NUM_CLASSES, num_persons=2)
    network(clips[:batch])  # so that normalisation has seen numbers
    expected = network.fused()(clips[:batch])
    there = clips.to(device)
    fused = network.fused().to(device)
    with torch.inference_mode():
        difference = (fused(there[:batch]).cpu() - expected).abs().max().item()
        all_s = median_s(lambda: fused(there), device)
        one_s = median_s(lambda: fused(there[:1]), device)
    network.to(device)
    recipe = Recipe(num_epochs=1, mini_batch_size=batch)
    training_s = median_s(
        lambda: fit(network, there, labels.to(device), layout, recipe, seed=0), device
    )
    results = {
        "device": str(device),
        "quick": quick,
        "score_difference": difference,
        "clips_per_s": round(num_clips / all_s),
        "latency_ms": round(1000 * one_s, 3),
        "training_clips_per_s": round(num_clips / training_s),
    }
    report(results, json_path=arguments.json)


if __name__ == "__main__":
    main()
