"""Skeleton actions: accuracy by the official protocols, size, speed, robustness.

* ``sbu_accuracy``, ``utkinect_accuracy``: per cent of right answers, mean of the seeds
  (5; one with ``--quick``, and only some folds), last epoch, one recipe for all, with
  ``…_interval``: Wilson's 95 % interval for that many clips;
* ``…_floor``: kernel ridge regression on the same clips;
* ``…_loss_points``: percentage points lost with 4 or 8 of 20 joints (a fifth, two
  fifths), an arm or half of the frames missing in all test clips, without retraining;
* ``body_tree_advantage_points``: over random parts and over a flat CNN of equal size,
  with its paired 95 % interval over the clips;
* ``parameters``; ``latency_ms``: one clip of 64 frames, one thread; ``clips_per_s``:
all
  cores; ``onnx_difference``: largest difference of a score.

SBU and UTKinect are looked for in ``../shared/data/skeleton``; where they are absent
their keys are null. ``pose_kit`` comes from the data cache, and is fetched. The last
line is one JSON object.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.measurement import parse_arguments, report
from benchmarks.skeleton_floor import floor_accuracy
from cocodesign.data import fetch_dataset
from cocodesign.project import find_project
from cocodesign.skeleton import (
    FineToCoarse,
    Recognizer,
    SkeletonDataset,
    load_layout,
    read_skeletons,
)
from cocodesign.skeleton.evaluation import cross_validate
from cocodesign.skeleton.outcomes import Evaluation, Interval
from cocodesign.skeleton.protocols import Fold, official_folds
from cocodesign.skeleton.recognizer import NUM_FRAMES

_ABLATIONS = ("random_parts", "flat")
_TIMED_FRAMES = 64  # twice as many as a recognizer takes


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    results: dict[str, Any] = {"quick": quick, **measure_speed()}
    for name, dataset in find_datasets().items():
        results |= measure_accuracy(name, dataset, quick=quick)
        print(f"{name}: done", file=sys.stderr, flush=True)
    report(results, json_path=arguments.json)


def find_datasets() -> dict[str, SkeletonDataset | None]:
    """Return the data sets by name, ``None`` for one that is not here."""
    shared = find_project().root.parent / "shared" / "data" / "skeleton"
    folders = {"sbu": shared / "SBU", "utkinect": shared / "UTKinect"}
    found = {
        name: read_skeletons(folder) if folder.is_dir() else None
        for name, folder in folders.items()
    }
    return {**found, "pose_kit": read_skeletons(fetch_dataset("pose_kit"))}


def measure_accuracy(
    name: str, dataset: SkeletonDataset | None, *, quick: bool
) -> dict[str, Any]:
    """Cross-validate the network and, unless it shall be quick, its ablations.

    Args:
        name: Prefix of the keys.
        dataset: The clips, ``None`` if they are not here.
        quick: One seed and one fold.

    Returns:
        The results by key.
    """
    if dataset is None:
        return {f"{name}_accuracy": None, f"{name}_interval": None}
    folds = official_folds(dataset)
    chosen = folds[:1] if quick else folds
    seeds = range(1 if quick else 5)
    found = cross_validate(dataset, seeds=seeds, folds=chosen, report=_log)
    results: dict[str, Any] = {
        f"{name}_accuracy": _percent(statistics.fmean(found.accuracies())),
        f"{name}_accuracy_by_seed": [_percent(each) for each in found.accuracies()],
        f"{name}_interval": _percents(found.clip_interval())[1:],
        f"{name}_folds": f"{len(chosen)} of {len(folds)}",
        f"{name}_floor": _percent(floor_accuracy(dataset, chosen)),
        f"{name}_fold_s": round(found.training_s / (len(seeds) * len(chosen)), 1),
        f"{name}_parameters": found.num_parameters,
        f"{name}_loss_points": {
            damage: _percent(statistics.fmean(found.losses(damage)))
            for damage in found.damages
        },
    }
    if not quick and name != "pose_kit":
        results[f"{name}_body_tree_advantage_points"] = compare_with_ablations(
            dataset, found, chosen, seeds
        )
    return results


def compare_with_ablations(
    dataset: SkeletonDataset,
    found: Evaluation,
    folds: Sequence[Fold],
    seeds: Sequence[int],
) -> dict[str, list[float]]:
    """Return by how much the real body tree is better, with its interval.

    Args:
        dataset: The clips.
        found: The answers of the network itself.
        folds: Their divisions.
        seeds: The seeds of ``found``.

    Returns:
        Mean, lower and upper bound in percentage points, by ablation.
    """
    return {
        variant: _percents(
            found.advantage_over(
                cross_validate(
                    dataset,
                    seeds=seeds,
                    folds=folds,
                    variant=variant,
                    damages={},
                    report=_log,
                )
            )
        )
        for variant in _ABLATIONS
    }


def measure_speed() -> dict[str, Any]:
    """Return size, latency, throughput and the difference of the exported network."""
    layout = load_layout("kinect_v1")
    network = FineToCoarse(layout, 60)
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(
        256, 4, _TIMED_FRAMES, layout.num_joints, 1, generator=generator
    )
    clips[:, 3] = 1
    network(clips)  # so that normalisation has seen numbers
    fused = network.fused()
    num_threads = torch.get_num_threads()
    with torch.inference_mode():
        torch.set_num_threads(1)
        latency_s = _median_s(lambda: fused(clips[:1]), repeats=200)
        torch.set_num_threads(os.cpu_count() or 1)
        batch_s = _median_s(lambda: fused(clips), repeats=20)
    torch.set_num_threads(num_threads)
    pair = FineToCoarse(layout, 60, num_persons=2)
    return {
        "parameters": max(_size(network), _size(pair)),
        "latency_ms": round(1000 * latency_s, 3),
        "clips_per_s": round(len(clips) / batch_s),
        "onnx_difference": _onnx_difference(network, clips[:4, :, :NUM_FRAMES]),
    }


def _onnx_difference(network: FineToCoarse, clips: torch.Tensor) -> float | None:
    """Return the largest difference of a score, ``None`` without ONNX Runtime."""
    try:
        import onnxruntime
    except ImportError:
        return None
    recognizer = Recognizer(
        network.eval(), load_layout("kinect_v1"), map(str, range(60))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        recognizer.export_onnx(path)
        session = onnxruntime.InferenceSession(path.read_bytes())
    (scores,) = session.run(None, {"clips": clips.numpy()})
    return float((network(clips).detach() - torch.from_numpy(scores)).abs().max())


def _median_s(work: Callable[[], object], *, repeats: int) -> float:
    for _ in range(max(3, repeats // 10)):
        work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _size(network: torch.nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def _percent(fraction: float) -> float:
    return round(100 * fraction, 2)


def _percents(interval: Interval) -> list[float]:
    return [_percent(each) for each in (interval.value, interval.low, interval.high)]


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
