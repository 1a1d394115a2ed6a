"""The events part on one device: agreement with the CPU, concepts, text, search.

Weights are needed from the data cache; nothing is fetched, and what is missing is
reported as missing.

* ``lite0_score_difference``: largest difference of a probability from the CPU's;
  ``lite0_frames_per_s``: concepts and features of prepared frames in batches;
* ``text_difference``: largest difference of a coordinate; ``texts_per_s``;
* ``search_ms``: a text's 30 concepts over a million clips that lie on the device, with
  the best hundred.

``--quick`` takes small numbers, also on a CPU. The last line is one JSON object.
"""

from typing import Any

import torch

from benchmarks.measurement import median_s, parse_arguments, report
from cocodesign.data.fetching import cached_dataset
from cocodesign.devices import choose_device
from cocodesign.errors import DataUnavailableError
from cocodesign.models import EfficientNetLite, TextEncoder
from cocodesign.seeding import random_stream

_WEIGHTS = "efficientnet-lite0-57934424.pth"
_NUM_CONCEPTS = 1080
_NUM_RELEVANT = 30
_TEXTS = ("a birthday party", "somebody repairs a bicycle", "birds at a lake")


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    device = choose_device("auto")
    results: dict[str, Any] = {"device": str(device), "quick": quick}
    for measure in (measure_concepts, measure_texts):
        try:
            results |= measure(device, quick=quick)
        except DataUnavailableError as error:
            results.setdefault("missing", []).append(str(error))
    results |= measure_search(device, quick=quick)
    report(results, json_path=arguments.json)


def measure_concepts(device: torch.device, *, quick: bool) -> dict[str, float]:
    """Time EfficientNet-Lite0 in batches.

    Args:
        device: Where.
        quick: One small batch.

    Returns:
        The results by key.
    """
    network = EfficientNetLite.load(cached_dataset("efficientnet_lite0") / _WEIGHTS)
    frames = torch.randn(
        4 if quick else 256, 3, 224, 224, generator=random_stream(0, "frames")
    )
    with torch.inference_mode():
        expected = network(frames[:4])[0].softmax(1)
        network.to(device)
        there = frames.to(device)
        difference = (network(there[:4])[0].softmax(1).cpu() - expected).abs().max()
        seconds = median_s(lambda: network(there), device)
    return {
        "lite0_score_difference": difference.item(),
        "lite0_frames_per_s": round(len(frames) / seconds, 1),
    }


def measure_texts(device: torch.device, *, quick: bool) -> dict[str, float]:
    """Time the encoder of event texts.

    Args:
        device: Where.
        quick: Few texts.

    Returns:
        The results by key.
    """
    folder = cached_dataset("minilm")
    texts = _TEXTS * (2 if quick else 200)
    encoder = TextEncoder(folder, device=device)
    difference = encoder.encode(_TEXTS) - TextEncoder(folder).encode(_TEXTS)
    seconds = median_s(lambda: encoder.encode(texts), device)
    return {
        "text_difference": difference.abs().max().item(),
        "texts_per_s": round(len(texts) / seconds, 1),
    }


def measure_search(device: torch.device, *, quick: bool) -> dict[str, float]:
    """Time a search in scores that lie on the device.

    Args:
        device: Where.
        quick: Ten thousand clips in place of a million.

    Returns:
        The results by key.
    """
    num_clips = 10_000 if quick else 1_000_000
    generator = torch.Generator(device).manual_seed(0)
    z = torch.rand(
        _NUM_CONCEPTS, num_clips, generator=generator, device=device
    ).half()  # concept by concept, so that a query reads only what it weighs
    weights = torch.rand(_NUM_RELEVANT, generator=generator, device=device).half()
    relevant = torch.arange(_NUM_RELEVANT, device=device) * 7

    def search() -> torch.Tensor:
        return (weights @ z[relevant]).topk(100).indices

    return {
        "num_searched_clips": num_clips,
        "search_ms": round(1000 * median_s(search, device), 3),
    }


if __name__ == "__main__":
    main()
