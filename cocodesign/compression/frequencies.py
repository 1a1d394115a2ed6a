"""Static tables of profile ``fast``: classes of integers, and how frequent each is.

An unsigned integer ``u`` is a *class*, which is entropy coded, and some *extra bits*,
which are written as they are: ``u`` itself is the class where it is small; above, every
octave is divided into ``2**split_bits`` classes of equal width. A geometric or Laplace
distribution changes so little within a class that this costs about 0.01 bit.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from cocodesign.errors import CorruptBitstreamError

PRECISION_BITS = 12
"""Frequencies sum to 2¹²: their table then stays in the first-level cache."""

TOTAL = 1 << PRECISION_BITS


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def class_of(u, split_bits):
    """Return class and number of extra bits of ``u``, from 0 to 2³¹ - 1."""
    if u < (2 << split_bits):
        return u, 0
    exponent = 0
    rest = u >> split_bits
    while rest > 1:
        rest >>= 1
        exponent += 1
    return (exponent << split_bits) + (u >> exponent), exponent


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def class_start(number, split_bits):
    """Return the least integer of a class and its number of extra bits."""
    if number < (2 << split_bits):
        return number, 0
    exponent = (number >> split_bits) - 1
    return (number - (exponent << split_bits)) << exponent, exponent


def num_classes(split_bits: int) -> int:
    """Return how many classes the integers below 2³¹ fall into."""
    return (32 - split_bits) << split_bits


def normalise(counts: np.ndarray) -> np.ndarray:
    """Scale counts to frequencies that sum to ``TOTAL``.

    Every class that occurs keeps at least 1. What rounding leaves over or short goes,
    one by one, to where it costs the least code length.

    Args:
        counts: How often each class occurs; at most 4,096 classes occur.

    Returns:
        int64 frequencies of the same length; all zero if nothing occurs.

    Example:
        >>> normalise(np.array([3, 0, 1])).tolist()
        [3072, 0, 1024]
    """
    counts = counts.astype(np.int64)
    total = int(counts.sum())
    if total == 0:
        return np.zeros_like(counts)
    frequencies = np.maximum(counts * TOTAL // total, counts > 0)
    while (surplus := int(frequencies.sum()) - TOTAL) != 0:
        step = -1 if surplus > 0 else 1
        allowed = np.flatnonzero(frequencies > (1 if step < 0 else 0))
        f = frequencies[allowed]
        # Code length lost (step -1) or won (step 1), from log2(f) to log2(f ± 1); only
        # the encoder decides here, so that floating point may.
        change = counts[allowed] * np.abs(np.log2(f + step) - np.log2(f))
        order = np.argsort(change if step < 0 else -change, kind="stable")
        frequencies[allowed[order[: abs(surplus)]]] += step
    return frequencies


def pack_frequencies(frequencies: np.ndarray) -> bytes:
    """Write a table: how many classes, then each frequency as an Exp-Golomb code.

    Args:
        frequencies: From ``normalise``.

    Returns:
        The bytes.
    """
    used = np.flatnonzero(frequencies)
    length = int(used[-1]) + 1 if used.size else 0
    bits = [f"{length:016b}"]
    for frequency in frequencies[:length]:
        code = f"{int(frequency) + 1:b}"
        bits.append("0" * (len(code) - 1) + code)
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(f"1{text}", 2).to_bytes(len(text) // 8 + 1, "big")[1:]


def unpack_frequencies(
    payload: bytes | memoryview, position: int, split_bits: int
) -> tuple[np.ndarray, int]:
    """Read a table that ``pack_frequencies`` wrote.

    Args:
        payload: Where it stands.
        position: Its first byte.
        split_bits: Of the classes.

    Returns:
        int64 frequencies of all classes, and the position behind the table.

    Raises:
        CorruptBitstreamError: If it is truncated or does not sum to ``TOTAL``.
    """
    end = len(payload)
    if position + 2 > end:
        raise CorruptBitstreamError(f"no frequency table at byte {position} of {end}")
    length = int.from_bytes(payload[position : position + 2], "big")
    frequencies = np.zeros(num_classes(split_bits), np.int64)
    if length > len(frequencies):
        raise CorruptBitstreamError(
            f"a table of {length} classes, at most {len(frequencies)} exist"
        )
    # No code is longer than 25 bits, so this many bytes hold the whole table.
    window = payload[position + 2 : position + 2 + 4 * length + 4]
    bits = np.unpackbits(np.frombuffer(window, np.uint8))
    at = _read_exp_golomb(bits, frequencies, length)
    if at < 0 or (length and frequencies.sum() != TOTAL):
        raise CorruptBitstreamError(f"malformed frequency table at byte {position}")
    return frequencies, position + 2 + -(-at // 8)


@njit(cache=True, nogil=True)
@no_type_check
def _read_exp_golomb(bits, frequencies, length):
    """Fill frequencies; return the number of bits read, or -1 if they run out."""
    at = 0
    for i in range(length):
        zeros = 0
        while at < bits.size and bits[at] == 0:
            zeros += 1
            at += 1
        if zeros > PRECISION_BITS or at + zeros + 1 > bits.size:
            return -1
        value = 0
        for _ in range(zeros + 1):
            value = 2 * value + bits[at]
            at += 1
        frequencies[i] = value - 1
    return at
