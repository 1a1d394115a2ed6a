"""One tensor to a container's entry and back: which coding, which layout."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cocodesign.compression.container import DTYPES, GAPS, MIXED, STORED, Entry
from cocodesign.compression.context_mixing import (
    Layout,
    decode_mixed,
    encode_mixed,
)
from cocodesign.compression.gap_coding import (
    BLOCK_SIZE,
    decode_gaps,
    encode_gaps,
    read_blocks,
)
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.errors import CorruptBitstreamError

Profile = Literal["fast", "max"]
"""``fast`` decodes at gigabytes per second; ``max`` makes the smaller file."""

_TORCH_DTYPES = {name: getattr(torch, name) for name in DTYPES}


def encode_quantized(name: str, tensor: QuantizedTensor, profile: Profile) -> Entry:
    """Encode a quantized tensor.

    Args:
        name: Its name.
        tensor: Its symbols and their meaning.
        profile: Which coding.

    Returns:
        Its entry.

    Raises:
        ValueError: If the profile is unknown.
    """
    if profile not in ("fast", "max"):
        raise ValueError(f"profile must be 'fast' or 'max', got {profile!r}")
    symbols = np.ascontiguousarray(tensor.symbols.cpu().numpy())
    largest = int(np.abs(symbols).max()) if symbols.size else 0
    if profile == "fast":
        coding, payload = GAPS, encode_gaps(symbols)
    else:
        coding = MIXED
        payload = encode_mixed(symbols, _layout(symbols.shape), largest)
    return Entry(
        name,
        symbols.shape,
        _dtype_name(tensor.dtype),
        coding,
        "",
        tensor.quantizer,
        largest,
        payload,
    )


def encode_stored(name: str, tensor: Tensor, *, rounded: bool) -> Entry:
    """Encode a tensor as it is, or with its numbers rounded to 16 bits.

    Args:
        name: Its name.
        tensor: Any shape; on any device.
        rounded: Store a float32 as float16 where no value becomes infinite or zero,
            as bfloat16 otherwise.

    Returns:
        Its entry.
    """
    values = tensor.detach().cpu().contiguous()
    if rounded and values.dtype == torch.float32:
        half = values.half()
        fits = torch.isfinite(half).all() and ((half == 0) == (values == 0)).all()
        values = half if fits else values.bfloat16()
    payload = values.reshape(-1).view(torch.uint8).numpy().tobytes()
    return Entry(
        name,
        tuple(tensor.shape),
        _dtype_name(tensor.dtype),
        STORED,
        _dtype_name(values.dtype),
        None,
        0,
        payload,
    )


def decode_entry(entry: Entry) -> QuantizedTensor | Tensor:
    """Decode one entry.

    Args:
        entry: From ``unpack_container``.

    Returns:
        The quantized tensor, or the stored one in its own dtype.

    Raises:
        CorruptBitstreamError: If the payload does not decode.
    """
    dtype = _TORCH_DTYPES[entry.dtype]
    if entry.coding == STORED:
        return _stored_values(entry).reshape(entry.shape).to(dtype)
    if entry.quantizer is None:
        raise CorruptBitstreamError(f"{entry.name!r} has symbols without a meaning")
    if entry.coding == GAPS:
        symbols = decode_gaps(entry.payload, entry.num_weights)
    else:
        slabs = list(decode_mixed(entry.payload, _layout(entry.shape), entry.largest))
        symbols = np.concatenate(slabs) if slabs else np.zeros(0, np.int32)
    _check_range(entry, symbols)
    return QuantizedTensor(
        torch.from_numpy(symbols.reshape(entry.shape)), entry.quantizer, dtype
    )


def decode_nonzeros(entry: Entry) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Decode an entry to its non-zeros only, a part at a time.

    Args:
        entry: An entry with symbols.

    Yields:
        Flat positions (int64, increasing over all parts) and symbols (int32).

    Raises:
        CorruptBitstreamError: If the payload does not decode.
    """
    if entry.coding == GAPS:
        blocks = read_blocks(entry.payload, entry.num_weights)
        for first, block in zip(
            range(0, entry.num_weights, BLOCK_SIZE), blocks, strict=True
        ):
            positions, values = block.decode()
            _check_range(entry, values)
            yield positions + np.int64(first), values
        return
    first = 0
    for slab in decode_mixed(entry.payload, _layout(entry.shape), entry.largest):
        symbols = slab.reshape(-1)
        _check_range(entry, symbols)
        positions = np.flatnonzero(symbols)
        yield positions + first, symbols[positions]
        first += symbols.size


def _layout(shape: tuple[int, ...]) -> Layout:
    if len(shape) < 2:
        return Layout(math.prod(shape), 1)
    if len(shape) == 2:
        return Layout(*shape)
    return Layout(
        shape[0], math.prod(shape[1:]), math.prod(shape[2:]) or 1, shape[-1] or 1
    )


def _stored_values(entry: Entry) -> Tensor:
    dtype = _TORCH_DTYPES[entry.stored_dtype]
    if not len(entry.payload):
        return torch.empty(0, dtype=dtype)
    raw = torch.from_numpy(np.frombuffer(entry.payload, np.uint8).copy())
    return raw != 0 if dtype == torch.bool else raw.view(dtype)


def _check_range(entry: Entry, symbols: np.ndarray) -> None:
    if symbols.size and max(symbols.max(), -symbols.min()) > entry.largest:
        raise CorruptBitstreamError(
            f"{entry.name!r} decodes to symbols beyond {entry.largest}"
        )


def _dtype_name(dtype: torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"dtype {name} cannot be stored, only {', '.join(DTYPES)}")
    return name
