"""NanoDet: what its network wants and what its numbers mean.

Source: RangiLyu/nanodet, 2020. On three grids of cells the network gives a score for
every class and, for each side of a box, a distribution over 11 distances (generalised
focal loss, Li et al. 2020, arXiv:2006.04388, Section 3.2); the side lies at its mean.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from cocodesign.models.detection.detections import Detections, keep_best
from cocodesign.models.pictures import Frame, resize, standardise

INPUT_PX = 416
STRIDES = (8, 16, 32)
# Scores and distances of each grid, by their names in the graph's signature.
OUTPUTS = (
    *("Identity:0", "Identity_1:0", "Identity_2:0"),
    *("Identity_3:0", "Identity_4:0", "Identity_5:0"),
)
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)


class NanoDet:
    """Finds COCO's 80 classes in a frame of any size.

    The frame is squeezed into a square: persons that become slimmer are found better
    than persons that become smaller.

    Args:
        network: Takes ``1 3 416 416`` and returns ``OUTPUTS``.
        min_score: What less sure boxes are dropped.
        max_overlap: Intersection over union from which on two boxes are the same.
    """

    def __init__(
        self,
        network: Callable[[Tensor], tuple[Tensor, ...]],
        *,
        min_score: float = 0.3,
        max_overlap: float = 0.6,
    ) -> None:
        self._network = network
        self._min_score = min_score
        self._max_overlap = max_overlap

    @torch.inference_mode()
    def detect(self, frame: Frame) -> Detections:
        """Find objects.

        Args:
            frame: Red, green and blue from 0 to 255.

        Returns:
            What was found.
        """
        outputs = self._network(_prepare(frame))
        scores = torch.cat([each[0] for each in outputs[:3]])
        boxes = torch.cat(
            [
                _decode(distances[0], stride)
                for distances, stride in zip(outputs[3:], STRIDES, strict=True)
            ]
        )
        height, width = frame.shape[:2]
        scale = torch.tensor([width, height, width, height]) / INPUT_PX
        return keep_best(
            boxes * scale,
            scores,
            size=(height, width),
            min_score=self._min_score,
            max_overlap=self._max_overlap,
        )

    @torch.inference_mode()
    def score_classes(self, frame: Frame) -> Float[Tensor, " 80"]:
        """Return how surely each class is somewhere in the frame.

        Args:
            frame: Red, green and blue from 0 to 255.

        Returns:
            The largest score of each class over all cells.
        """
        outputs = self._network(_prepare(frame))
        return torch.cat([each[0] for each in outputs[:3]]).amax(0)


def _prepare(frame: Frame) -> Tensor:
    blue_green_red = resize(frame, INPUT_PX, INPUT_PX).flip(1)
    return standardise(blue_green_red, _MEAN_BGR, _STD_BGR)


def _decode(
    distances: Float[Tensor, "cell 44"], stride: int
) -> Float[Tensor, "cell 4"]:
    """Turn distributions of distances into boxes in pixels of the network's input."""
    logits = distances.unflatten(1, (4, -1))
    steps = torch.arange(logits.shape[2], dtype=logits.dtype)
    left, top, right, bottom = ((logits.softmax(2) @ steps) * stride).unbind(1)
    cells = torch.arange(len(distances))
    per_row = INPUT_PX // stride
    x = (cells % per_row + 0.5) * stride
    y = (torch.div(cells, per_row, rounding_mode="floor") + 0.5) * stride
    return torch.stack([x - left, y - top, x + right, y + bottom], 1)
