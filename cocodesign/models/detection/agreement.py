"""How well detections agree with given boxes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import box_iou

from cocodesign.models.detection.detections import Detections


def box_average_precision(
    found: Sequence[Detections],
    given: Sequence[Float[Tensor, "_box 4"]],
    *,
    min_overlap: float = 0.5,
) -> float:
    """Return the average precision of one class over some pictures.

    The surest detection first, each is right if it overlaps a given box of its picture
    enough that no surer one has taken; precision is averaged over the given boxes, each
    at the best precision that is reached at its recall or beyond (Everingham et al.
    2015, "The PASCAL VOC Challenge: A Retrospective", Section 2.2, all points).

    Args:
        found: Detections of one class, picture by picture.
        given: The boxes that are there, picture by picture.
        min_overlap: Intersection over union that makes a match.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If there is no given box, or not one entry per picture in both.
    """
    if len(found) != len(given):
        raise ValueError(
            f"{len(found)} pictures were searched, {len(given)} have boxes"
        )
    num_given = sum(len(boxes) for boxes in given)
    if not num_given:
        raise ValueError("without a given box the average precision is undefined")
    scores = torch.cat([each.scores for each in found])
    matched = torch.cat(
        [
            _matches(each, boxes, min_overlap)
            for each, boxes in zip(found, given, strict=True)
        ]
    )
    right = matched[scores.argsort(descending=True, stable=True)]
    precision = right.cumsum(0) / torch.arange(1, len(right) + 1)
    best_from_here = precision.flip(0).cummax(0).values.flip(0)
    return (best_from_here[right].double().sum() / num_given).item()


def _matches(found: Detections, boxes: Tensor, min_overlap: float) -> Tensor:
    """Say of each detection whether it is the surest on a given box."""
    matched = torch.zeros(len(found), dtype=torch.bool)
    overlaps = box_iou(found.boxes, boxes)
    for row in found.scores.argsort(descending=True, stable=True).tolist():
        if not len(boxes):
            break
        best = overlaps[row].argmax()
        if overlaps[row, best] >= min_overlap:
            matched[row] = True
            overlaps[:, best] = -1  # taken
    return matched
