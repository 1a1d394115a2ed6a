"""NW-UCLA Multiview Action3D: ten actions, ten subjects, three views of Kinect v1.

``a01_s02_e03_v03.json`` holds ``skeletons``, frames of 20 joints of x, y, z. The
actions are numbered with gaps. A clip may have a single frame, and two have joints at
the origin throughout: such joints are missing.

Source: Wang et al. (2014), "Cross-view Action Modeling, Learning and Recognition"; the
JSON form is the one that Chen et al. (2021, CTR-GCN) hand out.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

ACTIONS = {
    "a01": "pick up with one hand",
    "a02": "pick up with two hands",
    "a03": "drop trash",
    "a04": "walk around",
    "a05": "sit down",
    "a06": "stand up",
    "a08": "donning",
    "a09": "doffing",
    "a11": "throw",
    "a12": "carry",
}

_NAME = re.compile(r"(a\d\d)_(s\d\d)_(e\d\d)_(v\d\d)")


def read_nw_ucla(path: Path) -> SkeletonDataset:
    """Read the clips of a folder, 1,484 if the set is complete, or a single clip.

    Args:
        path: The folder of the JSON files, or one of them.

    Returns:
        The clips; ``origin.view`` is ``v01`` to ``v03``.

    Raises:
        DataFormatError: If there is no clip, or one is malformed.
    """
    layout = load_layout("kinect_v1")
    labels = {action: label for label, action in enumerate(ACTIONS)}
    clips = []
    for file in [path] if path.is_file() else sorted(path.glob("*.json")):
        match = _NAME.fullmatch(file.stem)
        if match is None or match[1] not in ACTIONS:
            continue
        action, subject, _, view = match.groups()
        clips.append(
            SkeletonSequence.of(
                _read_joints(file, layout.num_joints),
                layout,
                name=file.stem,
                label=labels[action],
                origin=Origin(subject=subject, view=view, recording=file.stem),
            )
        )
    if not clips:
        raise DataFormatError(f"{path} has no clip named like a01_s02_e03_v03.json")
    return SkeletonDataset("nw_ucla", layout, tuple(ACTIONS.values()), tuple(clips))


def _read_joints(file: Path, num_joints: int) -> torch.Tensor:
    try:
        joints = np.array(
            json.loads(file.read_text(encoding="utf-8"))["skeletons"], dtype=np.float32
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(f"{file} holds no array 'skeletons': {error}") from error
    if joints.ndim != 3 or joints.shape[1:] != (num_joints, 3) or not len(joints):
        raise DataFormatError(
            f"{file}: skeletons of shape {list(joints.shape)}, expected frames of "
            f"{num_joints} joints of 3 coordinates"
        )
    return torch.from_numpy(joints.transpose(2, 0, 1)[..., None].copy())
