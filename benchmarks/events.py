"""Events from a description and few examples: accuracy, honesty, speed.

* ``regret``: the most points of mean average precision (mAP) that fusing costs against
  the better of zero-shot and few-shot, over k in {0, 1, 2, 5, 10} examples and both
  protocols, averaged over 3 seeds; ``regret_by_seed``;
* ``gain_k1``, ``gain_k10``: points over the better single one, shared examples, with
  ``…_interval``: 95 % by bootstrap over the events;
* ``zero_shot_vs_tokyotech``: ratio of mAPs, without examples;
* ``map``: per cent, by method, protocol and k;
* ``calibration_error``, ``tail_calibration_error``: of the probabilities with 10 shared
  examples, over all predictions and over those above 0.1;
* ``evidence_cost``, ``random_cost``: share of the probability that a detected clip
  loses without the three frames named as evidence, and without three random ones;
  ``…_score_cost``: the same of the zero-shot score;
* ``extraction_frames_per_s``: from 720p, every frame, all cores, by bank;
  ``query_ms``, ``kit_query_ms``: a new text, or an event kit, over an index of 10,000
  clips, to ranks and probabilities; ``memory_growth_mb``: over an hour;
* ``lite0_top1``, ``lite0_top5``: right of 20 photographs; ``nanodet_ap50``: on the
  street scene, every 16th of 400 frames, ``None`` without the given boxes.

The clips are composed and indexed once, under the data folder. ``--quick`` takes one
seed and four events. The last line is one JSON object.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.events_speed import measure_speed
from benchmarks.measurement import parse_arguments, report
from cocodesign.data import data_home, fetch_dataset
from cocodesign.events.frames import sample_frames
from cocodesign.events.opening import open_banks
from cocodesign.events.outcomes import (
    bootstrap_gain,
    gain,
    mean_by_condition,
    regret,
    zero_shot_ratio,
)
from cocodesign.events_study import StampStudy, study_stamps
from cocodesign.models import open_detector
from cocodesign.models.detection import Detections, box_average_precision
from cocodesign.models.detection.classes import COCO_CLASSES
from cocodesign.project import find_project

_FRAME_STEP = 16
_NUM_GIVEN_FRAMES = 400


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    results: dict[str, Any] = {"quick": quick}
    results |= {"num_cores": os.cpu_count(), **measure_speed(quick=quick)}
    _log("speed: done")
    results |= {**measure_networks()}
    _log("networks: done")
    study = study_stamps(
        fetch_dataset,
        data_home() / "stamp_events",
        seeds=range(1 if quick else 3),
        num_events=4 if quick else 20,
        num_test_positives=2 if quick else 8,
        num_test_backgrounds=8 if quick else 120,
        num_backgrounds=8 if quick else 100,
        nums_examples=(0, 1) if quick else (0, 1, 2, 5, 10),
        bank_names=("imagenet",) if quick else ("imagenet", "coco"),
        report=_log,
    )
    results |= summarise(study)
    report(results, json_path=arguments.json)


def summarise(study: StampStudy) -> dict[str, Any]:
    """Return the study's results by key.

    Args:
        study: Of one or more seeds.

    Returns:
        Rounded numbers.
    """
    outcomes = study.outcomes
    seeds = sorted({each.seed for each in outcomes})
    numbers = sorted({each.num_examples for each in outcomes} - {0})
    tails = [each.tail_error for each in study.probabilities]
    evidence = [each for each in study.evidence if each is not None]
    found: dict[str, Any] = {
        "regret": round(regret(outcomes), 2),
        "regret_by_seed": [
            round(regret([each for each in outcomes if each.seed == seed]), 2)
            for seed in seeds
        ],
        "zero_shot_vs_tokyotech": round(zero_shot_ratio(outcomes), 2),
        "map": {
            f"{method}, {protocol}, {number}": round(100 * value, 1)
            for (method, protocol, number), value in mean_by_condition(outcomes).items()
        },
        "calibration_error": _mean([each.error for each in study.probabilities]),
        "tail_calibration_error": _mean([each for each in tails if each is not None]),
        "evidence_cost": _mean([each.named_cost for each in evidence]),
        "random_cost": _mean([each.random_cost for each in evidence]),
        "evidence_score_cost": _mean([each.named_score_cost for each in evidence]),
        "random_score_cost": _mean([each.random_score_cost for each in evidence]),
        "num_explained_clips": sum(each.num_clips for each in evidence),
    }
    for number in numbers:
        found[f"gain_k{number}"] = round(gain(outcomes, "shared", number), 2)
        low, high = bootstrap_gain(outcomes, "shared", number, seed=0)
        found[f"gain_k{number}_interval"] = [round(low, 2), round(high, 2)]
        found[f"gain_k{number}_disjoint"] = round(gain(outcomes, "disjoint", number), 2)
    return found


def measure_networks() -> dict[str, Any]:
    """Return how well the published weights do what they are published for."""
    (bank,) = open_banks(["imagenet"], fetch_dataset)
    top1 = top5 = 0
    photographs = sorted(fetch_dataset("imagenet_photos").glob("imagenet_*"))
    for path in photographs:
        pixels = np.array(Image.open(path).convert("RGB"), np.uint8)
        scores = bank(torch.from_numpy(pixels)).scores
        best = scores.topk(5).indices.tolist()
        label = int(path.stem.split("_")[-1])
        top1 += best[0] == label
        top5 += label in best
    return {
        "lite0_top1": f"{top1} of {len(photographs)}",
        "lite0_top5": f"{top5} of {len(photographs)}",
        "nanodet_ap50": _nanodet_ap50(),
    }


def _nanodet_ap50() -> float | None:
    shared = find_project().root.parent / "shared" / "data" / "video"
    given = shared / "pets09-s2l1_frames_1-400_gt.txt"
    if not given.is_file():
        return None
    boxes = _read_boxes(given)
    detector = open_detector(fetch_dataset("coco_detectors"), min_score=0.05)
    found: list[Detections] = []
    expected: list[torch.Tensor] = []
    video = fetch_dataset("vtest") / "vtest.avi"
    every = sample_frames(video, interval_s=0.1, max_side_px=None)
    for number, frame in enumerate(every, start=1):
        if number > _NUM_GIVEN_FRAMES:
            break
        if number % _FRAME_STEP == 1:
            person = COCO_CLASSES.index("person")
            found.append(detector.detect(frame.pixels).of_class(person))
            expected.append(torch.tensor(boxes[number]))
    return round(box_average_precision(found, expected), 3)


def _read_boxes(path: Path) -> dict[int, list[list[float]]]:
    """Read MOT's rows: frame, identity, left, top, width, height."""
    boxes: dict[int, list[list[float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        frame, _, x, y, width, height = map(float, line.split(",")[:6])
        boxes.setdefault(int(frame), []).append([x, y, x + width, y + height])
    return boxes


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
