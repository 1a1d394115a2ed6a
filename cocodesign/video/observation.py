"""What is known of one moment of a stream, and how to get there from its frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from cocodesign.video.boxes import areas, intersections, overlaps
from cocodesign.video.detection import ObjectDetector
from cocodesign.video.frames import Frame, Scaler
from cocodesign.video.tracking import Track, Tracker

VIEW_HEIGHT = 144
VIEW_WIDTH = 256
_EXPLAINED = 0.25  # of a moving region, by tracks: their shadows belong to them
_LEAST_AREA = 4e-4  # of the frame
_SAME_OVERLAP = 0.4
_FORGOTTEN_S = 1.0
_EVIDENCE_S = 0.5


@dataclass(frozen=True)
class Region:
    """Something that differs from the background and is no tracked object.

    Attributes:
        box: ``x_start y_start x_end y_end`` in pixels.
        first_s: Since when something is there.
    """

    box: tuple[float, float, float, float]
    first_s: float


@dataclass(frozen=True)
class Moment:
    """One frame, understood.

    Attributes:
        time_s: In the stream's time.
        size: Width and height of the frame in pixels.
        tracks: The objects.
        regions: What moves or is new and is no object of these.
        view: The frame in grey at low resolution.
    """

    time_s: float
    size: tuple[int, int]
    tracks: tuple[Track, ...]
    regions: tuple[Region, ...]
    view: UInt8[np.ndarray, "row column"]

    @property
    def seen_tracks(self) -> tuple[Track, ...]:
        """Those that were seen just now: a prediction is no evidence."""
        return tuple(
            each for each in self.tracks if self.time_s - each.last_s <= _EVIDENCE_S
        )


class Observer:
    """Turns the frames of one stream into moments.

    Args:
        detector: Of this stream alone: it remembers the background.
        tracker: Of this stream alone.
    """

    def __init__(self, detector: ObjectDetector, tracker: Tracker) -> None:
        self.detector = detector
        self.tracker = tracker
        self._view = Scaler(VIEW_WIDTH, VIEW_HEIGHT)
        self._regions: tuple[Region, ...] = ()
        self._seen_s: dict[Region, float] = {}

    def observe(self, frame: Frame) -> Moment:
        """Understand the next frame.

        Args:
            frame: Later than the last one.

        Returns:
            What is there.
        """
        objects = self.detector.detect(frame)
        tracks = self.tracker.update(frame.time_s, objects)
        size = (frame.width, frame.height)
        self._follow_regions(frame.time_s, size, tracks)
        return Moment(frame.time_s, size, tracks, self._regions, self._view.grey(frame))

    def _follow_regions(
        self, time_s: float, size: tuple[int, int], tracks: tuple[Track, ...]
    ) -> None:
        moving = self.detector.moving
        # The first frame differs from nothing yet, and a lamp changes everything.
        share = areas(moving) / (size[0] * size[1])
        moving = moving[(share >= _LEAST_AREA) & (share <= 0.5)]
        tracked = np.array([each.box for each in tracks], float).reshape(-1, 4)
        explained = intersections(moving, tracked).sum(axis=1) / areas(moving)
        left = moving[explained < _EXPLAINED]
        known = [
            each
            for each in self._regions
            if time_s - self._seen_s[each] <= _FORGOTTEN_S
        ]
        regions, seen_s = [], {}
        for box in left:
            first_s = time_s
            if known:
                others = np.array([each.box for each in known], float)
                overlap = overlaps(box[None], others)[0]
                best = int(overlap.argmax())
                if overlap[best] >= _SAME_OVERLAP:
                    first_s = known[best].first_s
            region = Region(_four(box), first_s)
            regions.append(region)
            seen_s[region] = time_s
        self._regions, self._seen_s = tuple(regions), seen_s


def _four(box: Float[np.ndarray, "4"]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
