"""CenterNet on MobileNetV3: objects as points (Zhou et al. 2019, arXiv:1904.07850)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cocodesign.models.detection.classes import COCO_CLASSES
from cocodesign.models.detection.detections import Detections, keep_best
from cocodesign.models.pictures import Frame, resize

INPUT_PX = 512
OUTPUTS = ("tower_0/detections",)


class CenterNet:
    """Finds COCO's 80 classes in a frame of any size.

    Args:
        network: Takes ``1 512 512 3`` and returns ``OUTPUTS``: a hundred rows of a box
            in pixels of the input, its score and its class.
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
        rows = self._rows(frame)
        height, width = frame.shape[:2]
        scale = torch.tensor([width, height, width, height]) / INPUT_PX
        one_hot = functional.one_hot(rows[:, 5].long(), len(COCO_CLASSES))
        return keep_best(
            rows[:, :4] * scale,
            one_hot * rows[:, 4:5],
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
            The largest score of each class; 0 if it is not among the hundred boxes.
        """
        rows = self._rows(frame)
        scores = torch.zeros(len(COCO_CLASSES))
        return scores.scatter_reduce(0, rows[:, 5].long(), rows[:, 4], "amax")

    def _rows(self, frame: Frame) -> Float[Tensor, "100 6"]:
        resized = resize(frame, INPUT_PX, INPUT_PX).permute(0, 2, 3, 1)
        return self._network(resized.contiguous().float())[0][0]
