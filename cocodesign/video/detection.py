"""Objects in the frames of a stream, without running the network everywhere."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torchvision.ops import batched_nms

from cocodesign.models.detection import COCO_CLASSES, Detections
from cocodesign.video.frames import Frame, Scaler
from cocodesign.video.motion import GRID_HEIGHT, GRID_WIDTH, MotionMask, moving_boxes
from cocodesign.video.tiles import Box, SearchPlan, plan_search

_INPUT_PX = 416  # what the frame is reduced to; NanoDet's own size
_SAME_OVERLAP = 0.6
_CUT_PX = 3  # a box so near to a tile's inner edge is probably cut


@runtime_checkable
class FindsObjects(Protocol):
    """A network's reader, such as ``cocodesign.models.detection.NanoDet``."""

    def detect(self, frame: UInt8[Tensor, "height width 3"]) -> Detections:
        """Find objects in red, green and blue."""
        ...


@dataclass(frozen=True)
class Objects:
    """What was found in a frame, the surest first.

    Attributes:
        boxes: ``x_start y_start x_end y_end`` in pixels of the frame.
        scores: From 0 to 1.
        classes: Indices into ``COCO_CLASSES``.
        searched: The rectangles that the network saw.
    """

    boxes: Float[np.ndarray, "object 4"]
    scores: Float[np.ndarray, " object"]
    classes: Int[np.ndarray, " object"]
    searched: Float[np.ndarray, "region 4"]

    def __len__(self) -> int:
        return len(self.scores)


class ObjectDetector:
    """Finds objects, spending at most so many runs of the network a second.

    A frame is reduced once to a small grid that tells where something moves. Where
    motion is near together, the network looks at tiles of full resolution; where it is
    spread, at the whole frame; where nothing moves, at nothing, except for a look at
    the whole frame now and then.

    Args:
        network: Finds objects in one picture; see ``cocodesign.models.open_detector``.
        classes: Names of the classes that matter; ``None`` keeps all 80.
        max_rate_hz: Frames a second, by the stream's time, that the network looks at.
        whole_interval_s: Seconds between two looks at the whole frame.
        max_tiles: Runs that one frame may cost.
        tile_fraction: Sides of a tile over sides of the frame.

    Attributes:
        num_runs: How often the network ran.
        plan: What was searched last, and why.
        moving: Boxes around what moved when it was last looked.

    Raises:
        ValueError: If a class is unknown, or a number is out of its range.
    """

    def __init__(
        self,
        network: FindsObjects,
        *,
        classes: tuple[str, ...] | None = None,
        max_rate_hz: float = 10.0,
        whole_interval_s: float = 1.0,
        max_tiles: int = 1,
        tile_fraction: float = 0.5,
    ) -> None:
        unknown = sorted(set(classes or ()) - set(COCO_CLASSES))
        if unknown:
            raise ValueError(f"no classes of COCO: {', '.join(unknown)}")
        if max_rate_hz <= 0 or whole_interval_s < 0:
            raise ValueError(
                "max_rate_hz must be positive and whole_interval_s not negative, got "
                f"{max_rate_hz} and {whole_interval_s}"
            )
        self._network = network
        self._classes = (
            None
            if classes is None
            else np.array([COCO_CLASSES.index(name) for name in classes])
        )
        self._interval_s = 1 / max_rate_hz
        self._whole_interval_s = whole_interval_s
        self._max_tiles = max_tiles
        self._tile_fraction = tile_fraction
        self._grid = Scaler(GRID_WIDTH, GRID_HEIGHT)
        self._input = Scaler(_INPUT_PX, _INPUT_PX)
        self._motion = MotionMask()
        self._searched_s = float("-inf")
        self._whole_s = float("-inf")
        self.num_runs = 0
        self.plan = SearchPlan((), "no frame yet")
        self.moving: Float[np.ndarray, "box 4"] = np.zeros((0, 4))

    def detect(self, frame: Frame) -> Objects | None:
        """Take the next frame of the stream.

        Args:
            frame: Later than the last one.

        Returns:
            What was found; ``None`` if the network did not look at this frame.
        """
        # A millisecond: times are fractions that floats do not always hit.
        if frame.time_s - self._searched_s < self._interval_s - 1e-3:
            return None
        self._searched_s = frame.time_s
        moving = self._motion.update(self._grid.grey(frame), frame.time_s)
        whole_is_due = frame.time_s - self._whole_s >= self._whole_interval_s
        size = (frame.width, frame.height)
        self.moving = moving_boxes(moving, size=size)
        self.plan = plan_search(
            self.moving,
            size=size,
            tile_fraction=self._tile_fraction,
            max_tiles=self._max_tiles,
            whole_is_due=whole_is_due,
        )
        if not self.plan.boxes:
            return None
        found = [self._search(frame, box) for box in self.plan.boxes]
        self.num_runs += len(found)
        return self._merge(found)

    def _search(self, frame: Frame, box: Box) -> Objects:
        is_whole = box == (0, 0, frame.width, frame.height)
        if is_whole:
            self._whole_s = frame.time_s
        part = frame if is_whole else frame.cut(box)
        pixels = torch.from_numpy(self._input.pixels(part))
        found = self._network.detect(pixels)
        left, top = box[:2] if is_whole else (box[0] // 2 * 2, box[1] // 2 * 2)
        scale = np.tile([part.width / _INPUT_PX, part.height / _INPUT_PX], 2)
        boxes = found.boxes.numpy().astype(float) * scale + [left, top, left, top]
        region = np.array([left, top, left + part.width, top + part.height], float)
        classes = found.classes.numpy()
        kept = ~_is_cut(boxes, region, frame)
        if self._classes is not None:
            kept &= np.isin(classes, self._classes)
        scores = found.scores.numpy().astype(float)
        return Objects(boxes[kept], scores[kept], classes[kept], region[None])

    def _merge(self, found: list[Objects]) -> Objects:
        if len(found) == 1:
            return found[0]
        boxes = np.concatenate([each.boxes for each in found])
        scores = np.concatenate([each.scores for each in found])
        classes = np.concatenate([each.classes for each in found])
        best = batched_nms(
            torch.from_numpy(boxes),
            torch.from_numpy(scores),
            torch.from_numpy(classes),
            _SAME_OVERLAP,
        ).numpy()
        searched = np.concatenate([each.searched for each in found])
        return Objects(boxes[best], scores[best], classes[best], searched)


def _is_cut(boxes: np.ndarray, region: np.ndarray, frame: Frame) -> np.ndarray:
    """Say which boxes end at an edge of the region that is none of the frame."""
    inner = np.array(
        [
            region[0] > 0,
            region[1] > 0,
            region[2] < frame.width,
            region[3] < frame.height,
        ]
    )
    return np.any(inner & (np.abs(boxes - region) <= _CUT_PX), axis=1)
