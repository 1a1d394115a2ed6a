"""Clips as a worse sensor would give them: joints, limbs and frames go missing."""

from collections.abc import Callable
from dataclasses import replace

import torch

from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.sequences import SkeletonSequence

Damage = Callable[[SkeletonSequence, torch.Generator], SkeletonSequence]
"""From a clip and a source of chance to the damaged clip."""


def missing_joints(fraction: float) -> Damage:
    """Lose some joints of every person for the whole clip, chosen at random.

    Args:
        fraction: How many of the layout's joints, between 0 and 1.

    Returns:
        The damage; the persons of a clip lose the same joints.

    Raises:
        ValueError: If the fraction is out of its range.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie in [0, 1], got {fraction}")

    def damage(
        sequence: SkeletonSequence, generator: torch.Generator
    ) -> SkeletonSequence:
        joints = sequence.layout.joints
        lost = torch.randperm(len(joints), generator=generator)
        lost = lost[: round(fraction * len(joints))].tolist()
        return sequence.without_joints(joints[index] for index in lost)

    return damage


def missing_part(*parts: str) -> Damage:
    """Lose one of some parts for the whole clip, chosen at random.

    Args:
        parts: Names of parts, such as the two arms.

    Returns:
        The damage.

    Raises:
        ValueError: If no part is named.
    """
    if not parts:
        raise ValueError("name at least one part")

    def damage(
        sequence: SkeletonSequence, generator: torch.Generator
    ) -> SkeletonSequence:
        chosen = int(torch.randint(len(parts), (1,), generator=generator))
        return sequence.without_joints(sequence.layout.parts[parts[chosen]])

    return damage


def missing_frames(fraction: float) -> Damage:
    """Lose some frames, chosen at random; at least one stays.

    Args:
        fraction: How many of the frames, at least 0 and below 1.

    Returns:
        The damage.

    Raises:
        ValueError: If the fraction is out of its range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must lie in [0, 1), got {fraction}")

    def damage(
        sequence: SkeletonSequence, generator: torch.Generator
    ) -> SkeletonSequence:
        num_kept = max(1, round((1 - fraction) * sequence.num_frames))
        order = torch.randperm(sequence.num_frames, generator=generator)
        kept = order[:num_kept].sort().values
        return replace(
            sequence,
            positions=sequence.positions[:, kept],
            visible=sequence.visible[kept],
        )

    return damage


def standard_damages(layout: JointLayout) -> dict[str, Damage]:
    """Return what recognizers are tested with: of 20 joints, a fifth are 4.

    Args:
        layout: Of the clips; the arms are among the damages if it has them.

    Returns:
        The damages by name.
    """
    damages = {
        "a fifth of the joints": missing_joints(0.2),
        "two fifths of the joints": missing_joints(0.4),
        "half of the frames": missing_frames(0.5),
    }
    if {"left_arm", "right_arm"} <= set(layout.parts):
        damages["an arm"] = missing_part("left_arm", "right_arm")
    return damages
