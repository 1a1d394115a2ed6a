"""NTU RGB+D and NTU RGB+D 120: ``.skeleton`` text files of Kinect v2.

``S001C002P003R002A013.skeleton`` is setup, camera, performer, replication and action.
The file is a sequence of numbers: frames, and per frame the bodies; per body one line
of 10 fields, the number of joints, and 12 fields per joint, of which the first three
are x, y and z in metres.

Sources: Shahroudy et al. (2016), arXiv:1604.02808; Liu et al. (2019), arXiv:1905.04757;
the clean-up of bodies as CTR-GCN and pyskl do it, with the thresholds below. They look
for noise only among several bodies; here as well, and the last body is never dropped.
"""

import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import load_layout
from cocodesign.skeleton.sequences import Origin, SkeletonDataset, SkeletonSequence

TRAINING_SUBJECTS = frozenset(
    f"P{number:03d}"
    for number in (
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38),
        *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82),
        *(83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
    )
)
"""Of the cross-subject protocols: up to P040 that of the first 60 actions."""

TRAINING_VIEWS = frozenset({"C002", "C003"})
"""Of the cross-view protocol."""

_NAME = re.compile(r"(S\d{3})(C\d{3})(P\d{3})(R\d{3})(A\d{3})")
_MISSING_LISTS = "*missing_skeletons*.txt"
_BODY_FIELDS, _JOINT_FIELDS, _NUM_JOINTS = 10, 12, 25
_FEW_FRAMES = 11
_WIDE, _MOSTLY = 0.8, 0.69754
_MOST_BODIES = 2

Bodies = dict[str, dict[int, NDArray[np.float64]]]
"""By body and frame: joints and their coordinates."""


def read_ntu(path: Path) -> SkeletonDataset:
    """Read the clips of a folder, or a single clip.

    Clips whose names stand on one of the published lists of missing skeletons
    (``*missing_skeletons*.txt``, in the folder or above it) are left out.

    Args:
        path: The folder of the ``.skeleton`` files, or one of them.

    Returns:
        The clips of at most two persons, who keep their places. The classes are
        ``A001`` to ``A060``, or to ``A120`` if there is a later one.

    Raises:
        DataFormatError: If there is no clip, or one is malformed or without a body.
    """
    layout = load_layout("kinect_v2")
    missing = _missing_names(path)
    clips = []
    for file in [path] if path.is_file() else sorted(path.rglob("*.skeleton")):
        match = _NAME.fullmatch(file.stem)
        if match is None or file.stem in missing:
            continue
        setup, camera, performer, _, action = match.groups()
        num_frames, bodies = read_bodies(file)
        chosen = clean_bodies(bodies)
        if not chosen:
            raise DataFormatError(
                f"{file} holds no body: put the published list of missing skeletons "
                "beside it"
            )
        positions = np.zeros(
            (3, num_frames, _NUM_JOINTS, len(chosen)), dtype=np.float32
        )
        for person, frames in enumerate(chosen.values()):
            for frame, joints in frames.items():
                positions[:, frame, :, person] = joints.T
        clips.append(
            SkeletonSequence.of(
                torch.from_numpy(positions),
                layout,
                name=file.stem,
                label=int(action[1:]) - 1,
                origin=Origin(performer, camera, setup, recording=file.stem),
            )
        )
    if not clips:
        raise DataFormatError(f"{path} has no clip named like S001C002P003R002A013")
    last = max(clip.label or 0 for clip in clips)
    names = tuple(f"A{number:03d}" for number in range(1, 61 if last < 60 else 121))
    return SkeletonDataset("ntu", layout, names, tuple(clips))


def read_bodies(file: Path) -> tuple[int, Bodies]:
    """Read one file as it is.

    Args:
        file: A ``.skeleton`` file.

    Returns:
        The number of frames, and all bodies.

    Raises:
        DataFormatError: If the file is truncated or not of this format.
    """
    fields = iter(file.read_text(encoding="utf-8", errors="replace").split())
    bodies: Bodies = {}
    try:
        num_frames = int(next(fields))
        for frame in range(num_frames):
            for _ in range(int(next(fields))):
                body = next(fields)
                for _ in range(_BODY_FIELDS - 1):
                    next(fields)
                num_joints = int(next(fields))
                if num_joints != _NUM_JOINTS:
                    raise DataFormatError(
                        f"{file}, frame {frame}: {num_joints} joints, not {_NUM_JOINTS}"
                    )
                numbers = [
                    float(next(fields)) for _ in range(num_joints * _JOINT_FIELDS)
                ]
                joints = np.array(numbers).reshape(num_joints, _JOINT_FIELDS)[:, :3]
                bodies.setdefault(body, {})[frame] = joints
    except StopIteration as error:
        raise DataFormatError(f"{file} ends too early") from error
    except ValueError as error:
        raise DataFormatError(f"{file} is no skeleton file: {error}") from error
    if num_frames == 0 or next(fields, None) is not None:
        raise DataFormatError(f"{file}: no frame, or something after the last one")
    return num_frames, bodies


def clean_bodies(bodies: Bodies) -> Bodies:
    """Drop what the sensor took for a body, and keep the two that move most.

    Of several bodies those are dropped that are seen in at most 11 frames, and those
    that in more than 69.754 % of their frames are wider than 0.8 of their height, as
    furniture is.

    Args:
        bodies: All bodies of a clip.

    Returns:
        At most two, the one with the larger variance of its positions first.
    """
    kept = dict(bodies)
    for is_noise in (_is_short, _is_wide):
        for body in list(kept):
            if len(kept) > 1 and is_noise(kept[body]):
                del kept[body]
    by_motion = sorted(kept, key=lambda body: -_motion(kept[body]))
    return {body: kept[body] for body in by_motion[:_MOST_BODIES]}


def _is_short(frames: dict[int, NDArray[np.float64]]) -> bool:
    return len(frames) <= _FEW_FRAMES


def _is_wide(frames: dict[int, NDArray[np.float64]]) -> bool:
    spans = np.ptp(np.stack(list(frames.values())), axis=1)  # frames, coordinates
    return bool((spans[:, 0] > _WIDE * spans[:, 1]).mean() > _MOSTLY)


def _motion(frames: dict[int, NDArray[np.float64]]) -> float:
    return float(np.concatenate(list(frames.values())).var(axis=0).sum())


def _missing_names(path: Path) -> frozenset[str]:
    folder = path.parent if path.is_file() else path
    lists = [*folder.glob(_MISSING_LISTS), *folder.parent.glob(_MISSING_LISTS)]
    names = [
        match.group()
        for each in lists
        for match in _NAME.finditer(each.read_text(encoding="utf-8"))
    ]
    return frozenset(names)
