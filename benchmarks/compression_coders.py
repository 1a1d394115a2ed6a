"""Lossless coders side by side: bytes and speed on the same symbols.

Ours are ``max`` and ``fast``; the peers are nncodec (ISO/IEC 15938-17), constriction's
range coder with static tables, zstd, xz, and Han's 4-bit gaps with Huffman codes. Each
peer gets the symbols in the type that suits it and pays for the tables it needs.
"""

import heapq
import lzma
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.compression_tensors import TensorSet, entropy_bytes
from benchmarks.measurement import time_interleaved
from cocodesign.compression.context_mixing import Layout, decode_mixed, encode_mixed
from cocodesign.compression.gap_coding import decode_gaps, encode_gaps

_TABLE_BYTES_PER_SYMBOL = 2


@dataclass(frozen=True)
class Coder:
    """A lossless coder of several tensors.

    Attributes:
        encode: Tensors to an object that ``size`` and ``decode`` understand.
        size: Its bytes.
        decode: Back to tensors, by name; ``None`` where only sizes are compared.
    """

    encode: Callable[[Mapping[str, np.ndarray]], Any]
    size: Callable[[Any], int]
    decode: Callable[[Any], Mapping[str, np.ndarray]] | None


def compare_coders(
    sets: list[TensorSet], *, rounds: int
) -> tuple[dict[str, Any], list[str]]:
    """Encode and decode every set by every coder, in turns.

    Args:
        sets: What to code.
        rounds: Rounds that count for the speeds of ours and nncodec's.

    Returns:
        Results by set, and the peers that are not installed.
    """
    coders, missing = available_coders()
    return {each.name: _compare(each, coders, rounds) for each in sets}, missing


def available_coders() -> tuple[dict[str, Coder], list[str]]:
    """Return the coders that are installed, and the names of those that are not."""
    coders = {
        "max": Coder(_encode_max, _total, _decode_max),
        "fast": Coder(_encode_fast, _total, _decode_fast),
        "xz": Coder(_encode_xz, _total, None),
        "han_4_bit_gaps_huffman": Coder(_encode_han, int, None),
    }
    missing = []
    for name, make in (
        ("nncodec", _nncodec),
        ("zstd", _zstd),
        ("constriction", _constriction),
    ):
        try:
            coders[name] = make()
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return coders, missing


def _compare(
    tensors: TensorSet, coders: Mapping[str, Coder], rounds: int
) -> dict[str, Any]:
    fp32_bytes = 4 * tensors.num_weights
    encoded = {name: coder.encode(tensors.tensors) for name, coder in coders.items()}
    sizes = {name: coder.size(encoded[name]) for name, coder in coders.items()}
    for name, coder in coders.items():
        if coder.decode is not None:
            _check(name, tensors, coder.decode(encoded[name]))
    timed = [name for name in ("max", "fast", "nncodec") if name in coders]
    encodings = time_interleaved(
        {n: _timed(coders[n].encode, tensors.tensors) for n in timed},
        rounds=rounds,
        warm_up_rounds=0,
    )
    decodings = time_interleaved(
        {n: _timed(coders[n].decode, encoded[n]) for n in timed}, rounds=rounds
    )
    entropy = sum(entropy_bytes(tensor) for tensor in tensors.tensors.values())
    result: dict[str, Any] = {
        "weights": tensors.num_weights,
        "structured": tensors.structured,
        "entropy_bytes": round(entropy),
        "bytes": sizes,
        "encode_mb_per_s": {
            n: round(fp32_bytes / 1e6 / t.median_s, 1) for n, t in encodings.items()
        },
        "decode_mb_per_s": {
            n: round(fp32_bytes / 1e6 / t.median_s, 1) for n, t in decodings.items()
        },
        "fast_vs_entropy": round(sizes["fast"] / entropy, 4),
        "max_vs_entropy": round(sizes["max"] / entropy, 4),
    }
    if "nncodec" in sizes:
        result["max_vs_nncodec"] = round(sizes["max"] / sizes["nncodec"], 4)
        result["fast_decode_vs_nncodec"] = round(
            decodings["nncodec"].median_s / decodings["fast"].median_s, 1
        )
    return result


def _timed(function: Callable[[Any], Any], argument: Any) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        function(argument)
        return time.perf_counter() - start

    return measure


def _check(name: str, tensors: TensorSet, decoded: Mapping[str, np.ndarray]) -> None:
    for key, tensor in tensors.tensors.items():
        if not np.array_equal(np.asarray(decoded[key]).reshape(tensor.shape), tensor):
            raise RuntimeError(f"{name} does not give back {key} of {tensors.name}")


def _total(encoded: Mapping[str, Any]) -> int:
    return sum(len(payload) for payload, *_ in encoded.values())


def _layout(shape: tuple[int, ...]) -> Layout:
    taps = int(np.prod(shape[2:]))
    width = shape[-1] if len(shape) > 2 else 1
    return Layout(shape[0], int(np.prod(shape[1:])), taps, width)


def _encode_max(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    encoded = {}
    for name, tensor in tensors.items():
        largest = int(np.abs(tensor).max())
        layout = _layout(tensor.shape)
        encoded[name] = encode_mixed(tensor, layout, largest), layout, largest
    return encoded


def _decode_max(encoded: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate(list(decode_mixed(*parts)))
        for name, parts in encoded.items()
    }


def _encode_fast(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: (encode_gaps(each), each.size) for name, each in tensors.items()}


def _decode_fast(encoded: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: decode_gaps(*parts) for name, parts in encoded.items()}


def _encode_xz(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    preset = 9 | lzma.PRESET_EXTREME
    return {
        name: (lzma.compress(_narrow(tensor), preset=preset),)
        for name, tensor in tensors.items()
    }


def _zstd() -> Coder:
    import zstandard

    compressor = zstandard.ZstdCompressor(level=19)
    return Coder(
        lambda tensors: {
            name: (compressor.compress(_narrow(tensor)),)
            for name, tensor in tensors.items()
        },
        _total,
        None,
    )


def _constriction() -> Coder:
    from constriction import stream

    def encode(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
        encoded = {}
        for name, tensor in tensors.items():
            values, indices, counts = np.unique(
                tensor, return_inverse=True, return_counts=True
            )
            encoder = stream.queue.RangeEncoder()
            if len(values) > 1:
                p = counts.astype(np.float32) / counts.sum()
                model = stream.model.Categorical(p, perfect=False)
                encoder.encode(indices.ravel().astype(np.int32), model)
            table = b"\0" * (_TABLE_BYTES_PER_SYMBOL * len(values))
            encoded[name] = (encoder.get_compressed().tobytes() + table,)
        return encoded

    return Coder(encode, _total, None)


def _nncodec() -> Coder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nncodec import nn as nncodec

    settings = {"use_dq": False, "verbose": False}
    return Coder(
        lambda tensors: nncodec.encode(dict(tensors), dict(settings)),
        len,
        lambda stream: nncodec.decode(stream, {"verbose": False}),
    )


def _narrow(tensor: np.ndarray) -> bytes:
    small = np.abs(tensor).max() < 128
    return tensor.astype(np.int8 if small else np.int16).tobytes()


def _encode_han(tensors: Mapping[str, np.ndarray]) -> int:
    """Return the bytes of Han, Mao & Dally (2016): 4-bit gaps, values, both Huffman."""
    bits = 0
    for tensor in tensors.values():
        flat = tensor.ravel()
        gaps = np.diff(np.flatnonzero(flat), prepend=-1) - 1
        # A gap above 15 is filled by entries of value zero, 16 positions each.
        fillers = int((gaps // 16).sum())
        counts = np.bincount(gaps % 16, minlength=16)
        counts[15] += fillers
        _, value_counts = np.unique(flat[flat != 0], return_counts=True)
        for each in (counts, np.append(value_counts, fillers)):
            bits += _huffman_bits(each) + 16 * int(np.count_nonzero(each))
    return -(-bits // 8)


def _huffman_bits(counts: np.ndarray) -> int:
    heap = [int(count) for count in counts if count]
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return bits
