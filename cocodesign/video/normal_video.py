"""What is kept of normal video: the attributes of everything in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cocodesign.models.detection import COCO_CLASSES
from cocodesign.video.attributes import attributes_of
from cocodesign.video.observation import Moment


@dataclass(frozen=True)
class NormalVideo:
    """What is kept of normal video.

    Attributes:
        motions: Velocities in heights per second.
        motion_tracks: Whose.
        places: Foot points over the frame's sides.
        shapes: Logarithms of height and aspect, and the row of the foot.
        tracks: Whose places and shapes.
        class_counts: Tracks of each of ``COCO_CLASSES``.
        longest_still_s: For which an object stayed in one place.
        longest_unknown_s: For which something that is no object differed.
        duration_s: Of the video.
    """

    motions: Float[np.ndarray, "motion 2"]
    motion_tracks: Int[np.ndarray, " motion"]
    places: Float[np.ndarray, "place 2"]
    shapes: Float[np.ndarray, "place 3"]
    tracks: Int[np.ndarray, " place"]
    class_counts: Int[np.ndarray, " 80"]
    longest_still_s: float
    longest_unknown_s: float
    duration_s: float

    @classmethod
    def of(cls, moments: Sequence[Moment]) -> "NormalVideo":
        """Collect the attributes of everything in some moments.

        Args:
            moments: In order.

        Returns:
            Their attributes.
        """
        seen = [
            (track, attributes_of(track, moment))
            for moment in moments
            for track in moment.seen_tracks
        ]
        moving = [(track, each) for track, each in seen if each.velocity is not None]
        classes = Counter({track.number: track.class_index for track, _ in seen})
        counts = np.bincount(list(classes.values()), minlength=len(COCO_CLASSES))
        return cls(
            motions=np.array([each.velocity for _, each in moving]).reshape(-1, 2),
            motion_tracks=np.array([track.number for track, _ in moving], int),
            places=np.array([each.place for _, each in seen]).reshape(-1, 2),
            shapes=np.array([each.shape for _, each in seen]).reshape(-1, 3),
            tracks=np.array([track.number for track, _ in seen], int),
            class_counts=counts.astype(int),
            longest_still_s=max((each.still_s for _, each in seen), default=0.0),
            longest_unknown_s=max(
                (
                    moment.time_s - region.first_s
                    for moment in moments
                    for region in moment.regions
                ),
                default=0.0,
            ),
            duration_s=moments[-1].time_s - moments[0].time_s if moments else 0.0,
        )
