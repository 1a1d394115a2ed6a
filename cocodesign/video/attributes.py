"""What of an object can be strange, as numbers that do not depend on the resolution."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cocodesign.video.observation import Moment
from cocodesign.video.tracking import Track

_SPEED_WINDOW_S = 1.0
_LEAST_WINDOW_S = 0.4


@dataclass(frozen=True)
class Attributes:
    """An object at one moment.

    Attributes:
        place: Of its foot point, over width and height of the frame.
        velocity: To the right and downwards, in its own heights per second; ``None``
            for an object that is too new.
        height: Over the frame's height.
        aspect: Width over height.
        still_s: Seconds for which it has stayed within half of its height.
    """

    place: tuple[float, float]
    velocity: tuple[float, float] | None
    height: float
    aspect: float
    still_s: float

    @property
    def speed(self) -> float:
        """In heights per second; 0 for an object that is too new."""
        return 0.0 if self.velocity is None else float(np.hypot(*self.velocity))

    @property
    def path(self) -> Float[np.ndarray, "2"]:
        """Place, for the density of places."""
        return np.array(self.place)

    @property
    def shape(self) -> Float[np.ndarray, "3"]:
        """Size and form with the row of the foot, on which a person's size depends."""
        return np.array([np.log(self.height), np.log(self.aspect), self.place[1]])


def attributes_of(track: Track, moment: Moment) -> Attributes:
    """Measure an object.

    Args:
        track: One of the moment's.
        moment: When.

    Returns:
        Its attributes.
    """
    width, height = moment.size
    left, top, right, bottom = track.box
    box_height = max(bottom - top, 1.0)
    points = np.array(track.trajectory)
    recent = points[points[:, 0] >= points[-1, 0] - _SPEED_WINDOW_S]
    span_s = recent[-1, 0] - recent[0, 0]
    velocity = None
    if span_s >= _LEAST_WINDOW_S:
        times = recent[:, 0] - recent[:, 0].mean()
        slope = times @ (recent[:, 1:] - recent[:, 1:].mean(axis=0)) / (times @ times)
        velocity = (float(slope[0] / box_height), float(slope[1] / box_height))
    away = np.linalg.norm(points[:, 1:] - points[-1, 1:], axis=1) > box_height / 2
    since_s = points[away, 0].max() if away.any() else points[0, 0]
    return Attributes(
        place=((left + right) / 2 / width, bottom / height),
        velocity=velocity,
        height=box_height / height,
        aspect=max(right - left, 1.0) / box_height,
        still_s=float(moment.time_s - since_s),
    )
