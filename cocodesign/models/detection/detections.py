"""Boxes with scores and classes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import batched_nms


@dataclass(frozen=True)
class Detections:
    """What a detector found in one picture, the surest first.

    Attributes:
        boxes: ``x_start y_start x_end y_end`` in pixels of the picture.
        scores: From 0 to 1.
        classes: Indices into ``COCO_CLASSES``.
    """

    boxes: Float[Tensor, "box 4"]
    scores: Float[Tensor, " box"]
    classes: Int[Tensor, " box"]

    def __len__(self) -> int:
        return len(self.scores)

    def of_class(self, index: int) -> "Detections":
        """Return those of one class.

        Args:
            index: Into ``COCO_CLASSES``.

        Returns:
            A new value.
        """
        chosen = self.classes == index
        return Detections(self.boxes[chosen], self.scores[chosen], self.classes[chosen])


def keep_best(
    boxes: Float[Tensor, "candidate 4"],
    scores: Float[Tensor, "candidate class"],
    *,
    size: tuple[int, int],
    min_score: float,
    max_overlap: float,
) -> Detections:
    """Turn a network's candidates into detections.

    Of two boxes of one class that overlap, only the surer stays.

    Args:
        boxes: In pixels of the picture; they may reach beyond it.
        scores: Of every class.
        size: Height and width of the picture.
        min_score: Less is dropped.
        max_overlap: Intersection over union from which on two boxes are the same.

    Returns:
        Detections, their boxes cut at the picture's edges.
    """
    candidates, classes = (scores >= min_score).nonzero(as_tuple=True)
    kept_boxes, kept_scores = boxes[candidates], scores[candidates, classes]
    height, width = size
    limits = torch.tensor([width, height, width, height], dtype=boxes.dtype)
    kept_boxes = torch.minimum(kept_boxes.clamp(min=0), limits)
    best = batched_nms(kept_boxes, kept_scores, classes, max_overlap)
    return Detections(kept_boxes[best], kept_scores[best], classes[best])
