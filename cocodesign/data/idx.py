"""The IDX format, in which MNIST and its successors come.

A file is a header and an array in row-major order, all numbers big-endian: two zero
bytes, one byte for the type, one for the number of dimensions, each dimension as
four bytes, then the elements.

Source: the description on the MNIST page, http://yann.lecun.com/exdb/mnist/.
"""

import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cocodesign.errors import DataFormatError

_TYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path) -> Tensor:
    """Read an IDX file.

    The header is compared with the file's length before anything is allocated, so a
    damaged file costs no memory.

    Args:
        path: A decompressed IDX file.

    Returns:
        A tensor of the file's shape and type, on the CPU.

    Raises:
        DataFormatError: If the file is no IDX file, or is longer or shorter than its
            header says.
        OSError: If the file cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
        if start[:2] == _GZIP_MAGIC:
            raise DataFormatError(f"{path} is compressed: decompress it with gunzip")
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
            raise DataFormatError(
                f"{path} is no IDX file: it begins with {start.hex(' ') or 'nothing'}"
            )
        kind, num_dims = _TYPES[start[2]], start[3]
        sizes = stream.read(4 * num_dims)
        if len(sizes) < 4 * num_dims:
            raise DataFormatError(f"{path} ends within its IDX header")
        shape = struct.unpack(f">{num_dims}I", sizes)
        expected_bytes = 4 + len(sizes) + math.prod(shape) * kind.itemsize
        actual_bytes = path.stat().st_size
        if actual_bytes != expected_bytes:
            raise DataFormatError(
                f"{path} has {actual_bytes} bytes, but its IDX header announces "
                f"{expected_bytes}: {kind.name} of shape {list(shape)}"
            )
        elements = np.fromfile(stream, dtype=kind)
    return torch.from_numpy(elements.astype(kind.newbyteorder("=")).reshape(shape))
