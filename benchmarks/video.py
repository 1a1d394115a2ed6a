"""HD video on the terminal: speed, accuracy, latency, memory, anomalies.

* ``fps_1080p``: frames a second of 1080p H.264, end to end (decode, detect, track,
  judge), the network looking at every frame of 10 frames/s video; ``fps_1080p_5_hz``:
  at every second one; ``fps_1080p_decode``: decoding alone, the limit;
* ``ap50``, ``ap50_native``: average precision of persons of the tracks at overlap 0.5,
  on frames 201 to 400 of vtest.avi (settings were chosen on 1 to 200), upscaled to
  1080p and as it is; ``ap50_detector``: of the detector alone; ``mota``, ``idf1``;
* ``alarm_latency_p99_ms``: from a frame's arrival to its judgement, 1080p played at
  25 frames/s, 99th percentile; ``cameras_4_fps``: frames a second each of four 1080p
  streams at 5 frames/s; ``num_dropped``: must be 0 there;
* ``rss_mb``: memory at the end of looped video, ``rss_growth_mb``: since its first
  quarter (five minutes of stream time; ``--quick``: one);
* ``auc_micro``, ``right_reason_fraction``, ``training_s``: PETS-inject;
* ``peers``: OpenCV's HOG and ultralytics on the same frames, where installed.

Boxes are looked for in ``../shared/data/video``; without them accuracies are null.
The last line is one JSON object.
"""

import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from benchmarks.measurement import parse_arguments, report
from cocodesign.data import fetch_dataset
from cocodesign.models import open_detector
from cocodesign.models.detection import Detections, box_average_precision
from cocodesign.project import find_project
from cocodesign.video import (
    AnomalyModel,
    ObjectDetector,
    Observer,
    Tracker,
    open_video,
    run_inject_protocol,
    watch,
)
from cocodesign.video.frames import Frame
from cocodesign.video.tracking import Track
from cocodesign.video.tracking_scores import NumberedBoxes, score_tracks
from cocodesign.video.watching import WatchedFrame

_SIZE = (1920, 1080)
_PERSON = 0
_MIN_SCORE = 0.1
_FOREIGN = "animals/mammals/equines/horse.png"
_ABANDONED = "household/tools/toolbox.png"


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments(__doc__)
    quick: bool = arguments.quick
    native = fetch_dataset("vtest") / "vtest.avi"
    results: dict[str, Any] = {"quick": quick}
    with tempfile.TemporaryDirectory() as folder:
        hd = upscale(native, Path(folder) / "hd.mp4", num_frames=240 if quick else 400)
        slow = upscale(hd, Path(folder) / "slow.mp4", num_frames=60, rate=5)
        fast = upscale(hd, Path(folder) / "fast.mp4", num_frames=150, rate=25)
        steps: dict[str, Callable[[], dict[str, Any]]] = {
            "speed": lambda: measure_speed(hd, num_frames=60 if quick else 300),
            "accuracy": lambda: measure_accuracy(hd, native, quick=quick),
            "latency": lambda: measure_latency(fast),
            "cameras": lambda: measure_cameras(slow),
            "memory": lambda: measure_memory(hd, stream_s=60 if quick else 300),
            "peers": lambda: measure_peers(hd, num_frames=3 if quick else 20),
            "anomalies": lambda: measure_anomalies(native, quick=quick),
        }
        for name, measure in steps.items():
            results |= measure()
            print(f"{name}: done", file=sys.stderr, flush=True)
    report(results, json_path=arguments.json)


def upscale(source: Path, target: Path, *, num_frames: int, rate: int = 10) -> Path:
    """Encode a video's first frames as 1080p H.264 at another rate."""
    with (
        open_video(source) as stream,
        av.open(str(target), "w") as container,
    ):
        output = container.add_stream(
            "libx264", rate=rate, options={"preset": "veryfast", "crf": "20"}
        )
        output.width, output.height = _SIZE
        output.pix_fmt = "yuv420p"
        for index, frame in enumerate(islice(stream, num_frames)):
            scaled = frame.picture.reformat(
                *_SIZE, format="yuv420p", interpolation="BICUBIC"
            )
            scaled.pts, scaled.time_base = index, Fraction(1, rate)
            scaled.pict_type = 0
            container.mux(output.encode(scaled))
        container.mux(output.encode(None))
    return target


def measure_speed(hd: Path, *, num_frames: int) -> dict[str, Any]:
    """Time whole pipelines and decoding alone, in turn."""
    model = _model(hd)

    def frames_per_s(work: Callable[[Frame], object]) -> float:
        with open_video(hd) as stream:
            started = time.perf_counter()
            for frame in islice(stream, num_frames):
                work(frame)
            return num_frames / (time.perf_counter() - started)

    def pipeline(max_rate_hz: float) -> float:
        observer, judge = _observer(max_rate_hz), model.judge()
        return frames_per_s(lambda frame: judge.judge(observer.observe(frame)))

    sides: dict[str, Callable[[], float]] = {
        "fps_1080p": lambda: pipeline(10.0),
        "fps_1080p_5_hz": lambda: pipeline(5.0),
        "fps_1080p_decode": lambda: frames_per_s(lambda _: None),
    }
    rounds = {name: [] for name in sides}
    for _ in range(3):
        for name, measure in sides.items():
            rounds[name].append(round(measure(), 1))
    return {
        **{name: statistics.median(values) for name, values in rounds.items()},
        "fps_rounds": rounds,
    }


def measure_accuracy(hd: Path, native: Path, *, quick: bool) -> dict[str, Any]:
    """Return average precisions and tracking scores on the frames kept apart."""
    path = find_project().root.parent / "shared/data/video"
    path /= "pets09-s2l1_frames_1-400_gt.txt"
    keys = ("ap50", "ap50_detector", "ap50_native", "mota", "idf1")
    if not path.is_file():
        return dict.fromkeys(keys)
    last = 240 if quick else 400
    tracked, detected = _persons(hd, last)
    given = _given(path, last, (_SIZE[0] / 768, _SIZE[1] / 576))
    score = score_tracks([each for each, _ in tracked], given)
    native_tracks, _ = _persons(native, last)
    return {
        "ap50": _precision(tracked, given),
        "ap50_detector": _precision(detected, given),
        "ap50_native": _precision(native_tracks, _given(path, last, (1, 1))),
        "mota": round(score.mota, 4),
        "idf1": round(score.idf1, 4),
        "num_switches": score.num_switches,
        "accuracy_frames": [201, last],
    }


def measure_latency(fast: Path) -> dict[str, Any]:
    """Play 25 frames a second and time each judgement from its frame's arrival."""
    events = watch([str(fast)], _network(), model=_model(fast), paced=True)
    latencies = [each.latency_ms for each in events if isinstance(each, WatchedFrame)]
    return {
        "alarm_latency_p50_ms": round(float(np.quantile(latencies, 0.5)), 1),
        "alarm_latency_p99_ms": round(float(np.quantile(latencies, 0.99)), 1),
    }


def measure_cameras(slow: Path) -> dict[str, Any]:
    """Watch four streams at once."""
    model = _model(slow)
    began = time.perf_counter()
    frames = [
        each
        for each in watch([str(slow)] * 4, _network(), model=model, paced=True)
        if isinstance(each, WatchedFrame)
    ]
    elapsed_s = time.perf_counter() - began
    return {
        "cameras_4_fps": round(len(frames) / 4 / elapsed_s, 2),
        "cameras_4_latency_p99_ms": round(
            float(np.quantile([each.latency_ms for each in frames], 0.99)), 1
        ),
        "num_dropped": max(each.num_dropped for each in frames),
    }


def measure_memory(hd: Path, *, stream_s: float) -> dict[str, Any]:
    """Watch looped video, and see whether memory grows."""
    sizes = []
    events = watch([str(hd)], _network(), model=_model(hd), looped=True)
    for event in events:
        if isinstance(event, WatchedFrame):
            sizes.append(_resident_mb())
            if event.moment.time_s >= stream_s:
                break
    events.close()
    return {
        "rss_mb": round(sizes[-1]),
        "rss_growth_mb": round(sizes[-1] - sizes[len(sizes) // 4], 1),
        "memory_stream_s": stream_s,
    }


def measure_anomalies(native: Path, *, quick: bool) -> dict[str, Any]:
    """Run PETS-inject."""
    stamps = fetch_dataset("stamps")
    outcome = run_inject_protocol(
        native,
        _network(),
        foreign=stamps / _FOREIGN,
        abandoned=stamps / _ABANDONED,
        num_normal_frames=200 if quick else 400,
        num_test_frames=120 if quick else 395,
    )
    return {name: round(value, 4) for name, (value, _) in outcome.metrics().items()}


def measure_peers(hd: Path, *, num_frames: int) -> dict[str, Any]:
    """Time other detectors on the same frames beside ours."""
    with open_video(hd) as stream:
        frames = [frame.pixels() for frame in islice(stream, num_frames)]
    network = _network()
    sides: dict[str, Callable[[np.ndarray], object]] = {
        "ours": lambda pixels: network.detect(torch.from_numpy(pixels))
    }
    missing = {}
    if importlib.util.find_spec("cv2") is not None:
        import cv2

        if hasattr(cv2, "HOGDescriptor"):
            hog = cv2.HOGDescriptor()
            hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
            sides["opencv_hog"] = lambda pixels: hog.detectMultiScale(
                np.ascontiguousarray(pixels[::2, ::2]), winStride=(8, 8)
            )
        else:
            missing["opencv_hog"] = "this build of OpenCV has none"
    else:
        missing["opencv_hog"] = "not installed"
    missing["ultralytics"] = (
        "not compared: its weights are downloads"
        if importlib.util.find_spec("ultralytics")
        else "not installed"
    )
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for pixels in frames:
        for name, detect in sides.items():
            started = time.perf_counter()
            detect(pixels)
            seconds[name].append(time.perf_counter() - started)
    medians = {
        f"{name}_ms_per_frame": round(1000 * statistics.median(values), 1)
        for name, values in seconds.items()
    }
    return {"peers": {**medians, **missing}}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _network() -> Any:
    return open_detector(fetch_dataset("coco_detectors"), min_score=_MIN_SCORE)


def _observer(max_rate_hz: float = 10.0) -> Observer:
    return Observer(ObjectDetector(_network(), max_rate_hz=max_rate_hz), Tracker())


def _model(video: Path) -> AnomalyModel:
    observer = _observer()
    with open_video(video) as stream:
        return AnomalyModel.fit([observer.observe(each) for each in islice(stream, 60)])


_Scored = tuple[NumberedBoxes, np.ndarray]


def _persons(video: Path, last: int) -> tuple[list[_Scored], list[_Scored]]:
    """Return the persons of tracks and of detections in frames 201 to ``last``."""
    observer = _observer()
    detector = observer.detector
    tracked, detected = [], []
    with open_video(video) as stream:
        for frame in islice(stream, last):
            objects = detector.detect(frame)
            tracks = observer.tracker.update(frame.time_s, objects)
            tracked.append(_of_tracks(tracks))
            boxes, scores = np.zeros((0, 4)), np.zeros(0)
            if objects is not None:
                chosen = objects.classes == _PERSON
                boxes, scores = objects.boxes[chosen], objects.scores[chosen]
            detected.append((NumberedBoxes(np.arange(len(boxes)), boxes), scores))
    return tracked[200:], detected[200:]


def _of_tracks(tracks: Sequence[Track]) -> _Scored:
    persons = [each for each in tracks if each.class_index == _PERSON]
    boxes = np.array([each.box for each in persons], float).reshape(-1, 4)
    numbers = np.array([each.number for each in persons], int)
    return NumberedBoxes(numbers, boxes), np.array([each.score for each in persons])


def _given(path: Path, last: int, scale: tuple[float, float]) -> list[NumberedBoxes]:
    rows = np.loadtxt(path, delimiter=",")
    factors = np.tile(scale, 2)
    boxes = np.column_stack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]]) * factors
    return [
        NumberedBoxes(rows[chosen, 1].astype(int), boxes[chosen])
        for chosen in (rows[:, 0] == number for number in range(201, last + 1))
    ]


def _precision(found: list[_Scored], given: list[NumberedBoxes]) -> float:
    detections = [
        Detections(
            torch.from_numpy(each.boxes).float(),
            torch.from_numpy(scores).float(),
            torch.zeros(len(scores), dtype=torch.long),
        )
        for each, scores in found
    ]
    boxes = [torch.from_numpy(each.boxes).float() for each in given]
    return round(box_average_precision(detections, boxes), 4)


if __name__ == "__main__":
    main()
