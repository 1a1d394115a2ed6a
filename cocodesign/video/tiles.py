"""Which parts of a frame are worth a run of the network; pure planning."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Box = tuple[int, int, int, int]
_MARGIN = 0.25  # of a moving box's sides: motion is seldom the whole object
_LEAST_MARGIN = 0.03  # of the frame's sides
_NEARLY_WHOLE = 0.4


@dataclass(frozen=True)
class SearchPlan:
    """What is searched in one frame.

    Attributes:
        boxes: Rectangles ``x_start y_start x_end y_end`` in pixels; each is one run.
        reason: Why, for people.
    """

    boxes: tuple[Box, ...]
    reason: str


def plan_search(
    moving: Float[np.ndarray, "box 4"],
    *,
    size: tuple[int, int],
    tile_fraction: float,
    max_tiles: int,
    whole_is_due: bool,
) -> SearchPlan:
    """Choose tiles around what moves, or the whole frame where tiles would not pay.

    A tile is seen by the network at ``1 / tile_fraction`` times the resolution of the
    whole frame, so that small objects are found; but each costs a run. Moving boxes go
    to tiles greedily from left to right. When more than ``max_tiles`` are needed, or a
    box does not fit into a tile, one rectangle around all motion is searched, or the
    whole frame where that rectangle is nearly as large.

    Args:
        moving: Boxes around what moves.
        size: Width and height of the frame in pixels.
        tile_fraction: Sides of a tile over sides of the frame, above 0, at most 1.
        max_tiles: Runs that a frame may cost, at least 1.
        whole_is_due: Whether the whole frame has to be looked at anyway.

    Returns:
        The plan; it has no boxes when nothing moves.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> moving = np.array([[100.0, 100, 140, 180]])
        >>> plan_search(
        ...     moving,
        ...     size=(1920, 1080),
        ...     tile_fraction=0.5,
        ...     max_tiles=1,
        ...     whole_is_due=False,
        ... ).boxes
        ((0, 0, 960, 540),)
    """
    if not 0 < tile_fraction <= 1 or max_tiles < 1:
        raise ValueError(
            "tile_fraction must be in (0, 1] and max_tiles at least 1, got "
            f"{tile_fraction} and {max_tiles}"
        )
    width, height = size
    whole = (0, 0, width, height)
    if whole_is_due:
        return SearchPlan((whole,), "the whole frame was due")
    if not len(moving):
        return SearchPlan((), "nothing moves")
    sides = np.array([width, height]) * tile_fraction
    tiles: list[Box] = []
    left = _with_margin(moving, size)
    while len(left):
        first = left[left[:, 0].argmin()]
        together = _chain(first, left, sides)
        extent = _extent(left[together])
        if np.any(extent[2:] - extent[:2] > sides) or len(tiles) == max_tiles:
            around = _tile(_extent(_with_margin(moving, size)), sides, size)
            if _area(around) >= _NEARLY_WHOLE * width * height:
                return SearchPlan((whole,), "motion is spread over the frame")
            return SearchPlan((around,), "one rectangle around all motion")
        tiles.append(_tile(extent, sides, size))
        left = left[~together]
    return SearchPlan(tuple(tiles), f"motion in {len(tiles)} tiles")


def _with_margin(moving: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    margin = _MARGIN * (moving[:, 2:] - moving[:, :2])
    margin = np.maximum(margin, _LEAST_MARGIN * np.array(size))
    start = np.maximum(moving[:, :2] - margin, 0)
    end = np.minimum(moving[:, 2:] + margin, np.array(size))
    return np.concatenate([start, end], axis=1)


def _extent(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _chain(first: np.ndarray, boxes: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Say which boxes fit into one tile with the first, taken from left to right."""
    start, end = first[:2].copy(), first[2:].copy()
    together = (boxes == first).all(axis=1)
    for row in boxes[:, 0].argsort(kind="stable"):
        grown_start = np.minimum(start, boxes[row, :2])
        grown_end = np.maximum(end, boxes[row, 2:])
        if np.all(grown_end - grown_start <= sides):
            start, end = grown_start, grown_end
            together[row] = True
    return together


def _tile(extent: np.ndarray, sides: np.ndarray, size: tuple[int, int]) -> Box:
    """Return a rectangle around an extent, no smaller than a tile, in the frame."""
    shape = np.maximum(sides, extent[2:] - extent[:2])
    centre = (extent[:2] + extent[2:]) / 2
    start = np.clip(centre - shape / 2, 0, np.array(size) - shape).round().astype(int)
    end = np.minimum(start + np.ceil(shape).astype(int), size)
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])
