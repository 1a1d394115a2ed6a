"""Where the parameters of a model enter its computation.

A *use* is one such place: a module, or a linear map inside one that is taken apart. A
subclass may compute anything, so only the exact types of ``torch.nn`` are known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from torch import nn

from cocodesign.kfac.blocks import Part
from cocodesign.kfac.layers import (
    ConvolutionMap,
    ExampleGradients,
    LinearMap,
    LookupMap,
    TransposedConvolutionMap,
    WeightMap,
    example_gradients,
)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
_FEATURE_NORMS = (nn.LayerNorm, nn.RMSNorm)
_CHANNEL_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
)
_KNOWN = {
    nn.Linear,
    nn.Embedding,
    nn.MultiheadAttention,
    *_CONVOLUTIONS,
    *_TRANSPOSED,
    *_FEATURE_NORMS,
    *_CHANNEL_NORMS,
    *_RECURRENT,
}


@dataclass(frozen=True, eq=False)
class Use:
    """One place where parameters are used.

    Attributes:
        module: What computes it; its calls are watched.
        owner: The module that holds the parameters.
        inner: Name of the linear map within ``module``, empty if it is all of it.
        source: How to read inputs and gradients; of a weight or of a normalisation.
        weight: The weight or scale, ``None`` if there is none.
        bias: The bias or shift, ``None`` if there is none.
        batch_dim: The axis that counts the examples.
        num_axes: Axes of an input with its batch axis, at least.
    """

    module: nn.Module
    owner: nn.Module
    inner: str
    source: WeightMap | ExampleGradients
    weight: Part | None
    bias: Part | None
    batch_dim: int = 0
    num_axes: int = 2

    @property
    def is_normalisation(self) -> bool:
        """Whether the parameters are scale and shift, not weight and bias."""
        return callable(self.source)


def find_uses(model: nn.Module) -> list[Use]:
    """Return all known uses of parameters, trained or not.

    Args:
        model: The model.

    Returns:
        In the order of its modules.
    """
    sequence_first = set(_sequence_first_modules(model))
    return [
        use
        for module in model.modules()
        if type(module) in _KNOWN
        for use in _uses_of(module, 1 if module in sequence_first else 0)
    ]


def _uses_of(module: nn.Module, batch_dim: int) -> Iterator[Use]:
    if isinstance(module, nn.Linear):
        yield _simple(module, LinearMap(), batch_dim=batch_dim)
    elif isinstance(module, nn.Embedding):
        yield from _uses_in_embedding(module, batch_dim)
    elif isinstance(module, _CONVOLUTIONS):
        yield _simple(module, ConvolutionMap(module), num_axes=module.weight.ndim)
    elif isinstance(module, _TRANSPOSED):
        source = TransposedConvolutionMap(module)
        yield _simple(module, source, num_axes=module.weight.ndim)
    elif isinstance(module, _FEATURE_NORMS):
        num_axes = 1 + len(module.normalized_shape)
        source = partial(example_gradients, module)
        yield _simple(module, source, batch_dim=batch_dim, num_axes=num_axes)
    elif isinstance(module, _CHANNEL_NORMS):
        yield _simple(module, partial(example_gradients, module))
    elif isinstance(module, nn.MultiheadAttention):
        yield from _uses_in_attention(module)
    elif isinstance(module, _RECURRENT):
        yield from _uses_in_recurrence(module)


def _uses_in_embedding(module: nn.Embedding, batch_dim: int) -> Iterator[Use]:
    if not (module.sparse or module.scale_grad_by_freq):
        dtype = module.weight.dtype
        source = LookupMap(module.num_embeddings, module.padding_idx, dtype)
        yield _simple(module, source, batch_dim=batch_dim, num_axes=1)


def _simple(
    module: nn.Module,
    source: WeightMap | ExampleGradients,
    *,
    batch_dim: int = 0,
    num_axes: int = 2,
) -> Use:
    return Use(
        module,
        module,
        "",
        source,
        _part(module, "weight"),
        _part(module, "bias"),
        batch_dim,
        num_axes,
    )


def _uses_in_attention(module: nn.MultiheadAttention) -> Iterator[Use]:
    size = module.embed_dim
    for index, inner in enumerate(("query", "key", "value")):
        rows = index * size, (index + 1) * size
        weight = _part(module, "in_proj_weight", rows)
        if weight is None:
            weight = _part(module, f"{inner[0]}_proj_weight")
        bias = _part(module, "in_proj_bias", rows)
        yield Use(module, module, inner, LinearMap(), weight, bias)
    out = module.out_proj
    weight, bias = _part(out, "weight"), _part(out, "bias")
    yield Use(module, out, "out", LinearMap(), weight, bias)


def _uses_in_recurrence(module: nn.RNNBase) -> Iterator[Use]:
    for name, _ in module.named_parameters():
        if name.startswith("weight"):
            bias = _part(module, name.replace("weight", "bias"))
            yield Use(module, module, name, LinearMap(), _part(module, name), bias)


def _part(
    module: nn.Module, name: str, rows: tuple[int, int] | None = None
) -> Part | None:
    parameter = getattr(module, name, None)
    return Part(parameter, rows) if isinstance(parameter, nn.Parameter) else None


def _sequence_first_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Name the modules whose inputs count positions along their first axis."""
    for module in model.modules():
        layer = module
        if isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
            layer = module.layers[0]
        if isinstance(layer, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            attention = layer.self_attn
            assert isinstance(attention, nn.MultiheadAttention)
            if not attention.batch_first:
                yield from module.modules()
