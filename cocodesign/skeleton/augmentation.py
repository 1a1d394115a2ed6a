"""Random changes to normalised clips that leave the action what it is.

Left and right are never exchanged: in many data sets they are different classes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cocodesign.skeleton.layouts import JointLayout

_DAMAGED_FRACTION = 0.5  # of the clips lose joints at all


@dataclass(frozen=True)
class Augmentation:
    """How far clips are changed; 0 leaves out a change.

    Lengths are in torso lengths, as in normalised clips.

    Attributes:
        yaw_rad: The largest rotation about the vertical axis. Clips without depth are
            rotated in the picture only.
        tilt_rad: The largest rotation about each of the other axes.
        scale_fraction: The largest stretch or shrinkage of each axis.
        shortest_crop_fraction: The shortest part of a clip that is taken for all of it.
        noise: The largest deviation of a joint's place in a frame.
        joint_dropout_fraction: How many joints are missing on average, of each person
            and for the whole clip. Half of the clips lose none, the others up to four
            times as many: a network shall know both whole clips and badly damaged ones.
        part_dropout_fraction: Of the persons, how many lack one of the parts.
    """

    yaw_rad: float = 0.6
    tilt_rad: float = 0.2
    scale_fraction: float = 0.15
    shortest_crop_fraction: float = 0.7
    noise: float = 0.02
    joint_dropout_fraction: float = 0.1
    part_dropout_fraction: float = 0.1

    def __call__(
        self,
        clips: Float[Tensor, "N 4 T V M"],
        layout: JointLayout,
        generator: torch.Generator,
    ) -> Float[Tensor, "N 4 T V M"]:
        """Change each clip in its own way.

        Args:
            clips: Normalised coordinates and visibility.
            layout: Of the joints.
            generator: Where chance comes from, a CPU generator.

        Returns:
            New clips; coordinates of what is not visible are 0.
        """
        places, visible = self._cropped(clips[:, :3], clips[:, 3:], generator)
        places = self._turned(places, generator)
        places = self._disturbed(places, generator)
        visible = visible * self._kept(visible, layout, generator)
        return torch.cat([places * visible, visible], dim=1)

    def _cropped(
        self,
        places: Float[Tensor, "N 3 T V M"],
        visible: Float[Tensor, "N 1 T V M"],
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "N 3 T V M"], Float[Tensor, "N 1 T V M"]]:
        """Take a part of each clip for all of it."""
        num, _, num_frames, num_joints, num_persons = places.shape
        length = 1 - (1 - self.shortest_crop_fraction) * _uniform(num, 1, g=generator)
        start = (1 - length) * _uniform(num, 1, g=generator)
        passed = torch.linspace(0, 1, num_frames)
        times = (start + length * passed) * (num_frames - 1)
        before = times.floor().clamp(0, num_frames - 2)
        weight = (times - before)[:, None, :, None, None].to(places.device)
        index = before.long()[:, None, :, None, None].to(places.device)
        index = index.expand(-1, 3, -1, num_joints, num_persons)
        moved = places.gather(2, index).lerp(places.gather(2, index + 1), weight)
        nearest = index[:, :1] + (weight > 0.5).long()
        return moved, visible.gather(2, nearest)

    def _turned(
        self, places: Float[Tensor, "N 3 T V M"], generator: torch.Generator
    ) -> Float[Tensor, "N 3 T V M"]:
        """Rotate each clip, and stretch each axis."""
        num = len(places)
        has_depth = (places[:, 2].abs().amax(dim=(1, 2, 3)) > 0).cpu()
        yaw = self.yaw_rad * _symmetric(num, g=generator)
        pitch, roll = self.tilt_rad * _symmetric(2, num, g=generator)
        rotation = _rotation(roll, 0, 1)
        rotation = _rotation(pitch * has_depth, 1, 2) @ rotation
        rotation = _rotation(yaw * has_depth, 0, 2) @ rotation
        stretch = 1 + self.scale_fraction * _symmetric(num, 3, 1, g=generator)
        matrix = (stretch * rotation).to(places.device)
        return torch.einsum("nij,njtvm->nitvm", matrix, places)

    def _disturbed(
        self, places: Float[Tensor, "N 3 T V M"], generator: torch.Generator
    ) -> Float[Tensor, "N 3 T V M"]:
        """Add the errors of a sensor, to all but depth that was not measured."""
        share = self.noise * _uniform(len(places), 1, 1, 1, 1, g=generator)
        errors = share * torch.randn(places.shape, generator=generator)
        is_measured = places.abs().amax(dim=(2, 3, 4), keepdim=True) > 0
        return places + errors.to(places.device) * is_measured

    def _kept(
        self,
        visible: Float[Tensor, "N 1 T V M"],
        layout: JointLayout,
        generator: torch.Generator,
    ) -> Bool[Tensor, "N 1 1 V M"]:
        """Choose the joints that stay visible."""
        num, _, _, num_joints, num_persons = visible.shape
        is_damaged = _uniform(num, 1, 1, g=generator) < _DAMAGED_FRACTION
        most = 2 * self.joint_dropout_fraction / _DAMAGED_FRACTION
        rate = most * _uniform(num, 1, 1, g=generator) * is_damaged
        kept = _uniform(num, num_joints, num_persons, g=generator) >= rate
        members = torch.zeros(len(layout.parts), num_joints, dtype=torch.bool)
        for part, joints in enumerate(layout.parts.values()):
            members[part, layout.indices(joints)] = True
        lost = torch.randint(len(members), (num, num_persons), generator=generator)
        loses = _uniform(num, num_persons, g=generator) < self.part_dropout_fraction
        in_lost_part = members[lost].transpose(1, 2) & loses[:, None]
        return (kept & ~in_lost_part)[:, None, None].to(visible.device)


def _uniform(*shape: int, g: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=g)


def _symmetric(*shape: int, g: torch.Generator) -> Tensor:
    return 2 * _uniform(*shape, g=g) - 1


def _rotation(
    angle_rad: Float[Tensor, " N"], one: int, other: int
) -> Float[Tensor, "N 3 3"]:
    """Return rotations in the plane of two axes."""
    rotation = torch.eye(3).repeat(len(angle_rad), 1, 1)
    rotation[:, one, one] = rotation[:, other, other] = angle_rad.cos()
    rotation[:, other, one] = angle_rad.sin()
    rotation[:, one, other] = -angle_rad.sin()
    return rotation
