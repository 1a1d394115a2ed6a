r"""Uniform quantization that weighs error against bits.

Every weight takes one of three symbols: the nearest one, the next towards zero, or
zero; the one with the least

.. math::
    h_i (w_i - \Delta s)^2 + \lambda\, r(s)

where ``r(s)`` is the symbol's cost in bits and ``h`` says how much an error matters,
such as the diagonal of the Fisher information. The costs are those of the symbols' own
frequencies, so that assignment and frequencies are found in turns, as for entropy
constrained quantizers (Chou, Lookabaugh & Gray 1989, IEEE Trans. ASSP 37, Section II).
The step ``Δ`` with the least sum is kept.

One λ for all layers puts them at the same slope of distortion against bits, which is
where no bit can be moved to a better place (Shoham & Gersho 1988, IEEE Trans. ASSP 36).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from cocodesign.compression.quantized import UniformQuantizer

_STEPS_PER_OCTAVE = 3
_FINEST_LEVELS = 255  # symbols from zero to the largest weight
_ROUNDS = 3
_SAMPLE = 1 << 17
_UNSEEN_COUNT = 0.5  # so that a symbol nobody uses yet is dear, not impossible


@dataclass(frozen=True)
class Assignment:
    """Symbols chosen for one tensor.

    Attributes:
        symbols: int32 in the tensor's shape.
        quantizer: Their step.
        distortion: The weighted squared error.
        rate_bits: The symbols' cost by their own frequencies.
    """

    symbols: Int32[Tensor, "..."]
    quantizer: UniformQuantizer
    distortion: float
    rate_bits: float


def choose_step(
    weights: Float[Tensor, "..."],
    importance: Float[Tensor, "..."] | float,
    price: float,
) -> Assignment:
    """Choose step and symbols of a tensor.

    Args:
        weights: Any shape, not all zero.
        importance: ``h``: what a squared error of each weight costs; a number for all.
        price: λ, the cost of a bit in the units of the distortion; at least 0.

    Returns:
        The best assignment over steps three to the octave, from 1 to 255 symbols for
        the largest weight.

    Raises:
        ValueError: If the price is negative or all weights are zero.
    """
    if price < 0:
        raise ValueError(f"price must be at least 0, got {price}")
    largest = float(weights.abs().max()) if weights.numel() else 0.0
    if not largest:
        raise ValueError("a tensor of zeros has no step: keep it as it is")
    # Millions of weights choose their step by some of them.
    stride = max(1, weights.numel() // _SAMPLE)
    sample = weights.reshape(-1)[::stride]
    matters = importance
    if isinstance(importance, Tensor):
        matters = importance.reshape(-1)[::stride]
    num_steps = int(math.log2(_FINEST_LEVELS) * _STEPS_PER_OCTAVE) + 1
    costs = {}
    for index in range(num_steps):
        step = largest / 2 ** (index / _STEPS_PER_OCTAVE)
        found = assign_symbols(sample, matters, price, step)
        costs[step] = found.distortion + price * found.rate_bits
    return assign_symbols(weights, importance, price, min(costs, key=costs.__getitem__))


def assign_symbols(
    weights: Float[Tensor, "..."],
    importance: Float[Tensor, "..."] | float,
    price: float,
    step_size: float,
) -> Assignment:
    """Choose the symbols of a tensor for a given step.

    Args:
        weights: Any shape.
        importance: ``h``, of the same shape or a number for all.
        price: λ, the cost of a bit in the units of the distortion.
        step_size: Δ.

    Returns:
        The assignment.

    Example:
        >>> weights = torch.tensor([0.9, 0.1, 0.0, 0.0, -1.1])
        >>> assign_symbols(weights, 1.0, 0.0, 0.5).symbols.tolist()
        [2, 0, 0, 0, -2]
    """
    quantizer = UniformQuantizer(step_size)
    step = quantizer.step_size
    flat = weights.reshape(-1)
    alive = flat.nonzero().squeeze(1)  # a zero has no choice, and most are zero
    num_zeros = flat.numel() - alive.numel()
    values = flat[alive]
    matters = importance
    if isinstance(importance, Tensor):
        matters = importance.reshape(-1)[alive]
    nearest = (values / step).round()
    candidates = [nearest]
    if price:
        candidates += [nearest - nearest.sign(), torch.zeros_like(nearest)]
    errors = [matters * (values - step * each).square() for each in candidates]
    chosen = nearest
    num_levels = 1 + (int(nearest.abs().max()) if nearest.numel() else 0)
    for _ in range(_ROUNDS if price else 1):
        bits = _symbol_bits(chosen, num_zeros, num_levels)
        chosen = _cheapest(candidates, errors, bits, price)
    distortion = (matters * (values - step * chosen).square()).double().sum()
    bits = _symbol_bits(chosen, num_zeros, num_levels)
    rate = _lookup(bits, chosen).double().sum() + num_zeros * float(bits[0])
    symbols = torch.zeros(flat.shape, dtype=torch.int32, device=flat.device)
    symbols[alive] = chosen.to(torch.int32)
    return Assignment(
        symbols.reshape(weights.shape), quantizer, float(distortion), float(rate)
    )


def _cheapest(
    candidates: list[Tensor], errors: list[Tensor], bits: Tensor, price: float
) -> Tensor:
    best, chosen = errors[0] + price * _lookup(bits, candidates[0]), candidates[0]
    for candidate, error in zip(candidates[1:], errors[1:], strict=True):
        cost = error + price * _lookup(bits, candidate)
        chosen = torch.where(cost < best, candidate, chosen)
        best = torch.minimum(cost, best)
    return chosen


def _symbol_bits(symbols: Tensor, num_zeros: int, num_levels: int) -> Tensor:
    """Return the cost of every magnitude, the sign's bit included.

    Magnitudes that nobody uses now are there as well: left out, they would be free.
    """
    counts = symbols.abs().long().bincount(minlength=num_levels).double()
    counts += _UNSEEN_COUNT
    counts[0] += num_zeros
    bits = -(counts / counts.sum()).log2()
    bits[1:] += 1
    return bits.float()


def _lookup(bits: Tensor, symbols: Tensor) -> Tensor:
    return bits[symbols.abs().long()]
