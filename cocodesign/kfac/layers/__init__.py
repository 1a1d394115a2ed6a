"""What K-FAC has to know of each kind of layer.

::

    weight_map     what is asked of a layer that multiplies with a weight
    linear         linear layers and embeddings
    convolution    convolutions and transposed convolutions
    normalisation  layers that scale and shift
    attention      attention, taken apart into its linear maps
    recurrence     recurrent layers, taken apart into theirs
"""

from cocodesign.kfac.layers.attention import attend
from cocodesign.kfac.layers.convolution import ConvolutionMap, TransposedConvolutionMap
from cocodesign.kfac.layers.linear import LinearMap, LookupMap
from cocodesign.kfac.layers.normalisation import (
    ExampleGradients,
    Normalisation,
    example_gradients,
)
from cocodesign.kfac.layers.recurrence import recur
from cocodesign.kfac.layers.weight_map import WeightMap

__all__ = [
    "ConvolutionMap",
    "ExampleGradients",
    "LinearMap",
    "LookupMap",
    "Normalisation",
    "TransposedConvolutionMap",
    "WeightMap",
    "attend",
    "example_gradients",
    "recur",
]
