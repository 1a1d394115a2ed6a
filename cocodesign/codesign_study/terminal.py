"""What a network's file gives at the terminal: people before a camera, and events."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cocodesign.codesign_study.concepts import FOLDERS
from cocodesign.codesign_study.windows import PeopleFinder, WindowBank
from cocodesign.events import EventKit
from cocodesign.events.collection import Collection
from cocodesign.events.index import build_index
from cocodesign.events.opening import open_space
from cocodesign.events.scoring import average_precision
from cocodesign.events.wordnet import WordNet
from cocodesign.models import ConvNet
from cocodesign.video import ObjectDetector, Observer, Tracker, open_video
from cocodesign.video.boxes import overlaps
from cocodesign.video.detection import FindsObjects, Objects

_MATCH = 0.3  # overlap of a person found with one that the published detector finds
_COMPARED_INTERVAL_S = 1.0


@dataclass(frozen=True)
class Watching:
    """An HD stream, watched from the file.

    Attributes:
        frames_per_s: Decoding, detection and tracking, as fast as it goes.
        num_people: Tracks of people that were believed.
        recall: Of the people that the published detector finds in the same frames.
        precision: Of the people found.
    """

    frames_per_s: float
    num_people: int
    recall: float
    precision: float


def watch_stream(network: ConvNet, stream: Path, reference: FindsObjects) -> Watching:
    """Watch a stream for people, then compare with a published detector.

    Args:
        network: From a file.
        stream: The video.
        reference: Finds people: class 0. Both see the whole frame, once a second; the
            comparison is not timed.

    Returns:
        What came of it.
    """
    detector = ObjectDetector(PeopleFinder(network), classes=("person",))
    tracker = Tracker()
    observer = Observer(detector, tracker)
    started = time.perf_counter()
    num_frames = 0
    with open_video(stream) as frames:
        for frame in frames:
            observer.observe(frame)
            num_frames += 1
    seconds = time.perf_counter() - started
    matched, found, wanted = _compare(PeopleFinder(network), reference, stream)
    return Watching(
        num_frames / seconds,
        tracker.counts().get("person", 0),
        matched / wanted if wanted else 0.0,
        matched / found if found else 0.0,
    )


def _compare(
    ours: FindsObjects, reference: FindsObjects, stream: Path
) -> tuple[int, int, int]:
    matched = found = wanted = 0
    looks = [
        ObjectDetector(
            each,
            classes=("person",),
            max_rate_hz=1 / _COMPARED_INTERVAL_S,
            whole_interval_s=0.0,
        )
        for each in (ours, reference)
    ]
    with open_video(stream) as frames:
        for frame in frames:
            one, two = (_boxes(look.detect(frame)) for look in looks)
            found += len(one)
            wanted += len(two)
            matched += _num_matches(one, two)
    return matched, found, wanted


def _boxes(objects: Objects | None) -> np.ndarray:
    return np.zeros((0, 4)) if objects is None else objects.boxes


def _num_matches(one: np.ndarray, two: np.ndarray) -> int:
    if not len(one) or not len(two):
        return 0
    overlap = overlaps(one, two)
    count = 0
    while overlap.size and overlap.max() >= _MATCH:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[row], overlap[:, column] = 0, 0
        count += 1
    return count


def search_clips(
    network: ConvNet,
    clips: Mapping[str, Path],
    folder_of: Callable[[str], Path],
) -> dict[str, float]:
    """Index clips by the network's concepts and search them by words alone.

    Args:
        network: From a file.
        clips: By id, which begins with what the clip shows.
        folder_of: Gives the folder of a data set, such as ``fetch_dataset``.

    Returns:
        The average precision of each thing.
    """
    bank = WindowBank(network, WordNet(folder_of("wordnet")))
    found = {}
    # A kept index would be gone on with, though it is another network's.
    with TemporaryDirectory() as folder:
        index = build_index(Path(folder), clips, [bank], interval_s=1.0)
        collection = Collection(index, open_space(bank.concepts, folder_of))
        for number, concept in enumerate(FOLDERS):
            kit = EventKit(f"C{number}", f"a {concept} in front of the camera")
            hits = collection.search(kit).hits
            shows = np.array([hit.clip.id.startswith(concept) for hit in hits])
            scores = np.array([hit.score for hit in hits])
            found[concept] = average_precision(scores, shows.astype(int))
    return found
