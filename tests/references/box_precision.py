"""Average precision of boxes, by going through every threshold."""

from collections.abc import Sequence


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Return intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return both / (areas - both)


def average_precision(
    found: Sequence[Sequence[tuple[float, Sequence[float]]]],
    given: Sequence[Sequence[Sequence[float]]],
    min_overlap: float,
) -> float:
    """Match at every threshold from scratch, then add up the rectangles."""
    num_given = sum(len(boxes) for boxes in given)
    points = []
    for threshold in sorted({s for picture in found for s, _ in picture}):
        right = wrong = 0
        for picture, boxes in zip(found, given, strict=True):
            left = list(boxes)
            for _, box in sorted(
                (p for p in picture if p[0] >= threshold), reverse=True
            ):
                overlaps = [overlap(box, other) for other in left]
                if overlaps and max(overlaps) >= min_overlap:
                    left.pop(overlaps.index(max(overlaps)))
                    right += 1
                else:
                    wrong += 1
        points.append((right / num_given, right / (right + wrong)))
    total, last = 0.0, 0.0
    for recall, _ in sorted(points):
        best = max(p for r, p in points if r >= recall)
        total += (recall - last) * best
        last = recall
    return total
