"""Arithmetic of boxes: ``x_start y_start x_end y_end``, half-open, in pixels."""

import numpy as np
from jaxtyping import Float


def areas(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Return widths times heights, 0 for a box turned inside out."""
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def intersections(
    boxes: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "other 4"]
) -> Float[np.ndarray, "box other"]:
    """Return the area that each pair of boxes has in common."""
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])
    end = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(end - start, 0, None).prod(axis=2)


def overlaps(
    boxes: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "other 4"]
) -> Float[np.ndarray, "box other"]:
    """Return intersection over union of each pair.

    Args:
        boxes: Some boxes.
        others: Others.

    Returns:
        From 0 to 1; 0 for a pair without area.

    Example:
        >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])).round(3)
        array([[0.333]])
    """
    shared = intersections(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def covered_fractions(
    boxes: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "other 4"]
) -> Float[np.ndarray, " box"]:
    """Return how much of each box its best other box covers, from 0 to 1."""
    if not len(others):
        return np.zeros(len(boxes))
    area = areas(boxes)
    best = intersections(boxes, others).max(axis=1)
    return np.divide(best, area, out=np.zeros_like(area), where=area > 0)
