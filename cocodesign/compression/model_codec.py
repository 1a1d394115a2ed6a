"""A model to a ``.ccz`` file and back.

Tensors are coded one by one, in several threads: the coders hold no lock.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from cocodesign.compression.container import Entry, pack_container, unpack_container
from cocodesign.compression.quantized import QuantizedTensor
from cocodesign.compression.report import CompressionReport, LayerReport
from cocodesign.compression.tensor_coding import (
    Profile,
    decode_entry,
    encode_quantized,
    encode_stored,
)
from cocodesign.errors import CorruptBitstreamError
from cocodesign.files import write_atomically

_NUM_THREADS = 8


def encode_model(
    tensors: Mapping[str, QuantizedTensor | Tensor],
    path: Path | str,
    *,
    profile: Profile = "max",
    round_stored: bool = True,
) -> CompressionReport:
    """Write a model into a file.

    Args:
        tensors: The state dictionary, in which ``quantize`` replaced tensors by
            quantized ones. Symbols are coded without loss.
        path: The file; it appears whole or not at all.
        profile: ``"fast"`` or ``"max"``, for all quantized tensors.
        round_stored: Keep 16 bits of the other float32 tensors, such as biases. With
            ``False`` they come back exactly.

    Returns:
        What became of each tensor, and the size of the file.

    Raises:
        ValueError: If the profile or a dtype is unknown.

    Example:
        >>> import tempfile, torch
        >>> from cocodesign.compression import decode_model, quantize
        >>> weight = torch.tensor([[0.0, 0.5], [-1.0, 0.0]])
        >>> path = Path(tempfile.mkdtemp()) / "tiny.ccz"
        >>> report = encode_model(quantize({"weight": weight}, num_bits=3), path)
        >>> report.file_bytes == path.stat().st_size
        True
        >>> decode_model(path)["weight"].tolist()
        [[0.0, 0.6666666865348816], [-1.0, 0.0]]
    """

    def encode(item: tuple[str, QuantizedTensor | Tensor]) -> Entry:
        name, tensor = item
        if isinstance(tensor, QuantizedTensor):
            return encode_quantized(name, tensor, profile)
        return encode_stored(name, tensor, rounded=round_stored)

    with ThreadPoolExecutor(_NUM_THREADS) as threads:
        entries = list(threads.map(encode, tensors.items()))
    content = pack_container(entries)
    write_atomically(Path(path), content)
    layers = tuple(
        _describe(entry, tensor)
        for entry, tensor in zip(entries, tensors.values(), strict=True)
    )
    return CompressionReport(
        layers, len(content), sum(layer.original_bytes for layer in layers)
    )


def decode_model(path: Path | str) -> dict[str, Tensor]:
    """Read a file that ``encode_model`` wrote.

    Args:
        path: The file.

    Returns:
        The state dictionary, every tensor in its original dtype, on the CPU. It is
        the same on every machine, to the bit.

    Raises:
        CorruptBitstreamError: If the file is damaged; the message names it.
        OSError: If it cannot be read.
    """

    def decode(entry: Entry) -> Tensor:
        tensor = decode_entry(entry)
        return tensor.dequantize() if isinstance(tensor, QuantizedTensor) else tensor

    entries = read_entries(path)
    with ThreadPoolExecutor(_NUM_THREADS) as threads, naming(path):
        return dict(
            zip(
                (entry.name for entry in entries),
                threads.map(decode, entries),
                strict=True,
            )
        )


def read_entries(path: Path | str) -> tuple[Entry, ...]:
    """Read a file's table; its tensors are not decoded yet.

    Args:
        path: The file.

    Returns:
        Its entries.

    Raises:
        CorruptBitstreamError: If the file is damaged; the message names it.
        OSError: If it cannot be read.
    """
    with naming(path):
        return unpack_container(Path(path).read_bytes())


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before the message of a ``CorruptBitstreamError``.

    Args:
        path: The file.

    Yields:
        Nothing.

    Raises:
        CorruptBitstreamError: The one that was raised inside, with the name.
    """
    try:
        yield
    except CorruptBitstreamError as error:
        raise CorruptBitstreamError(f"{path}: {error}") from error


def _describe(entry: Entry, tensor: QuantizedTensor | Tensor) -> LayerReport:
    quantized = isinstance(tensor, QuantizedTensor)
    values = tensor.symbols if quantized else tensor
    size = values.numel()
    return LayerReport(
        name=entry.name,
        num_weights=size,
        original_bytes=size * tensor.dtype.itemsize,
        payload_bytes=len(entry.payload),
        kept_fraction=int(torch.count_nonzero(values)) / size if size else 0.0,
        num_levels=tensor.num_levels if quantized else None,
        entropy_bits=tensor.entropy_bits if quantized else None,
    )
