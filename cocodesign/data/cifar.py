"""CIFAR-10 in its authors' binary version.

Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version": in each of six
files 10,000 records of one byte, the class, and 3,072 bytes, a picture's red, green and
blue plane of 32 rows. (The "Python version" is a pickle, which could run anything.)
"""

from pathlib import Path

import numpy as np
import torch

from cocodesign.data.images import ImageClassification, LabelledImages
from cocodesign.errors import DataFormatError

_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = ("test_batch.bin",)
_NAMES = "batches.meta.txt"


def read_cifar10(folder: Path | str) -> ImageClassification:
    """Read the unpacked folder ``cifar-10-batches-bin``.

    Args:
        folder: Where ``data_batch_1.bin`` to ``data_batch_5.bin``, ``test_batch.bin``
            and ``batches.meta.txt`` are.

    Returns:
        50,000 pictures to learn by and 10,000 to judge by.

    Raises:
        DataFormatError: If a file is missing or no such file; the message names it.
    """
    root = Path(folder).expanduser()
    missing = [
        name for name in (*_TRAIN, *_TEST, _NAMES) if not (root / name).is_file()
    ]
    if missing:
        raise DataFormatError(
            f"{root} lacks {', '.join(missing)}: unpack cifar-10-binary.tar.gz "
            "(CIFAR-10, binary version) and name its folder cifar-10-batches-bin"
        )
    names = (root / _NAMES).read_text().split()
    return ImageClassification(
        "cifar10",
        _read(root, _TRAIN, len(names)),
        _read(root, _TEST, len(names)),
        tuple(names),
    )


def _read(root: Path, names: tuple[str, ...], num_classes: int) -> LabelledImages:
    records = np.concatenate([_records(root / name) for name in names])
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if len(labels) and int(labels.max()) >= num_classes:
        raise DataFormatError(
            f"{root}: a picture has class {int(labels.max())}, but {_NAMES} names "
            f"{num_classes}"
        )
    images = torch.from_numpy(records[:, 1:].copy()).reshape(-1, *_SHAPE)
    return LabelledImages(images, labels)


def _records(path: Path) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % _RECORD_BYTES:
        raise DataFormatError(
            f"{path} has {len(content):,} bytes, no multiple of a record's "
            f"{_RECORD_BYTES:,}: it was cut off or is another file"
        )
    return content.reshape(-1, _RECORD_BYTES)
