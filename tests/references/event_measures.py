"""Average precision, estimated and exact, and error rates: by loops."""

from collections.abc import Sequence


def ranked(scores: Sequence[float], labels: Sequence[int]) -> list[int]:
    """Return the labels by score, the worst order among equal scores."""
    pairs = sorted(zip(scores, labels, strict=True), key=lambda p: (-p[0], p[1]))
    return [label for _, label in pairs]


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Go down the list of judged clips and average the precision at positives."""
    found, precisions = 0, []
    judged = [label for label in ranked(scores, labels) if label >= 0]
    for rank, label in enumerate(judged, start=1):
        if label == 1:
            found += 1
            precisions.append(found / rank)
    return sum(precisions) / len(precisions)


def inferred_average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Go down the list of all pooled clips, as Yilmaz & Aslam's equation says."""
    eps, total, num = 1e-5, 0.0, 0
    positives = negatives = unjudged = 0
    for above, label in enumerate(ranked(scores, labels)):
        if label == 1:
            num += 1
            expected = 1 / (above + 1)
            if above:
                pooled = (positives + negatives + unjudged) / above
                share = (positives + eps) / (positives + negatives + 2 * eps)
                expected += above / (above + 1) * pooled * share
            total += expected
        positives += label == 1
        negatives += label == 0
        unjudged += label == -1
    return total / num


def error_rates(
    scores: Sequence[float], labels: Sequence[int], threshold: float
) -> tuple[float, float]:
    """Return the rates of misses and of false alarms."""
    misses = [s < threshold for s, y in zip(scores, labels, strict=True) if y == 1]
    alarms = [s >= threshold for s, y in zip(scores, labels, strict=True) if y == 0]
    return sum(misses) / len(misses), sum(alarms) / len(alarms) if alarms else 0.0
