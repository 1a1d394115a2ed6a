"""MSR Action3D, real-world coordinates: 20 actions, ten subjects, one depth camera.

``a01_s02_e03_skeleton3D.txt``: rows of x, y, z and a confidence, 20 rows a frame, in an
order of joints that is not Kinect's. Frames of zeros are frames without a skeleton, and
in one clip all are. The literature uses the 557 of the 567 clips that
``files_used_in_cvpr12_paper.txt`` lists.

Source: Li, Zhang & Liu (2010), "Action Recognition Based on a Bag of 3D Points"; Wang
et al. (2012), "Mining Actionlet Ensemble for Action Recognition with Depth Cameras".
"""

import re
from pathlib import Path

import numpy as np
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.readers.text import read_numbers
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

CLASS_NAMES = (
    "high arm wave",
    "horizontal arm wave",
    "hammer",
    "hand catch",
    "forward punch",
    "high throw",
    "draw x",
    "draw tick",
    "draw circle",
    "hand clap",
    "two hand wave",
    "side boxing",
    "bend",
    "forward kick",
    "side kick",
    "jogging",
    "tennis swing",
    "tennis serve",
    "golf swing",
    "pickup and throw",
)

ACTION_SETS = {
    "AS1": (2, 3, 5, 6, 10, 13, 18, 20),
    "AS2": (1, 4, 7, 8, 9, 11, 12, 14),
    "AS3": (6, 14, 15, 16, 17, 18, 19, 20),
}
"""The three overlapping subsets of Li et al., by action number from 1."""

_NAME = re.compile(r"(a\d\d)_(s\d\d)_(e\d\d)_skeleton3D\.txt")
_USED = re.compile(r"a\d\d_s\d\d_e\d\d")
_LIST = "files_used_in_cvpr12_paper.txt"
_NUM_JOINTS = 20


def read_msr_action3d(
    folder: Path, *, least_confidence: float = 0.0
) -> SkeletonDataset:
    """Read the clips, those on the list of 557 if the list lies in or above the folder.

    Args:
        folder: The folder of the text files.
        least_confidence: A joint with less confidence is missing. 37 % have less than
            0.5, so that raising it makes a natural benchmark of missing joints.

    Returns:
        The clips; ``origin.subject`` is ``s01`` to ``s10``.

    Raises:
        DataFormatError: If there is no clip, or one is malformed.
    """
    layout = load_layout("msr_action3d")
    used = _used_names(folder)
    clips = []
    for path in sorted(folder.glob("*_skeleton3D.txt")):
        match = _NAME.fullmatch(path.name)
        name = path.name.removesuffix("_skeleton3D.txt")
        if match is None or (used is not None and name not in used):
            continue
        rows = read_numbers(path, 4)
        if len(rows) % _NUM_JOINTS:
            raise DataFormatError(
                f"{path}: {len(rows)} rows are no whole frames of {_NUM_JOINTS} joints"
            )
        joints = rows.reshape(-1, _NUM_JOINTS, 4)
        trusted = joints[..., 3:] >= least_confidence
        positions = np.where(trusted, joints[..., :3], 0.0).transpose(2, 0, 1)
        clips.append(
            SkeletonSequence.of(
                torch.from_numpy(positions[..., None].astype(np.float32)),
                layout,
                name=name,
                label=int(match[1][1:]) - 1,
                origin=Origin(subject=match[2], recording=name),
            )
        )
    if not clips:
        raise DataFormatError(f"{folder} has no a01_s02_e03_skeleton3D.txt")
    return SkeletonDataset("msr_action3d", layout, CLASS_NAMES, tuple(clips))


def _used_names(folder: Path) -> frozenset[str] | None:
    for path in (folder / _LIST, folder.parent / _LIST):
        if path.is_file():
            return frozenset(_USED.findall(path.read_text(encoding="utf-8")))
    return None
