"""UTKinect-Action3D: ten actions, ten subjects, twice each, one Kinect v1.

``joints/joints_s01_e02.txt`` is a recording: a line is the frame number and 20 joints,
x, y and z in metres. ``joints/actionLabel.txt`` (also looked for beside ``joints``)
says from which frame to which an action goes on.

Source: Xia, Chen & Aggarwal (2012), "View Invariant Human Action Recognition Using
Histograms of 3D Joints". What its files hold beyond the description: many frames stand
twice in a recording, and one of the 200 actions ("carry" of s10_e02) has no frames.
``actionLabel_modified.txt``, which changes seven actions, is not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.readers.text import read_numbers
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

CLASS_NAMES = (
    "walk",
    "sitDown",
    "standUp",
    "pickUp",
    "carry",
    "throw",
    "push",
    "pull",
    "waveHands",
    "clapHands",
)

_RECORDING = re.compile(r"s\d\d_e\d\d")
_ACTION = re.compile(r"(\w+):\s*(\d+|NaN)\s+(\d+|NaN)\s*")
_NUM_JOINTS = 20


def read_utkinect(folder: Path) -> SkeletonDataset:
    """Read all labelled actions, 199 if the set is complete.

    Args:
        folder: The folder that holds ``joints``.

    Returns:
        The clips; ``origin.subject`` is ``s01``, ``origin.recording`` ``s01_e02``.

    Raises:
        DataFormatError: If a file is missing or malformed, or an action lies outside of
            its recording.
    """
    layout = load_layout("kinect_v1")
    clips = []
    rows, recording = np.empty((0, 1)), ""
    for action in _actions(_labels_file(folder)):
        name, label, start, end = action
        if name != recording:
            recording = name
            path = folder / "joints" / f"joints_{recording}.txt"
            if not path.is_file():
                raise DataFormatError(f"{path} is missing, but has labelled actions")
            rows = read_numbers(path, 1 + 3 * _NUM_JOINTS)
            _, first = np.unique(rows[:, 0], return_index=True)
            rows = rows[first]
        chosen = rows[(rows[:, 0] >= start) & (rows[:, 0] <= end), 1:]
        if not len(chosen):
            raise DataFormatError(
                f"{recording}: no frames for {CLASS_NAMES[label]}, {start} to {end}"
            )
        joints = chosen.reshape(len(chosen), _NUM_JOINTS, 3).transpose(2, 0, 1)
        clips.append(
            SkeletonSequence.of(
                torch.from_numpy(joints[..., None].astype(np.float32)),
                layout,
                name=f"{recording}/{CLASS_NAMES[label]}",
                label=label,
                origin=Origin(subject=recording[:3], recording=recording),
            )
        )
    return SkeletonDataset("utkinect", layout, CLASS_NAMES, tuple(clips))


def _labels_file(folder: Path) -> Path:
    for path in (folder / "joints" / "actionLabel.txt", folder / "actionLabel.txt"):
        if path.is_file():
            return path
    raise DataFormatError(f"{folder} has no joints/actionLabel.txt")


def _actions(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Yield recording, label, first and last frame of every action that has frames."""
    recording = None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        text = line.strip()
        if _RECORDING.fullmatch(text):
            recording = text
            continue
        match = _ACTION.fullmatch(text)
        if not text:
            continue
        if match is None or recording is None or match[1] not in CLASS_NAMES:
            raise DataFormatError(f"{path}, line {number}: {text!r} is no action")
        if "NaN" not in match.groups():
            yield recording, CLASS_NAMES.index(match[1]), int(match[2]), int(match[3])
