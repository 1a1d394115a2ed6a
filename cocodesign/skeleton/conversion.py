"""From the joints of one layout to those of another, by name.

A joint that the source lacks is the mean of others where ``joint_stand_ins.toml`` names
a stand-in, and missing where it does not.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources

import torch
from jaxtyping import Float32
from torch import Tensor

from cocodesign.skeleton.layouts import JointLayout
from cocodesign.skeleton.sequences import SkeletonSequence


def convert(sequence: SkeletonSequence, target: JointLayout) -> SkeletonSequence:
    """Return a clip in another layout.

    Args:
        sequence: The clip.
        target: The layout wanted.

    Returns:
        A new clip. A joint is visible where all joints are that it is the mean of.

    Raises:
        ValueError: If no joint of the target can be had from the source.

    Example:
        >>> from cocodesign.skeleton.layouts import load_layout
        >>> coco, kinect = load_layout("coco"), load_layout("kinect_v1")
        >>> clip = SkeletonSequence.of(torch.ones(3, 2, 17, 1), coco)
        >>> converted = convert(clip, kinect)
        >>> [kinect.joints[i] for i in (~converted.visible[0, :, 0]).nonzero()[:, 0]]
        []
    """
    weights = joint_weights(sequence.layout, target)
    is_used = (weights > 0).to(torch.float32)
    if not bool(is_used.any()):
        raise ValueError(
            f"layout {target.name} has no joint that {sequence.layout.name} has or can "
            "stand in for: give both the same names for the same joints"
        )
    num_missing = torch.einsum("wv,tvm->twm", is_used, (~sequence.visible).float())
    visible = (num_missing == 0) & is_used.any(dim=1)[None, :, None]
    positions = torch.einsum("wv,ctvm->ctwm", weights, sequence.positions)
    return replace(
        sequence,
        positions=torch.where(visible, positions, 0.0),
        visible=visible,
        layout=target,
    )


def joint_weights(
    source: JointLayout, target: JointLayout
) -> Float32[Tensor, "target_joint source_joint"]:
    """Return which mean of the source's joints each joint of the target is.

    Args:
        source: The layout at hand.
        target: The layout wanted.

    Returns:
        Rows that sum to 1, or to 0 for a joint that is missing.
    """
    weights = torch.zeros(target.num_joints, source.num_joints)
    for row, joint in enumerate(target.joints):
        for name, weight in (_mean_of(joint, source, frozenset()) or {}).items():
            weights[row, source.joints.index(name)] = weight
    return weights


def _mean_of(
    joint: str, source: JointLayout, asked: frozenset[str]
) -> Mapping[str, float] | None:
    """Return the weights of a joint's mean, or ``None`` if it cannot be had."""
    if joint in source.joints:
        return {joint: 1.0}
    for alternative in _stand_ins().get(joint, ()):
        if any(each in asked for each in alternative):
            continue  # else wrist and hand would stand in for each other for ever
        means = [_mean_of(each, source, asked | {joint}) for each in alternative]
        found = [mean for mean in means if mean is not None]
        if len(found) == len(alternative):
            result: dict[str, float] = {}
            for mean in found:
                for name, weight in mean.items():
                    result[name] = result.get(name, 0.0) + weight / len(found)
            return result
    return None


@cache
def _stand_ins() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    text = resources.files("cocodesign.skeleton").joinpath("joint_stand_ins.toml")
    table = tomllib.loads(text.read_text(encoding="utf-8"))
    sides = table.pop("sides")
    for side in ("left", "right"):
        for joint, alternatives in sides.items():
            table[f"{side}_{joint}"] = [
                [f"{side}_{each}" for each in names] for names in alternatives
            ]
    return {
        joint: tuple(tuple(names) for names in alternatives)
        for joint, alternatives in table.items()
    }
