"""SBU Kinect Interaction: two persons, eight interactions, five official folds.

``<set>/<class>/<number>/skeleton_pos.txt``, where the set is the ordered pair of
actors, ``s01s02``. A line is the frame number and, for two persons of 15 joints each,
x, y and z, scaled to about 0 to 1; ``read_sbu`` undoes the scaling.

Source: Yun et al. (2012), "Two-person Interaction Detection Using Body-Pose Features
and Multiple Instance Learning", and the data set's description; the constants that undo
the scaling as Maghoumi & LaViola (2019, DeepGRU, arXiv:1810.12514) apply them. The two
do not agree on the names of the classes 04 to 08; these are DeepGRU's.
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
    "approaching",
    "departing",
    "kicking",
    "pushing",
    "shaking hands",
    "hugging",
    "exchanging",
    "punching",
)

FOLDS = (
    ("s01s02", "s03s04", "s05s02", "s06s04"),
    ("s02s03", "s02s07", "s03s05", "s05s03"),
    ("s01s03", "s01s07", "s07s01", "s07s03"),
    ("s02s01", "s02s06", "s03s02", "s03s06"),
    ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
)
"""The sets of actors of the official folds."""

_FILE = re.compile(r"(s\d\ds\d\d)/(0[1-8])/(\d{3})/skeleton_pos\.txt")
_NUM_PERSONS, _NUM_JOINTS = 2, 15
_SCALE_M = np.array([-2.56, -1.92, 1.28])  # x and y are pictures': to the right, down
_SHIFT_M = np.array([1.28, 0.96, 0.0])


def read_sbu(folder: Path) -> SkeletonDataset:
    """Read the clean set, 282 clips if it is complete.

    Args:
        folder: The folder of the sets ``s01s02`` and so on.

    Returns:
        The clips in metres, y upwards; ``origin.subject`` is the ordered pair.

    Raises:
        DataFormatError: If there is no clip, or one is malformed.
    """
    layout = load_layout("sbu")
    clips = []
    for path in sorted(folder.glob("*/*/*/skeleton_pos.txt")):
        match = _FILE.fullmatch(path.relative_to(folder).as_posix())
        if match is None:
            continue
        pair, action, number = match.groups()
        rows = read_numbers(path, 1 + _NUM_PERSONS * _NUM_JOINTS * 3, separator=",")
        joints = rows[:, 1:].reshape(len(rows), _NUM_PERSONS, _NUM_JOINTS, 3)
        found = (joints != 0).any(axis=3, keepdims=True)
        metres = np.where(found, joints * _SCALE_M + _SHIFT_M, 0.0)
        clips.append(
            SkeletonSequence.of(
                torch.from_numpy(metres.transpose(3, 0, 2, 1).astype(np.float32)),
                layout,
                name=f"{pair}/{action}/{number}",
                label=int(action) - 1,
                origin=Origin(subject=pair, recording=f"{pair}/{action}/{number}"),
            )
        )
    if not clips:
        raise DataFormatError(
            f"{folder} has no sXXsYY/CC/NNN/skeleton_pos.txt: give the folder that "
            "holds s01s02 and the other sets"
        )
    return SkeletonDataset("sbu", layout, CLASS_NAMES, tuple(clips))
