"""MOTA and IDF1 by trying every pairing: for a handful of tracks."""

from collections.abc import Sequence
from itertools import permutations

from cocodesign.video.tracking_scores import NumberedBoxes


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    area = (one[2] - one[0]) * (one[3] - one[1])
    area += (other[2] - other[0]) * (other[3] - other[1]) - width * height
    return width * height / area if area else 0.0


def clear_mot(
    found: Sequence[NumberedBoxes], given: Sequence[NumberedBoxes], min_overlap: float
) -> tuple[int, int, int]:
    """Misses, false boxes and switches."""
    misses = false = switches = 0
    last: dict[int, int] = {}
    before: dict[int, int] = {}
    for ours, theirs in zip(found, given, strict=True):
        boxes = dict(zip(ours.numbers.tolist(), ours.boxes.tolist(), strict=True))
        others = dict(zip(theirs.numbers.tolist(), theirs.boxes.tolist(), strict=True))
        kept = {
            number: track
            for number, track in before.items()
            if number in others
            and track in boxes
            and overlap(others[number], boxes[track]) >= min_overlap
        }
        free = [number for number in others if number not in kept]
        left = [track for track in boxes if track not in kept.values()]
        left += [None] * len(free)
        best, best_worth = {}, -1.0
        for order in permutations(left, len(free)):
            pairs = {
                number: track
                for number, track in zip(free, order, strict=True)
                if track is not None
                and overlap(others[number], boxes[track]) >= min_overlap
            }
            worth = sum(overlap(others[n], boxes[t]) for n, t in pairs.items())
            if worth > best_worth:
                best, best_worth = pairs, worth
        before = kept | best
        misses += len(others) - len(before)
        false += len(boxes) - len(before)
        switches += sum(last.get(n, t) != t for n, t in before.items())
        last |= before
    return misses, false, switches


def num_identified(
    found: Sequence[NumberedBoxes], given: Sequence[NumberedBoxes], min_overlap: float
) -> int:
    """Boxes under the best one-to-one pairing of whole tracks."""
    tracks = sorted({n for each in found for n in each.numbers.tolist()})
    numbers = sorted({n for each in given for n in each.numbers.tolist()})
    best = 0
    for order in permutations([*tracks, *[None] * len(numbers)], len(numbers)):
        total = 0
        for ours, theirs in zip(found, given, strict=True):
            boxes = dict(zip(ours.numbers.tolist(), ours.boxes.tolist(), strict=True))
            for number, box in zip(
                theirs.numbers.tolist(), theirs.boxes.tolist(), strict=True
            ):
                track = order[numbers.index(number)]
                if track in boxes and overlap(box, boxes[track]) >= min_overlap:
                    total += 1
        best = max(best, total)
    return best
