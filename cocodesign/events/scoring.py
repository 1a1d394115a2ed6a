"""How well scores find events: the measures of TRECVID's multimedia event detection.

With ``n`` clips ranked by score: recall and the rates of missed detections and false
alarms are those of the clips above a threshold. Sources: NIST's MED evaluation plans
2011 to 2017; inferred average precision: Yilmaz & Aslam, CIKM 2006, Section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.ranking import rank_trials
from cocodesign.events.trials import NEGATIVE, POSITIVE, UNJUDGED, Trials

COST_OF_MISS, COST_OF_FALSE_ALARM, TARGET_RATE = 80.0, 1.0, 0.001
R0_SLOPE = 12.5
_INFERENCE_EPS = 1e-5  # of the paper's smoothing, as in trec_eval


@dataclass(frozen=True)
class EventScore:
    """The measures of one event.

    Attributes:
        average_precision: Over the judged clips, 0 to 1.
        inferred_average_precision: An estimate over all clips, from the judged ones.
        r0: Recall less 12.5 times the share of the collection above the threshold;
            ``None`` without a threshold.
        ndc: Normalised detection cost at the threshold; ``None`` without one.
        min_ndc: The lowest cost at any threshold.
        miss_rate: The share of positives missed where at most 6 % of the negatives
            are false alarms.
        num_positives: How many judged clips show the event.
    """

    average_precision: float
    inferred_average_precision: float
    r0: float | None
    ndc: float | None
    min_ndc: float
    miss_rate: float
    num_positives: int


def score_trials(
    trials: Trials,
    scores: NDArray[np.floating],
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, EventScore]:
    """Score every event that has a judged positive.

    Args:
        trials: What was asked, and the answers.
        scores: One per trial; NaN ranks last.
        thresholds: Detection thresholds by event.

    Returns:
        The measures by event; an event without a positive is left out, since none of
        them is defined for it.

    Raises:
        ValueError: If there is not one score per trial.

    Example:
        >>> trials = Trials.grid("abcd", ["E1"], np.array([[1], [0], [1], [0]]))
        >>> found = score_trials(trials, np.array([0.9, 0.8, 0.7, 0.1]))["E1"]
        >>> round(found.average_precision, 4)
        0.8333
    """
    if len(scores) != len(trials):
        raise ValueError(f"{len(trials)} trials, but {len(scores)} scores")
    thresholds = thresholds or {}
    results: dict[str, EventScore] = {}
    for index, event in enumerate(trials.event_ids):
        mine = np.flatnonzero(trials.events == index)
        labels = trials.labels[mine]
        if not (labels == POSITIVE).any():
            continue
        results[event] = _score_event(scores[mine], labels, thresholds.get(event))
    return results


def mean_average_precision(scored: Mapping[str, EventScore]) -> float:
    """Return the mean of the average precisions.

    Args:
        scored: What ``score_trials`` gave, at least one event.

    Returns:
        From 0 to 1.
    """
    return float(np.mean([each.average_precision for each in scored.values()]))


def average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> float:
    """Return the mean over the positives of the precision at their ranks.

    Args:
        scores: Larger is likelier; NaN ranks last.
        labels: 1 and 0; what is unjudged, -1, is taken out first.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If there is no positive.
    """
    judged = labels != UNJUDGED
    scores, labels = scores[judged], labels[judged]
    if not (labels == POSITIVE).any():
        raise ValueError("without a positive the average precision is undefined")
    ranked = labels[rank_trials(scores, labels)] == POSITIVE
    precision = ranked.cumsum() / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean())


def inferred_average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> float:
    """Estimate the average precision where only a sample was judged.

    At the rank ``k`` of a judged positive the expected precision is ``1/k`` for itself
    and, for the ``k - 1`` above it, the share of positives among the judged ones there.

    Args:
        scores: Larger is likelier; NaN ranks last.
        labels: 1, 0, or -1 for what belongs to the sampled pool but was not judged.

    Returns:
        From 0 to 1, up to the paper's smoothing by 1e-5.

    Raises:
        ValueError: If there is no positive.
    """
    ranked = labels[rank_trials(scores, labels)]
    positive = ranked == POSITIVE
    if not positive.any():
        raise ValueError("without a positive the average precision is undefined")
    places = np.flatnonzero(positive)  # k - 1, as many as are above
    above = (positive.cumsum() - positive)[places]
    negative_above = (ranked == NEGATIVE).cumsum()[places]
    share = (above + _INFERENCE_EPS) / (above + negative_above + 2 * _INFERENCE_EPS)
    expected = (1 + places * np.where(places > 0, share, 0)) / (places + 1)
    return float(expected.mean())


def detection_cost(miss_rate: float, false_alarm_rate: float) -> float:
    """Return the normalised detection cost.

    Args:
        miss_rate: Share of positives below the threshold.
        false_alarm_rate: Share of negatives above it.

    Returns:
        0 for a perfect detector, 1 for one that never or always says yes, whichever is
        cheaper.

    Example:
        >>> detection_cost(1.0, 0.0)
        1.0
    """
    cost = (
        COST_OF_MISS * miss_rate * TARGET_RATE
        + COST_OF_FALSE_ALARM * false_alarm_rate * (1 - TARGET_RATE)
    )
    return cost / min(
        COST_OF_MISS * TARGET_RATE, COST_OF_FALSE_ALARM * (1 - TARGET_RATE)
    )


def miss_rate_at(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    max_false_alarm_rate: float = 0.06,
) -> float:
    """Return the lowest miss rate that a bound on false alarms allows.

    Args:
        scores: Larger is likelier; NaN ranks last.
        labels: 1 and 0; -1 is taken out first.
        max_false_alarm_rate: The bound, a share of the negatives.

    Returns:
        From 0 to 1.
    """
    misses, alarms = _error_rates(scores, labels)
    return float(misses[alarms <= max_false_alarm_rate].min())


def _score_event(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    threshold: float | None,
) -> EventScore:
    misses, alarms = _error_rates(scores, labels)
    costs = [detection_cost(*each) for each in zip(misses, alarms, strict=True)]
    r0 = ndc = None
    if threshold is not None:
        above = scores >= threshold  # NaN is not
        recall = float(above[labels == POSITIVE].mean())
        negatives = above[labels == NEGATIVE]
        r0 = recall - R0_SLOPE * float(above.mean())
        alarm = float(negatives.mean()) if len(negatives) else 0.0
        ndc = detection_cost(1 - recall, alarm)
    return EventScore(
        average_precision=average_precision(scores, labels),
        inferred_average_precision=inferred_average_precision(scores, labels),
        r0=r0,
        ndc=ndc,
        min_ndc=float(min(costs)),
        miss_rate=miss_rate_at(scores, labels),
        num_positives=int((labels == POSITIVE).sum()),
    )


def _error_rates(
    scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rates of misses and false alarms at every possible threshold."""
    judged = labels != UNJUDGED
    scores, labels = scores[judged], labels[judged]
    order = rank_trials(scores, labels)
    positive = (labels[order] == POSITIVE).cumsum()
    alarms = np.arange(1, len(order) + 1) - positive
    ranked = np.where(np.isnan(scores), -np.inf, scores)[order]
    # A threshold cannot separate equal scores: only the last of them is a place.
    places = np.append(ranked[1:] != ranked[:-1], [True])
    misses = 1 - positive[places] / max(1, positive[-1])
    rates = alarms[places] / max(1, alarms[-1])
    return np.append(1.0, misses), np.append(0.0, rates)
