"""How well anomaly scores agree with what is known: AUC by frame, region and track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from cocodesign.video.boxes import overlaps

_REGION_OVERLAP = 0.1
_TRACK_FRACTION = 0.1


def frame_auc(
    scores: Float[np.ndarray, " frame"], strange: Bool[np.ndarray, " frame"]
) -> float:
    """Return the area under the ROC curve over frames.

    Args:
        scores: Larger is stranger.
        strange: Which frames are.

    Returns:
        The probability that a strange frame scores above a normal one, ties half.

    Raises:
        ValueError: If all frames are strange, or none.

    Example:
        >>> frame_auc(np.array([0.1, 0.9, 0.8]), np.array([False, True, False]))
        1.0
    """
    if strange.all() or not strange.any():
        raise ValueError(
            f"an AUC needs strange and normal frames, got {strange.sum()} strange of "
            f"{len(strange)}"
        )
    normal = np.sort(scores[~strange])
    below = np.searchsorted(normal, scores[strange], "left")
    not_above = np.searchsorted(normal, scores[strange], "right")
    return float((below + not_above).mean() / 2 / len(normal))


def macro_auc(
    clips: Sequence[tuple[Float[np.ndarray, " _frame"], Bool[np.ndarray, " _frame"]]],
) -> float:
    """Return the mean AUC of clips, each by itself.

    Args:
        clips: Scores and strange frames of each; a clip with one kind of frames only
            has no AUC and is left out, as is usual.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If no clip has both kinds.
    """
    areas = [
        frame_auc(scores, strange)
        for scores, strange in clips
        if strange.any() and not strange.all()
    ]
    if not areas:
        raise ValueError("no clip has strange and normal frames")
    return float(np.mean(areas))


def smooth(
    scores: Float[np.ndarray, " frame"], sigma_frames: float
) -> Float[np.ndarray, " frame"]:
    """Return scores smoothed over time by a Gaussian, as published figures are.

    Args:
        scores: Of one clip.
        sigma_frames: Its width; 3 is usual for Ped2 and Avenue, 7 for ShanghaiTech.

    Returns:
        As many scores.
    """
    return ndimage.gaussian_filter1d(scores, sigma_frames)


@dataclass(frozen=True)
class ScoredRegions:
    """Where something strange was found, and where it is, in one frame.

    Attributes:
        boxes: Found.
        scores: Of these.
        given: Boxes that are there.
        given_tracks: The number of the strange thing in each, unique over all clips.
    """

    boxes: Float[np.ndarray, "found 4"]
    scores: Float[np.ndarray, " found"]
    given: Float[np.ndarray, "given 4"]
    given_tracks: tuple[int, ...]


def region_and_track_criteria(
    frames: Sequence[ScoredRegions],
) -> tuple[float, float]:
    """Return RBDC and TBDC.

    Areas under the curve of found regions (tracks) over false regions per frame, up to
    one per frame. A region is found if one found box overlaps it by 0.1; a track if a
    tenth of its regions is (Ramachandra and Jones 2020, "Street Scene", Section 4).

    Args:
        frames: All of the test.

    Returns:
        The region-based and the track-based criterion, from 0 to 1.

    Raises:
        ValueError: If nothing is given.
    """
    sizes: dict[int, int] = {}
    hits: list[tuple[float, int]] = []  # the best score on a given region, its track
    false_scores: list[float] = []
    for frame in frames:
        overlap = overlaps(frame.boxes, frame.given) >= _REGION_OVERLAP
        for column, track in enumerate(frame.given_tracks):
            sizes[track] = sizes.get(track, 0) + 1
            if overlap[:, column].any():
                hits.append((float(frame.scores[overlap[:, column]].max()), track))
        false_scores += frame.scores[~overlap.any(axis=1)].tolist()
    if not sizes:
        raise ValueError("no strange region is given")
    ordered = np.sort(np.array(false_scores))[::-1]
    limits = np.unique([score for score, _ in hits])[::-1]
    regions, tracks, rates = [0.0], [0.0], [0.0]
    for limit in limits:
        rates.append(float((ordered >= limit).sum()) / len(frames))
        found = [track for score, track in hits if score >= limit]
        regions.append(len(found) / sum(sizes.values()))
        tracks.append(
            sum(
                found.count(track) >= _TRACK_FRACTION * size
                for track, size in sizes.items()
            )
            / len(sizes)
        )
    return _area_to_one(rates, regions), _area_to_one(rates, tracks)


def _area_to_one(rates: list[float], found: list[float]) -> float:
    """Integrate the steps of a curve from 0 to 1; what is found stays found."""
    edges = np.clip([*rates, 1.0], 0, 1)
    return float((np.diff(edges) * found).sum())
