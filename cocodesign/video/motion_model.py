"""Boxes that move: a Kalman filter over many boxes at once.

A box is its centre ``x y``, its aspect (width over height) and its height (Wojke et al.
2017, "Simple Online and Realtime Tracking with a Deep Association Metric", Section
2.1). Each of the four is a value with a velocity of its own, so that a filter is four
independent ones of two numbers. Unlike there, time is in seconds and may pass unevenly,
and all spreads are in units of the box's height.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

# Spreads of x, y and height in heights; of the aspect as it is.
_MEASURED = np.array([0.05, 0.05, 0.1, 0.05])
_FIRST_VELOCITY = np.array([1.0, 1.0, 0.05, 0.2])  # per second
_ACCELERATION = np.array([1.0, 0.6, 0.05, 0.2])  # per second squared


class BoxFilter:
    """The boxes of all tracks, and how sure they are.

    Attributes:
        mean: Value and velocity of x, y, aspect and height, in pixels and seconds.
        covariance: Of each value and its velocity.
    """

    def __init__(self) -> None:
        self.mean: Float[np.ndarray, "box 4 2"] = np.zeros((0, 4, 2))
        self.covariance: Float[np.ndarray, "box 4 2 2"] = np.zeros((0, 4, 2, 2))

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def boxes(self) -> Float[np.ndarray, "box 4"]:
        """Where the boxes are, ``x_start y_start x_end y_end``."""
        x, y, aspect, height = self.mean[:, :, 0].T
        half_width, half_height = aspect * height / 2, height / 2
        return np.stack(
            [x - half_width, y - half_height, x + half_width, y + half_height], 1
        )

    @property
    def velocities(self) -> Float[np.ndarray, "box 2"]:
        """How fast the centres move, in pixels per second."""
        return self.mean[:, :2, 1]

    def add(self, boxes: Float[np.ndarray, "new 4"]) -> None:
        """Begin with new boxes, at rest, with velocities hardly known.

        Args:
            boxes: Their first measurement.
        """
        values = _measurement(boxes)
        mean = np.stack([values, np.zeros_like(values)], 2)
        covariance = np.zeros((len(boxes), 4, 2, 2))
        units = _units(values)
        covariance[:, :, 0, 0] = (_MEASURED * units) ** 2
        covariance[:, :, 1, 1] = (_FIRST_VELOCITY * units) ** 2
        self.mean = np.concatenate([self.mean, mean])
        self.covariance = np.concatenate([self.covariance, covariance])

    def predict(self, elapsed_s: float) -> None:
        """Move all boxes on.

        Args:
            elapsed_s: Seconds since the last prediction.
        """
        t = elapsed_s
        F = np.array([[1, t], [0, 1]])
        Q = np.array([[t**4 / 4, t**3 / 2], [t**3 / 2, t**2]])
        spread = (_ACCELERATION * _units(self.mean[:, :, 0])) ** 2
        self.mean = self.mean @ F.T
        self.covariance = F @ self.covariance @ F.T + spread[..., None, None] * Q
        self.mean[:, 2:, 0] = np.maximum(self.mean[:, 2:, 0], [0.05, 1.0])

    def correct(
        self, rows: Int[np.ndarray, " seen"], boxes: Float[np.ndarray, "seen 4"]
    ) -> None:
        """Take measurements of some boxes.

        Args:
            rows: Which boxes were seen, each once.
            boxes: Where.
        """
        values = _measurement(boxes)
        mean, covariance = self.mean[rows], self.covariance[rows]
        noise = (_MEASURED * _units(mean[:, :, 0])) ** 2
        gain = covariance[..., 0] / (covariance[..., 0, 0] + noise)[..., None]
        surprise = values - mean[:, :, 0]
        self.mean[rows] = mean + gain * surprise[..., None]
        self.covariance[rows] = (
            covariance - gain[..., None] * covariance[..., 0, :][..., None, :]
        )

    def keep(self, kept: Bool[np.ndarray, " box"]) -> None:
        """Forget the other boxes.

        Args:
            kept: Which ones stay.
        """
        self.mean, self.covariance = self.mean[kept], self.covariance[kept]


def _measurement(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.column_stack([centres, sides[:, 0] / sides[:, 1], sides[:, 1]])


def _units(values: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
    units = np.repeat(values[:, 3:4], 4, axis=1)
    units[:, 2] = 1
    return units
