"""TensorFlow.js graph models in PyTorch, without TensorFlow and without Node.

A graph model is a JSON file (nodes, and a manifest of the weights) beside one or more
binary files. ``GraphModel`` makes an ``nn.Module`` of it::

    weights       the binary files as tensors, dequantised
    topology      the JSON file as nodes in the order of computation
    operations    what a node may compute; the table that joins the three below
    convolutions  convolution, pooling, padding, resizing: pictures as NHWC
    arithmetic    element by element, products and reductions
    shapes        rearranging, slicing, gathering
    graph         ``GraphModel``: constants folded once, nodes run in order
"""

from cocodesign.models.tfjs.graph import GraphModel

__all__ = ["GraphModel"]
