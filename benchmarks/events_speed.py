"""Speed and memory of the events part: from frames to concepts, from words to clips."""

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from cocodesign.data import data_home, fetch_dataset
from cocodesign.events import EventKit
from cocodesign.events.banks import ConceptBank
from cocodesign.events.collection import Collection
from cocodesign.events.composed import stamp_kits
from cocodesign.events.frames import sample_frames
from cocodesign.events.index import ClipIndex, IndexedClip, build_index
from cocodesign.events.opening import BANK_NAMES, open_banks, open_space
from cocodesign.files import write_atomically

_WIDTH, _HEIGHT = 1280, 720
_NUM_QUERIED_CLIPS = 10_000
_QUERIES = (
    *("a dog on a beach", "people repairing a bicycle", "a birthday party with a cake"),
    *("ships in a harbour", "somebody plays the violin", "a traffic jam in the rain"),
    *("feeding ducks at a lake", "a snowball fight", "cooking soup for many people"),
)


def measure_speed(*, quick: bool) -> dict[str, Any]:
    """Measure extraction, queries and memory.

    Args:
        quick: Fewer frames, and minutes of video in place of an hour.

    Returns:
        The results by key.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = write_video(folder / "hd.mp4", 60 if quick else 300, rate=25)
        banks = {
            each: open_banks([each], fetch_dataset, num_threads=1)
            for each in BANK_NAMES
        }
        both = [bank for one in banks.values() for bank in one]
        rates = {
            name: _frames_per_s(folder, video, chosen, 1 / 25)
            for name, chosen in {**banks, "both": both}.items()
        }
        minutes = 3 if quick else 60
        long = write_video(folder / "long.mp4", 60 * minutes, rate=1)
        decoding = _decoding_rate(video)
        growth_mb = _memory_growth_mb(folder, long, banks["imagenet"])
        queries = measure_queries(folder / "queried", both)
    return {
        "decoded_frames_per_s": round(decoding, 1),
        "extraction_frames_per_s": {k: round(v, 1) for k, v in rates.items()},
        "memory_growth_mb": round(growth_mb, 1),
        "memory_video_minutes": minutes,
        **queries,
    }


def measure_queries(folder: Path, banks: Sequence[ConceptBank]) -> dict[str, float]:
    """Return what a query that was never asked takes over an index of 10,000 clips.

    Args:
        folder: Gets an index of clips of chance.
        banks: Whose concepts the clips have.

    Returns:
        Medians in milliseconds: words to ranking and probabilities, a whole event kit
        likewise, and the encoding of the words alone.
    """
    index = _write_index(folder, banks)
    space = open_space(
        index.concepts, fetch_dataset, cache=data_home() / "stamp_events"
    )
    collection = Collection(index, space)
    kits = [EventKit("query", words) for words in _QUERIES]
    collection.search(kits[0])
    encode = collection.space.encoder.encode
    return {
        "query_ms": _median_ms([partial(collection.search, kit) for kit in kits[1:]]),
        "kit_query_ms": _median_ms(
            [partial(collection.search, kit) for kit in stamp_kits()[:8]]
        ),
        "query_encoding_ms": _median_ms([partial(encode, k.phrases) for k in kits[1:]]),
    }


def _write_index(folder: Path, banks: Sequence[ConceptBank]) -> ClipIndex:
    """Write an index whose clips have one frame of random scores each."""
    random = np.random.default_rng(0)
    build_index(folder, {}, banks)
    for bank in banks:
        for kind, width in (
            ("scores", len(bank.concepts)),
            ("features", bank.num_features),
        ):
            values = random.random((_NUM_QUERIED_CLIPS, width), np.float32) ** 8
            (folder / f"{bank.name}.{kind}").write_bytes(values.astype("<f2").tobytes())
    path = folder / "index.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    table["clips"] = [
        asdict(IndexedClip(f"c{row}", "", row, (0.0,)))
        for row in range(_NUM_QUERIED_CLIPS)
    ]
    write_atomically(path, json.dumps(table))
    return ClipIndex(folder)


def write_video(path: Path, num_frames: int, *, rate: int) -> Path:
    """Enlarge the street scene to 720p and encode it, again and again from its start.

    Args:
        path: The file, H.264.
        num_frames: How many.
        rate: Of the file, frames a second.

    Returns:
        The path.
    """
    source = fetch_dataset("vtest") / "vtest.avi"
    pictures = []
    with av.open(str(source)) as opened:
        for frame in opened.decode(video=0):
            pictures.append(frame.reformat(_WIDTH, _HEIGHT, "yuv420p"))
            if len(pictures) == min(num_frames, 120):
                break
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "28"}
        for number in range(num_frames):
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number, 1 / stream.codec_context.framerate
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def _frames_per_s(
    folder: Path, video: Path, banks: Sequence[ConceptBank], interval_s: float
) -> float:
    """Index a video every frame of which is looked at, with every core."""
    name = "-".join(bank.name for bank in banks)
    next(sample_frames(video))  # the file is in memory then
    started = time.perf_counter()
    index = build_index(
        folder / name,
        {"hd": video},
        banks,
        interval_s=interval_s,
        num_workers=os.cpu_count() or 1,
    )
    return len(index.clips[0].times_s) / (time.perf_counter() - started)


def _decoding_rate(video: Path) -> float:
    """Return decoded and reduced frames a second of one thread, no network."""
    started = time.perf_counter()
    count = sum(1 for _ in sample_frames(video, interval_s=1 / 25))
    return count / (time.perf_counter() - started)


def _memory_growth_mb(folder: Path, video: Path, banks: Sequence[ConceptBank]) -> float:
    """Return by how much the highest resident memory rises after a first minute."""
    first = folder / "first-minute.mp4"
    write_video(first, 60, rate=1)
    build_index(folder / "first", {"first": first}, banks, num_workers=2)
    before = _highest_resident_mb()
    build_index(folder / "long", {"long": video}, banks, num_workers=2)
    return _highest_resident_mb() - before


def _highest_resident_mb() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _median_ms(calls: Sequence[Callable[[], object]]) -> float:
    milliseconds = []
    for _ in range(3):
        for call in calls:
            started = time.perf_counter()
            call()
            milliseconds.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(milliseconds), 1)
