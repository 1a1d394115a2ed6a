"""Trained networks as small files that run.

A weight is pruned to zero or quantized to a *symbol*; symbols are coded without loss
into a ``.ccz`` file, from which layers compute directly::

    sensitivity      how much the loss minds a change of each weight
    pruning          ``prune`` and ``Pruner``: which weights go, and stay away
    admm             ``AlternatingPruner``: weights are drawn to a sparse copy first
    quantized        symbols and what they stand for
    rate_distortion  symbols that weigh error against bits
    quantization     ``quantize``: a model's weights to symbols
    budget           the price of a bit that meets a file size or an accuracy
    centroids        ``CentroidTrainer``: values that learn while symbols stay
    rate             ``CodingRate``: bits as a term of the training loss
    frequencies, gap_coding      profile "fast": interleaved rANS
    logistic, binary_coder, mixing, surroundings, symbol_models, context_mixing
                                 profile "max": context mixing
    container        the file's layout
    tensor_coding, model_codec, report      ``encode_model``, ``decode_model``
    packed, packed_kernels, runtime         ``load_compressed``: run from the file
    shrinking        ``shrink``: the whole recipe, with training

A compression ratio is bytes of all weights as they were over bytes of the file on the
disk, in which everything counts.
"""

from cocodesign.compression.model_codec import decode_model, encode_model
from cocodesign.compression.pruning import Pruner, prune
from cocodesign.compression.quantization import quantize
from cocodesign.compression.report import CompressionReport
from cocodesign.compression.runtime import load_compressed
from cocodesign.compression.shrinking import shrink

__all__ = [
    "CompressionReport",
    "Pruner",
    "decode_model",
    "encode_model",
    "load_compressed",
    "prune",
    "quantize",
    "shrink",
]
