"""From scores to probabilities and thresholds that keep a promise."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """A line from scores to log-odds (Platt 1999).

    Attributes:
        slope: Not negative.
        offset: Log-odds of a ratio of one.
    """

    slope: float
    offset: float

    @classmethod
    def fit(
        cls,
        positive_scores: NDArray[np.floating],
        negative_scores: NDArray[np.floating],
        *,
        share: float,
        strength: float = 2.0,
    ) -> "Calibration":
        """Fit the line by regularised logistic regression.

        Classes are weighted as they occur in the collection. With few positives the
        line stays near what a likelihood ratio itself says: slope 1, offset logit of
        the share.

        Args:
            positive_scores: Of clips that the detector was not trained on; may be
                empty.
            negative_scores: The same of clips without the event.
            share: How often the event occurs where the detector is used, between 0
                and 1.
            strength: Of the pull towards that line.

        Returns:
            The calibration.

        Raises:
            ValueError: If the share is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {share}")
        prior = np.array([1.0, math.log(share / (1 - share))])
        line = prior.copy()
        x = np.concatenate([positive_scores, negative_scores]).astype(np.float64)
        y = np.repeat([1.0, 0.0], [len(positive_scores), len(negative_scores)])
        # As many positives as there are, and negatives in the collection's proportion.
        per_negative = (
            max(1, len(positive_scores))
            * (1 - share)
            / share
            / max(1, len(y) - y.sum())
        )
        weights = np.where(y == 1, 1.0, min(1.0, per_negative))
        rows = np.stack([x, np.ones_like(x)], 1)
        for _ in range(50):  # Newton's method on a convex function of two numbers
            p = 1 / (1 + np.exp(-np.clip(rows @ line, -60, 60)))
            gradient = rows.T @ (weights * (p - y)) + strength * (line - prior)
            hessian = (rows.T * (weights * p * (1 - p))) @ rows + strength * np.eye(2)
            step = np.linalg.solve(hessian, gradient)
            line = line - step
            if np.abs(step).max() < 1e-9:
                break
        return cls(max(0.0, float(line[0])), float(line[1]))

    def probability(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability that each clip shows the event.

        Args:
            scores: Log-likelihood ratios.

        Returns:
            0 to 1; 0 for NaN, a clip of which nothing is known.
        """
        odds = np.clip(
            self.slope * np.nan_to_num(scores, nan=-60.0) + self.offset, -60, 60
        )
        return np.where(np.isnan(scores), 0.0, 1 / (1 + np.exp(-odds)))


def expected_calibration_error(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    num_bins: int = 10,
) -> float:
    """Return how far probabilities lie from frequencies.

    Predictions are put in bins of equal width; the error is the mean over predictions
    of the gap between mean probability and frequency in their bin (Naeini et al. 2015).
    Where events are rare nearly all predictions share the lowest bin, so a small value
    is easily had; ``tail_calibration_error`` looks at the rest.

    Args:
        probabilities: 0 to 1.
        labels: 1 and 0.
        num_bins: How many bins.

    Returns:
        0 to 1.
    """
    bins = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    gaps = [
        np.abs(probabilities[bins == each].mean() - labels[bins == each].mean())
        * (bins == each).sum()
        for each in np.unique(bins)
    ]
    return float(sum(gaps) / len(probabilities))


def tail_calibration_error(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    above: float = 0.1,
) -> float | None:
    """Return the calibration error of those predictions alone that say something.

    Args:
        probabilities: 0 to 1.
        labels: 1 and 0.
        above: The probability from which on a prediction counts.

    Returns:
        0 to 1; ``None`` if no prediction is so high.
    """
    high = probabilities >= above
    if not high.any():
        return None
    return expected_calibration_error(probabilities[high], labels[high])


def alarm_threshold(
    background_scores: NDArray[np.floating], hours: float, max_per_hour: float
) -> float:
    """Return the threshold that keeps false alarms rare in expectation.

    With ``n`` exchangeable background clips the next one exceeds the ``j``-th largest
    of them with probability ``j / (n + 1)`` at most, whatever the distribution (split
    conformal prediction, Vovk et al. 2005, Section 4.1).

    Args:
        background_scores: Of clips without the event, not used in training.
        hours: How long they are together, positive.
        max_per_hour: Allowed false alarms an hour, not negative.

    Returns:
        Alarm on scores *above* it; infinite if the background is too short to promise
        anything.

    Raises:
        ValueError: If hours is not positive or the limit is negative.

    Example:
        >>> scores = np.arange(99.0)
        >>> alarm_threshold(scores, hours=10.0, max_per_hour=0.5)
        94.0
    """
    if hours <= 0 or max_per_hour < 0:
        raise ValueError(
            f"hours must be positive and max_per_hour not negative, got {hours} and "
            f"{max_per_hour}"
        )
    known = np.sort(background_scores[~np.isnan(background_scores)])[::-1]
    clips_per_hour = len(known) / hours
    # An expectation of j / (n + 1) per clip, times the clips of an hour.
    place = math.floor(
        max_per_hour / max(clips_per_hour, 1e-12) * (len(known) + 1) + 1e-9
    )
    if place < 1:
        return math.inf
    return float(known[min(place, len(known)) - 1])
