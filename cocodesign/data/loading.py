"""From a data set's name to tensors."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from cocodesign.data.fetching import cached_dataset, fetch_dataset
from cocodesign.data.idx import read_idx
from cocodesign.data.images import ImageClassification, LabelledImages
from cocodesign.data.manifest import DatasetManifest, read_manifest
from cocodesign.errors import DataFormatError


def load_dataset(
    dataset: str | DatasetManifest, *, download: bool = True
) -> ImageClassification:
    """Read a data set of labelled images.

    Args:
        dataset: The name of a data set, or the manifest of one's own.
        download: Fetch it first if it is not in the cache; else that is an error.

    Returns:
        Its splits, on the CPU.

    Raises:
        ValueError: If there is no such data set, or no reader makes tensors of it:
            ``fetch_dataset`` gives the folder with its files.
        DataFormatError: If a file is not of the expected format or shape.
        DataUnavailableError: If it is not in the cache and cannot be fetched.
        DataMismatchError: If sources deliver something else than the manifest says.
        DataCacheError: If the cache cannot be written.
    """
    manifest = read_manifest(dataset) if isinstance(dataset, str) else dataset
    reader = _READERS.get(manifest.reader or "")
    if reader is None:
        raise ValueError(
            f"{manifest.name} has the reader {manifest.reader!r}, images are read by "
            f"{sorted(_READERS)}: open its files in the folder that fetch_dataset gives"
        )
    folder = fetch_dataset(manifest) if download else cached_dataset(manifest)
    return reader(folder, manifest)


def _read_idx_images(folder: Path, manifest: DatasetManifest) -> ImageClassification:
    """Read the four files that MNIST and its successors consist of."""
    return ImageClassification(
        name=manifest.name,
        train=_read_idx_split(folder, "train", len(manifest.class_names)),
        test=_read_idx_split(folder, "t10k", len(manifest.class_names)),
        class_names=manifest.class_names,
    )


def _read_idx_split(folder: Path, prefix: str, num_classes: int) -> LabelledImages:
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte")
    if images.dtype != torch.uint8 or images.dim() != 3 or labels.dim() != 1:
        raise DataFormatError(
            f"{folder}, {prefix}: images {images.dtype} {list(images.shape)}, labels "
            f"{list(labels.shape)}; expected uint8 [n, height, width] and [n]"
        )
    if len(images) != len(labels):
        raise DataFormatError(
            f"{folder}, {prefix}: {len(images)} images, {len(labels)} labels"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise DataFormatError(
            f"{folder}, {prefix}: labels from {labels.min()} to {labels.max()}, but "
            f"there are {num_classes} classes"
        )
    return LabelledImages(images[:, None], labels.long())


_READERS: Mapping[str, Callable[[Path, DatasetManifest], ImageClassification]] = {
    "idx_images": _read_idx_images,
}
