"""Objects in pictures: boxes with one of COCO's 80 classes.

::

    classes     the names of the classes
    detections  boxes with scores and classes
    nanodet     NanoDet: fast, for small objects as well
    centernet   CenterNet on MobileNetV3
    opening     a detector from a folder, by ONNX Runtime or PyTorch
    agreement   average precision against given boxes
"""

from cocodesign.models.detection.agreement import box_average_precision
from cocodesign.models.detection.centernet import CenterNet
from cocodesign.models.detection.classes import COCO_CLASSES
from cocodesign.models.detection.detections import Detections
from cocodesign.models.detection.nanodet import NanoDet
from cocodesign.models.detection.opening import open_detector

__all__ = [
    "COCO_CLASSES",
    "CenterNet",
    "Detections",
    "NanoDet",
    "box_average_precision",
    "open_detector",
]
