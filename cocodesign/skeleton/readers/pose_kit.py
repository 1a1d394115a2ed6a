"""Body poses of pose-classification-kit: held poses, OpenPose BODY-25, 20 classes.

``BodyPose_Dataset.csv``: a row is a class, a confidence, and x and y of 25 joints, 0
where a joint was not found, y upwards. The rows of a class are consecutive pictures of
a webcam, so that neighbours are nearly equal: clips are cut from contiguous blocks, and
blocks, never rows, are what a split may divide.

Source: A. Laurent, pose-classification-kit 1.1.5, PyPI, MIT licence.
"""

import csv
from pathlib import Path

import numpy as np
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

NUM_BLOCKS = 5
"""Blocks per class, about a hundred pictures each."""

_NUM_JOINTS = 25
_WINDOW_FRAMES, _HOP_FRAMES = 32, 16


def read_pose_kit(path: Path) -> SkeletonDataset:
    """Read the poses as clips of 32 pictures, each beginning 16 after the one before.

    Args:
        path: The CSV file, or the folder that holds it.

    Returns:
        The clips; ``origin.setup`` is the block, ``block1`` to ``block5``. No clip
        reaches over the end of its block.

    Raises:
        DataFormatError: If the file is missing or malformed.
    """
    file = path if path.is_file() else path / "BodyPose_Dataset.csv"
    layout = load_layout("body_25")
    rows = _rows_by_class(file)
    names = tuple(sorted(rows))
    clips = []
    for label, name in enumerate(names):
        for block, frames in enumerate(np.array_split(rows[name], NUM_BLOCKS), start=1):
            for start in range(0, len(frames) - _WINDOW_FRAMES + 1, _HOP_FRAMES):
                joints = frames[start : start + _WINDOW_FRAMES].transpose(2, 0, 1)
                positions = np.zeros((3, _WINDOW_FRAMES, _NUM_JOINTS, 1), np.float32)
                positions[:2, ..., 0] = joints
                recording = f"{name}/block{block}"
                clips.append(
                    SkeletonSequence.of(
                        torch.from_numpy(positions),
                        layout,
                        name=f"{recording}/{start:03d}",
                        label=label,
                        origin=Origin(setup=f"block{block}", recording=recording),
                    )
                )
    if not clips:
        raise DataFormatError(f"{file}: no class has a block of {_WINDOW_FRAMES} rows")
    return SkeletonDataset("pose_kit", layout, names, tuple(clips))


def _rows_by_class(file: Path) -> dict[str, np.ndarray]:
    """Return for every class its poses, ``picture joint 2``."""
    if not file.is_file():
        raise DataFormatError(f"{file} is missing: fetch the data set pose_kit")
    rows: dict[str, list[list[float]]] = {}
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        next(reader, None)
        for fields in reader:
            try:
                label, numbers = fields[0], [float(each) for each in fields[2:]]
            except (IndexError, ValueError) as error:
                raise DataFormatError(
                    f"{file}, line {reader.line_num}: {error}"
                ) from error
            if len(numbers) != 2 * _NUM_JOINTS:
                raise DataFormatError(
                    f"{file}, line {reader.line_num}: {len(numbers)} coordinates, "
                    f"expected {2 * _NUM_JOINTS}"
                )
            rows.setdefault(label, []).append(numbers)
    return {
        label: np.array(numbers).reshape(-1, _NUM_JOINTS, 2)
        for label, numbers in rows.items()
    }
