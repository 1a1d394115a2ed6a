"""Joints as lines of JSON: what a camera's pose model can write, one line a frame.

A line is a list of persons, a person a list of joints in the layout's order, a joint
``[x, y]``, ``[x, y, z]`` or ``null`` for one that was not found::

    [[[0.1, 1.6], [0.1, 1.4], null], [[0.9, 1.5], [0.9, 1.3], [0.8, 1.1]]]
"""

import json
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.sequences import SkeletonSequence


def parse_frame(
    line: str, layout: JointLayout, *, y_down: bool = False
) -> Float32[Tensor, "3 joint person"]:
    """Read one frame.

    Args:
        line: Its JSON text.
        layout: Says how many joints a person has.
        y_down: Whether y grows downwards, as in pictures; it is turned over.

    Returns:
        The coordinates, NaN for joints that were not found. A frame without persons
        has one of whom nothing is found.

    Raises:
        DataFormatError: If the line is of another form.

    Example:
        >>> from cocodesign.skeleton.layouts import load_layout
        >>> line = "[[" + ", ".join(["[0, 1]"] * 16 + ["null"]) + "]]"
        >>> parse_frame(line, load_layout("coco"))[:, 15:, 0].T.tolist()
        [[0.0, 1.0, 0.0], [nan, nan, nan]]
    """
    try:
        persons = json.loads(line)
        frame = torch.full((3, layout.num_joints, max(1, len(persons))), torch.nan)
        for index, joints in enumerate(persons):
            if len(joints) != layout.num_joints:
                raise DataFormatError(
                    f"person {index} has {len(joints)} joints, but layout "
                    f"{layout.name} {layout.num_joints}"
                )
            for place, joint in enumerate(joints):
                if joint is not None:
                    x, y, z = joint if len(joint) == 3 else (*joint, 0.0)
                    frame[:, place, index] = torch.tensor([x, -y if y_down else y, z])
    except (ValueError, TypeError) as error:
        raise DataFormatError(f"no frame of joints: {error}: {line[:80]!r}") from error
    return frame


def stack_frames(
    frames: list[Float32[Tensor, "3 joint _"]], layout: JointLayout, *, name: str = ""
) -> SkeletonSequence:
    """Join frames, which may have different numbers of persons, to a clip.

    Args:
        frames: At least one, as ``parse_frame`` gives them.
        layout: Meaning of the joints.
        name: The clip's name.

    Returns:
        The clip; the person axis is that of the frame with the most persons.
    """
    num_persons = max(frame.shape[2] for frame in frames)
    positions = torch.full((3, len(frames), layout.num_joints, num_persons), torch.nan)
    for index, frame in enumerate(frames):
        positions[:, index, :, : frame.shape[2]] = frame
    visible = positions.isfinite().all(dim=0)
    return SkeletonSequence(
        torch.where(visible, positions, 0.0), visible, layout, name=name
    )


def read_frames(
    path: Path, layout: JointLayout, *, y_down: bool = False
) -> SkeletonSequence:
    """Read a file of frames as one clip.

    Args:
        path: A text file, one frame a line; empty lines are passed over.
        layout: Meaning of the joints.
        y_down: Whether y grows downwards.

    Returns:
        The clip.

    Raises:
        DataFormatError: If there is no frame or one is malformed.
    """
    frames = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.strip():
            try:
                frames.append(parse_frame(line, layout, y_down=y_down))
            except DataFormatError as error:
                raise DataFormatError(f"{path}, line {number}: {error}") from error
    if not frames:
        raise DataFormatError(f"{path} has no frame")
    return stack_frames(frames, layout, name=path.stem)
