"""Which box is whose: detections become tracks.

Source: Zhang et al. 2022, "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box" (arXiv:2110.06864), Section 3: sure detections meet all tracks first,
then the unsure ones meet the tracks that are left, because a person behind another is
an unsure detection and no new person. Here frames may be searched in part or not at
all: a track that nobody looked for moves on and is not counted as lost.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from cocodesign.models.detection import COCO_CLASSES
from cocodesign.video.boxes import covered_fractions, overlaps
from cocodesign.video.detection import Objects
from cocodesign.video.motion_model import BoxFilter

_TRAJECTORY_POINTS = 256
_LEAST_SEARCHED = 0.5  # of a box, for it to count as looked for
_UNSEEN_S = 5.0  # after which a track ends even if nobody looked: it left the frame
_SCORE_MEMORY = 0.8  # weight of the score so far beside a new one
_SURE_MOVE = 0.5  # of its height: what has moved so far is no part of the scene
_SAME_TRACK_OVERLAP = 0.6
_NEAR_AFFINITY = 0.5
_NEAR_HEIGHTS = 1.2
_LIKE_HEIGHT = 0.75
_OTHER_CLASS_COST = 0.3


@dataclass(frozen=True)
class Track:
    """An object at one moment.

    Attributes:
        number: The same as long as it is followed, never used again.
        class_index: Into ``COCO_CLASSES``.
        box: ``x_start y_start x_end y_end`` in pixels.
        velocity: Of its centre to the right and downwards, in pixels per second.
        score: Of its detections, the newest counting most.
        first_s: When it was first seen.
        last_s: When it was last seen; earlier than now while it is only predicted.
        trajectory: Its newest foot points, ``time_s x y`` each.
    """

    number: int
    class_index: int
    box: tuple[float, float, float, float]
    velocity: tuple[float, float]
    score: float
    first_s: float
    last_s: float
    trajectory: tuple[tuple[float, float, float], ...]

    @property
    def class_name(self) -> str:
        """Its class in words."""
        return COCO_CLASSES[self.class_index]


@dataclass
class _Followed:
    number: int
    class_votes: Counter[int]
    score: float
    first_s: float
    last_s: float
    is_believed: bool = False
    num_seen: int = 1
    num_missed: int = 0
    points: deque[tuple[float, float, float]] = field(
        default_factory=lambda: deque(maxlen=_TRAJECTORY_POINTS)
    )


class Tracker:
    """Follows objects from frame to frame.

    Args:
        min_sure_score: From which on a detection is sure.
        min_new_score: From which on a sure detection that fits no track begins one.
        min_affinity: Intersection over union with the predicted box that a match needs;
            a near box of like size counts as well.
        min_seen: Detections after which a track is believed, if it has moved by half
            its height or its score is sure: a signpost taken for a person does neither.
        lost_s: Seconds after which a track that was looked for in vain ends.
        shown_s: Seconds for which a track that is looked for in vain is still shown.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        *,
        min_sure_score: float = 0.6,
        min_new_score: float = 0.5,
        min_affinity: float = 0.2,
        min_seen: int = 2,
        lost_s: float = 2.0,
        shown_s: float = 0.25,
    ) -> None:
        if not 0 <= min_affinity < 1 or min_seen < 1 or lost_s < 0 or shown_s < 0:
            raise ValueError(
                "min_affinity must be in [0, 1), min_seen at least 1, lost_s and "
                f"shown_s not negative; got {min_affinity}, {min_seen}, {lost_s}, "
                f"{shown_s}"
            )
        self._min_sure_score = min_sure_score
        self._min_new_score = min_new_score
        self._min_affinity = min_affinity
        self._min_seen = min_seen
        self._lost_s = lost_s
        self._shown_s = shown_s
        self._filter = BoxFilter()
        self._followed: list[_Followed] = []
        self._next_number = 1
        self._time_s: float | None = None
        self._counts: Counter[int] = Counter()

    def update(self, time_s: float, objects: Objects | None) -> tuple[Track, ...]:
        """Take the next frame.

        Args:
            time_s: Its time; not before the last one's.
            objects: What was found, and where it was looked for; ``None`` if it was
                not looked for at all.

        Returns:
            The believed tracks that are there now.

        Raises:
            ValueError: If time goes backwards.
        """
        if self._time_s is not None:
            if time_s < self._time_s:
                raise ValueError(
                    f"frames go forward in time: {time_s} s after {self._time_s} s"
                )
            self._filter.predict(time_s - self._time_s)
        self._time_s = time_s
        if objects is not None:
            self._associate(time_s, objects)
        return self._shown(time_s)

    def counts(self) -> dict[str, int]:
        """Return how many objects of each class were believed so far."""
        return {COCO_CLASSES[index]: n for index, n in sorted(self._counts.items())}

    def _associate(self, time_s: float, objects: Objects) -> None:
        sure = objects.scores >= self._min_sure_score
        free = np.arange(len(self._followed))
        believed = np.array([each.is_believed for each in self._followed], bool)
        free, left = self._match(time_s, objects, np.flatnonzero(sure), free)
        # An unsure detection keeps a believed track alive, but never a fresh one.
        fresh = free[~believed[free]]
        free, _ = self._match(
            time_s, objects, np.flatnonzero(~sure), free[believed[free]]
        )
        missed = np.concatenate([free, fresh])
        searched = covered_fractions(self._filter.boxes[missed], objects.searched)
        for row, fraction in zip(missed, searched, strict=True):
            if fraction >= _LEAST_SEARCHED:
                self._followed[row].num_missed += 1
        self._forget(time_s)
        self._begin(time_s, objects, left)

    def _match(
        self,
        time_s: float,
        objects: Objects,
        found: Int[np.ndarray, " found"],
        rows: Int[np.ndarray, " row"],
    ) -> tuple[Int[np.ndarray, " row_left"], Int[np.ndarray, " found_left"]]:
        """Pair tracks with detections; return those of both that stay alone."""
        if not len(found) or not len(rows):
            return rows, found
        affinity = _affinities(self._filter.boxes[rows], objects.boxes[found])
        classes = np.array(
            [self._followed[row].class_votes.most_common(1)[0][0] for row in rows]
        )
        cost = 1 - affinity
        cost[classes[:, None] != objects.classes[found][None]] += _OTHER_CLASS_COST
        cost[affinity < self._min_affinity] = 2.0  # worse than any allowed pair
        first, second = linear_sum_assignment(cost)
        allowed = cost[first, second] < 2.0
        first, second = first[allowed], second[allowed]
        matched_rows, matched_found = rows[first], found[second]
        self._filter.correct(matched_rows, objects.boxes[matched_found])
        for row, index in zip(matched_rows, matched_found, strict=True):
            self._see(self._followed[row], time_s, objects, int(index))
        return np.delete(rows, first), np.delete(found, second)

    def _see(
        self, followed: _Followed, time_s: float, objects: Objects, index: int
    ) -> None:
        followed.class_votes[int(objects.classes[index])] += 1
        newest = float(objects.scores[index])
        followed.score = _SCORE_MEMORY * followed.score + (1 - _SCORE_MEMORY) * newest
        followed.last_s = time_s
        followed.num_seen += 1
        followed.num_missed = 0
        followed.points.append(_foot(time_s, objects.boxes[index]))
        if not followed.is_believed and self._deserves_belief(
            followed, objects.boxes[index]
        ):
            followed.is_believed = True
            self._counts[followed.class_votes.most_common(1)[0][0]] += 1

    def _begin(
        self, time_s: float, objects: Objects, left: Int[np.ndarray, " left"]
    ) -> None:
        new = left[objects.scores[left] >= self._min_new_score]
        if len(new) and len(self._filter):
            taken = overlaps(objects.boxes[new], self._filter.boxes).max(axis=1)
            new = new[taken < _SAME_TRACK_OVERLAP]
        self._filter.add(objects.boxes[new])
        for index in new:
            followed = _Followed(
                number=self._next_number,
                class_votes=Counter([int(objects.classes[index])]),
                score=float(objects.scores[index]),
                first_s=time_s,
                last_s=time_s,
            )
            followed.points.append(_foot(time_s, objects.boxes[index]))
            self._followed.append(followed)
            self._next_number += 1

    def _forget(self, time_s: float) -> None:
        kept = np.array(
            [
                (not each.num_missed and time_s - each.last_s <= _UNSEEN_S)
                or (each.is_believed and time_s - each.last_s <= self._lost_s)
                for each in self._followed
            ],
            bool,
        )
        self._filter.keep(kept)
        self._followed = [
            each for each, stays in zip(self._followed, kept, strict=True) if stays
        ]

    def _shown(self, time_s: float) -> tuple[Track, ...]:
        boxes, velocities = self._filter.boxes, self._filter.velocities
        return tuple(
            Track(
                number=each.number,
                class_index=each.class_votes.most_common(1)[0][0],
                box=_four(box),
                velocity=(float(velocity[0]), float(velocity[1])),
                score=each.score,
                first_s=each.first_s,
                last_s=each.last_s,
                trajectory=tuple(each.points),
            )
            for each, box, velocity in zip(
                self._followed, boxes, velocities, strict=True
            )
            if each.is_believed
            and (not each.num_missed or time_s - each.last_s <= self._shown_s)
        )

    def _deserves_belief(self, followed: _Followed, box: np.ndarray) -> bool:
        if followed.num_seen < self._min_seen:
            return False
        _, x, y = followed.points[0]
        _, x_now, y_now = followed.points[-1]
        moved_px = float(np.hypot(x_now - x, y_now - y))
        has_moved = moved_px >= _SURE_MOVE * float(box[3] - box[1])
        return has_moved or followed.score >= self._min_sure_score


def _affinities(
    tracked: Float[np.ndarray, "track 4"], found: Float[np.ndarray, "found 4"]
) -> Float[np.ndarray, "track found"]:
    """Return how well each pair fits, from 0 to 1.

    Boxes of a fast object do not overlap from frame to frame; one of like height within
    1.2 of its heights counts up to ``_NEAR_AFFINITY``, falling with the distance.
    """
    heights = np.maximum(tracked[:, None, 3] - tracked[:, None, 1], 1.0)
    others = np.maximum(found[None, :, 3] - found[None, :, 1], 1.0)
    alike = np.minimum(heights / others, others / heights) >= _LIKE_HEIGHT
    centres = (tracked[:, None, :2] + tracked[:, None, 2:]) / 2
    other_centres = (found[None, :, :2] + found[None, :, 2:]) / 2
    distance = np.linalg.norm(centres - other_centres, axis=2) / heights
    near = _NEAR_AFFINITY * np.clip(1 - distance / _NEAR_HEIGHTS, 0, None)
    return np.maximum(overlaps(tracked, found), np.where(alike, near, 0.0))


def _foot(time_s: float, box: Float[np.ndarray, "4"]) -> tuple[float, float, float]:
    return time_s, float(box[0] + box[2]) / 2, float(box[3])


def _four(box: Float[np.ndarray, "4"]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
