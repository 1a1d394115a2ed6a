"""The binary files of a graph model as tensors.

The manifest lists groups of weights; the files of a group, joined end to end, hold its
weights one after the other, little-endian. A weight may be quantised: to float16, or to
unsigned integers ``q`` that stand for ``q * scale + min``.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cocodesign.errors import DataFormatError

_STORED_DTYPES = {
    "float32": "<f4",
    "float16": "<f2",
    "int32": "<i4",
    "uint16": "<u2",
    "uint8": "|u1",
    "bool": "|u1",
}
_DTYPES = {"float32": torch.float32, "int32": torch.int32, "bool": torch.bool}


def read_weights(
    manifest: Sequence[Mapping[str, Any]], folder: Path
) -> dict[str, Tensor]:
    """Read all weights of a model.

    Args:
        manifest: The value of ``weightsManifest``: groups of ``paths`` and ``weights``.
        folder: Where the files lie.

    Returns:
        Every weight by its name, as float32, int32 or bool on the CPU.

    Raises:
        DataFormatError: If a file is missing, shorter or longer than its weights, or a
            weight has a type that is not known.
    """
    weights: dict[str, Tensor] = {}
    for group in manifest:
        paths = [folder / Path(name).name for name in group["paths"]]
        try:
            content = b"".join(path.read_bytes() for path in paths)
        except OSError as error:
            raise DataFormatError(f"the model's weights cannot be read: {error}") from (
                error
            )
        files = ", ".join(str(path) for path in paths)
        offset = 0
        for entry in group["weights"]:
            weight, num_bytes = _read_weight(entry, content, offset, files)
            weights[entry["name"]] = weight
            offset += num_bytes
        if offset != len(content):
            raise DataFormatError(
                f"{files}: the manifest describes {offset} bytes, the files have "
                f"{len(content)}"
            )
    return weights


def _read_weight(
    entry: Mapping[str, Any], content: bytes, offset: int, files: str
) -> tuple[Tensor, int]:
    """Return one weight and how many bytes it took."""
    quantization = entry.get("quantization", {})
    stored = _STORED_DTYPES.get(quantization.get("dtype", entry["dtype"]))
    dtype = _DTYPES.get(entry["dtype"])
    if stored is None or dtype is None:
        raise DataFormatError(
            f"weight {entry['name']!r} has the type {entry['dtype']!r}, quantised as "
            f"{quantization.get('dtype')!r}; known are {', '.join(_DTYPES)}, quantised "
            "as float16, uint16 or uint8"
        )
    shape = tuple(entry["shape"])
    count = math.prod(shape)
    num_bytes = count * np.dtype(stored).itemsize
    if offset + num_bytes > len(content):
        raise DataFormatError(
            f"{files}: {entry['name']!r} ends at byte {offset + num_bytes}, the files "
            f"at {len(content)}"
        )
    array = np.frombuffer(content, stored, count, offset).reshape(shape)
    if "scale" in quantization:
        array = array * np.float32(quantization["scale"]) + np.float32(
            quantization["min"]
        )
    return torch.tensor(array).to(dtype), num_bytes
