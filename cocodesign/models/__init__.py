"""Networks that several parts share, and readers of published ones.

::

    convnet        a small convolutional network, to be trained
    resnet         ResNet-50 as the programme trained it
    tfjs           TensorFlow.js graph models as PyTorch modules
    onnx_network   networks as ONNX files, run by ONNX Runtime
    pictures       frames as networks want them
    detection      NanoDet and CenterNet: boxes of COCO's 80 classes
    efficientnet   EfficientNet-Lite: ImageNet's 1000 classes and features
    text_encoder   MiniLM: sentences as vectors

A reader takes the files it reads; ``cocodesign.data`` fetches them.
"""

from cocodesign.models.convnet import ConvNet
from cocodesign.models.detection import open_detector
from cocodesign.models.efficientnet import EfficientNetLite
from cocodesign.models.onnx_network import OnnxNetwork, export_onnx
from cocodesign.models.resnet import resnet50
from cocodesign.models.text_encoder import TextEncoder
from cocodesign.models.tfjs import GraphModel

__all__ = [
    "ConvNet",
    "EfficientNetLite",
    "GraphModel",
    "OnnxNetwork",
    "TextEncoder",
    "export_onnx",
    "open_detector",
    "resnet50",
]
