"""Where something moves: a background of low resolution and what differs from it."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

GRID_HEIGHT = 108
GRID_WIDTH = 192
_ADAPTATION_S = 10.0  # in which the background takes over what stays
_NOISE_ADAPTATION_S = 20.0
_LEAST_DIFFERENCE = 8.0  # of 255: sensor noise and compression stay below
_NUM_SPREADS = 4.0
_LEAST_CELLS = 3


class MotionMask:
    """Compares frames, reduced to a grid, with how the grid usually looks.

    The background follows with a time constant of ten seconds, so that something that
    stops becomes part of it; its usual difference is learnt beside it, so that leaves
    and flicker do not count as motion.
    """

    def __init__(self) -> None:
        self._background: Float[np.ndarray, "row column"] | None = None
        self._difference: Float[np.ndarray, "row column"] = np.zeros(())
        self._time_s = 0.0

    def update(
        self, grid: UInt8[np.ndarray, "row column"], time_s: float
    ) -> Bool[np.ndarray, "row column"]:
        """Take the next frame.

        Args:
            grid: Its brightness at low resolution, always of one size.
            time_s: Its time.

        Returns:
            Where something moves; everywhere in the first frame.
        """
        now = grid.astype(np.float32)
        if self._background is None or self._background.shape != now.shape:
            self._background = now
            self._difference = np.full_like(now, _LEAST_DIFFERENCE / _NUM_SPREADS)
            self._time_s = time_s
            return np.ones(now.shape, bool)
        elapsed_s = max(0.0, time_s - self._time_s)
        self._time_s = time_s
        difference = np.abs(now - self._background)
        # A lamp that is switched on changes all cells alike and is not motion.
        common = np.median(now - self._background)
        moving = np.abs(now - self._background - common) > np.maximum(
            _LEAST_DIFFERENCE, _NUM_SPREADS * self._difference
        )
        rate = 1 - np.exp(-elapsed_s / _ADAPTATION_S)
        self._background += rate * (now - self._background)
        noise_rate = 1 - np.exp(-elapsed_s / _NOISE_ADAPTATION_S)
        capped = np.minimum(difference, 2 * self._difference + 1)
        self._difference += noise_rate * (capped - self._difference)
        return moving


def moving_boxes(
    moving: Bool[np.ndarray, "row column"], *, size: tuple[int, int]
) -> Float[np.ndarray, "box 4"]:
    """Return a box around each connected region that moves.

    Args:
        moving: Where something moves.
        size: Width and height of the frame in pixels.

    Returns:
        Boxes in pixels of the frame; specks of fewer than three cells are left out.
    """
    # Parts of one object that are two cells apart belong together.
    joined = ndimage.binary_dilation(moving, iterations=1)
    labels = np.zeros(joined.shape, np.int32)
    ndimage.label(joined, output=labels)
    scale = np.array(size) / [moving.shape[1], moving.shape[0]]
    cells = ndimage.sum_labels(moving, labels, np.arange(1, labels.max() + 1))
    boxes = [
        [columns.start, rows.start, columns.stop, rows.stop]
        for (rows, columns), count in zip(
            ndimage.find_objects(labels), np.atleast_1d(cells), strict=True
        )
        if count >= _LEAST_CELLS
    ]
    return np.array(boxes, float).reshape(-1, 4) * np.tile(scale, 2)
