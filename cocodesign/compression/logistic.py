"""Logistic curve and its inverse as integer tables, the same on every platform.

A probability is an integer from 1 to 65,535 in units of 2⁻¹⁶; its *stretch*,
``ln(p / (1 - p))``, is an integer in units of 2⁻⁸. Floating point would let two
machines disagree in the last bit, and a decoder that disagrees once is lost: so the
exponential is summed here in Python's integers.
"""

import numpy as np

PRECISION_BITS = 16
"""Bits of a fixed-point probability."""

STRETCH_LIMIT = 2840
"""Largest absolute stretch, that of probability 2⁻¹⁶."""

_WORKING_BITS = 96
_SERIES_TERMS = 40


def squash_table() -> np.ndarray:
    """Return the probability for every stretch.

    Returns:
        int32, ``table[s + STRETCH_LIMIT]`` is the probability of stretch ``s``.

    Example:
        >>> table = squash_table()
        >>> int(table[STRETCH_LIMIT]), int(table[0]), int(table[-1])
        (32768, 1, 65535)
    """
    one = 1 << PRECISION_BITS
    table = np.empty(2 * STRETCH_LIMIT + 1, np.int32)
    for stretch in range(STRETCH_LIMIT + 1):
        power = _exponential(stretch)
        probability = min((power * one) // (power + (1 << _WORKING_BITS)), one - 1)
        table[STRETCH_LIMIT + stretch] = probability
        table[STRETCH_LIMIT - stretch] = one - probability
    return table


def stretch_table() -> np.ndarray:
    """Return the stretch of every probability: the inverse of ``squash_table``.

    Returns:
        int16 of length 65,536; entry 0 is that of probability 1.

    Example:
        >>> table = stretch_table()
        >>> int(table[32768]), int(table[1]), int(table[65535])
        (0, -2840, 2840)
    """
    squashed = squash_table()
    probabilities = np.arange(1 << PRECISION_BITS)
    index = np.searchsorted(squashed, probabilities, side="left")
    middle = np.searchsorted(squashed, probabilities, side="right") - 1
    stretch = (index + middle) // 2 - STRETCH_LIMIT
    return np.clip(stretch, -STRETCH_LIMIT, STRETCH_LIMIT).astype(np.int16)


def _exponential(stretch: int) -> int:
    """Return ``exp(stretch / 256)`` in units of 2⁻⁹⁶, by halving and the series."""
    one = 1 << _WORKING_BITS
    x = (stretch << _WORKING_BITS) >> 12  # a sixteenth: the series converges fast
    term = total = one
    for n in range(1, _SERIES_TERMS):
        term = (term * x >> _WORKING_BITS) // n
        total += term
    for _ in range(4):
        total = total * total >> _WORKING_BITS
    return total
