"""Weights to few values: which tensors, which bits, which quantizer."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cocodesign.compression.quantized import (
    Codebook,
    QuantizedTensor,
    UniformQuantizer,
)
from cocodesign.compression.rate_distortion import choose_step

_MOST_BITS = 16
_KMEANS_ROUNDS = 30


def quantize(
    model: nn.Module | Mapping[str, Tensor],
    *,
    num_bits: int | Mapping[str, int] = 6,
    method: Literal["uniform", "kmeans"] = "uniform",
    vector_bits: int | None = None,
    price: float | None = None,
    importance: Mapping[str, Tensor] | Mapping[str, float] | None = None,
) -> dict[str, QuantizedTensor | Tensor]:
    """Replace the weights of a model by symbols of few values.

    Floating-point tensors of two and more axes are quantized; vectors (biases,
    normalisation) only if ``vector_bits`` is given; all others stay as they are.
    Zeros stay zeros.

    Args:
        model: The model or its state dictionary; it is not changed.
        num_bits: Bits of a symbol before coding, 2 to 16: there are ``2**bits - 1``
            values. For all tensors or by name.
        method: ``"uniform"`` spaces the values evenly, the largest weight the last.
            ``"kmeans"`` fits them to the non-zero weights.
        vector_bits: Bits of vectors.
        price: λ ≥ 0: what a bit costs in units of the weighted squared error. Given, it
            replaces ``num_bits``: every tensor takes the step and the symbols of least
            total cost (``rate_distortion``).
        importance: What a squared error of each weight costs, by tensor, or one number
            for the whole tensor; 1 where missing. Used with ``price``.

    Returns:
        The state dictionary, with a ``QuantizedTensor`` where a tensor was quantized.

    Raises:
        ValueError: If bits are out of range, a name is unknown, the method is, or the
            price is negative.

    Example:
        >>> weight = torch.tensor([[0.0, 0.1], [-1.0, 0.3]])
        >>> quantize({"weight": weight}, num_bits=2)["weight"].symbols.tolist()
        [[0, 0], [-1, 0]]
    """
    state = model.state_dict() if isinstance(model, nn.Module) else model
    by_name = num_bits if isinstance(num_bits, Mapping) else {}
    for given in (by_name, importance or {}):
        if unknown := sorted(set(given) - set(state)):
            raise ValueError(f"no tensors named {unknown}, there are {sorted(state)}")
    quantized: dict[str, QuantizedTensor | Tensor] = {}
    for name, tensor in state.items():
        is_vector = tensor.dim() < 2
        bits = vector_bits if is_vector else by_name.get(name, num_bits)
        if not isinstance(bits, int) or not tensor.is_floating_point():
            quantized[name] = tensor
            continue
        weights = tensor.detach().float().cpu()
        if not torch.isfinite(weights).all():
            raise ValueError(f"{name} holds values that are not finite")
        if price is not None and not is_vector and weights.any():
            matters = (importance or {}).get(name, 1.0)
            if isinstance(matters, Tensor):
                matters = matters.float().cpu()
            chosen = choose_step(weights, matters, price)
            found = QuantizedTensor(chosen.symbols, chosen.quantizer, tensor.dtype)
        elif method == "kmeans" and not is_vector:
            found = share_weights(weights, bits)
        elif method in ("uniform", "kmeans"):
            found = _space_evenly(weights, bits)
        else:
            raise ValueError(f"method must be 'uniform' or 'kmeans', got {method!r}")
        quantized[name] = QuantizedTensor(found.symbols, found.quantizer, tensor.dtype)
    return quantized


def dequantized(
    tensors: Mapping[str, QuantizedTensor | Tensor],
) -> dict[str, Tensor]:
    """Return the state dictionary that quantized tensors stand for.

    Args:
        tensors: From ``quantize``.

    Returns:
        A tensor for each name.
    """
    return {
        name: each.dequantize() if isinstance(each, QuantizedTensor) else each
        for name, each in tensors.items()
    }


def share_weights(weights: Float[Tensor, "..."], num_bits: int) -> QuantizedTensor:
    """Cluster the non-zero weights by k-means; each becomes its cluster's centroid.

    Centroids start evenly spaced between the least and the largest weight, which keeps
    the few large weights apart. Source: Han, Mao & Dally (2016), arXiv:1510.00149,
    Sections 3.1 and 3.2. Different here: zero, the value of pruned weights, is always a
    value of its own.

    Args:
        weights: Any shape.
        num_bits: Bits of a symbol, 2 to 16: at most ``2**bits - 1`` centroids.

    Returns:
        Symbols and codebook.

    Raises:
        ValueError: If ``num_bits`` is out of range.
    """
    _check_bits(num_bits)
    values = weights[weights != 0].double()
    if not values.numel():
        return QuantizedTensor(torch.zeros_like(weights).int(), UniformQuantizer(1.0))
    centroids = torch.linspace(
        float(values.min()), float(values.max()), 2**num_bits - 1, dtype=torch.float64
    )
    for _ in range(_KMEANS_ROUNDS):
        owner = _nearest(values, centroids)
        sums = torch.zeros_like(centroids).index_add_(0, owner, values)
        counts = owner.bincount(minlength=len(centroids))
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centroids)
        if torch.equal(moved, centroids):
            break
        centroids = moved.sort().values
    used = _nearest(values, centroids).bincount(minlength=len(centroids)) > 0
    kept = centroids[used & (centroids != 0)]
    negative, positive = kept[kept < 0], kept[kept > 0]
    index = _nearest(weights.double().reshape(-1), kept)
    symbols = index - len(negative)
    symbols += (symbols >= 0).long()  # there is no symbol 0 among them
    symbols[weights.reshape(-1) == 0] = 0
    return QuantizedTensor(
        symbols.int().reshape(weights.shape),
        Codebook(
            tuple(float(each) for each in negative.flip(0).float()),
            tuple(float(each) for each in positive.float()),
        ),
    )


def _space_evenly(weights: Tensor, num_bits: int) -> QuantizedTensor:
    _check_bits(num_bits)
    largest = float(weights.abs().max()) if weights.numel() else 0.0
    if not largest:
        return QuantizedTensor(torch.zeros_like(weights).int(), UniformQuantizer(1.0))
    quantizer = UniformQuantizer(largest / (2 ** (num_bits - 1) - 1))
    symbols = (weights / quantizer.step_size).round().int()
    return QuantizedTensor(symbols, quantizer)


def _check_bits(num_bits: int) -> None:
    if not 2 <= num_bits <= _MOST_BITS:
        raise ValueError(f"num_bits must be from 2 to {_MOST_BITS}, got {num_bits}")


def _nearest(values: Tensor, sorted_centroids: Tensor) -> Tensor:
    """Return the index of the nearest centroid."""
    middles = (sorted_centroids[1:] + sorted_centroids[:-1]) / 2
    return torch.bucketize(values, middles)
