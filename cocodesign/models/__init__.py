"""Networks that several parts share."""

from cocodesign.models.convnet import ConvNet

__all__ = ["ConvNet"]
