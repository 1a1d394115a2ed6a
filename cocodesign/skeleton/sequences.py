"""Joints over time, one clip, as they come from a file or a camera.

Axes, in this order: ``channels`` (x to the side, y upwards, z in depth; z is 0 for
joints in a picture), ``time`` (frames), ``joint`` (in the layout's order), ``person``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from cocodesign.skeleton.layouts import JointLayout


@dataclass(frozen=True)
class Origin:
    """Where a clip comes from: what protocols split by. Unknown is an empty text.

    Attributes:
        subject: Who acts, for an interaction the ordered pair.
        view: Which camera.
        setup: Which arrangement of the cameras.
        recording: Which continuous recording the clip was cut from.
    """

    subject: str = ""
    view: str = ""
    setup: str = ""
    recording: str = ""


@dataclass(frozen=True)
class SkeletonSequence:
    """One clip of one or more persons.

    Attributes:
        positions: In any unit of length, y upwards. What is not visible is 0.
        visible: Which joints were seen; a person who is not there is not visible.
        layout: Meaning of the joint axis.
        name: The clip's name, unique within its data set.
        label: Its class, ``None`` if unknown.
        origin: Where it comes from.
    """

    positions: Float32[Tensor, "3 time joint person"]
    visible: Bool[Tensor, "time joint person"]
    layout: JointLayout
    name: str = ""
    label: int | None = None
    origin: Origin = field(default=Origin())

    def __post_init__(self) -> None:
        _, num_frames, num_joints, num_persons = self.positions.shape
        if self.visible.shape != self.positions.shape[1:]:
            raise ValueError(
                f"{self.name}: visible {list(self.visible.shape)} does not fit "
                f"positions {list(self.positions.shape)}"
            )
        if num_joints != self.layout.num_joints:
            raise ValueError(
                f"{self.name}: {num_joints} joints, but layout {self.layout.name} has "
                f"{self.layout.num_joints}"
            )
        if num_frames == 0 or num_persons == 0:
            raise ValueError(f"{self.name}: no frame or no person")
        if not bool(self.positions.isfinite().all()):
            raise ValueError(
                f"{self.name}: positions must be finite; set what is unknown to 0 and "
                "make it invisible"
            )

    @classmethod
    def of(
        cls,
        positions: Float32[Tensor, "3 time joint person"],
        layout: JointLayout,
        *,
        name: str = "",
        label: int | None = None,
        origin: Origin = Origin(),
    ) -> "SkeletonSequence":
        """Take a joint for missing where its coordinates are all 0 or not finite.

        That is how Kinect, OpenPose and the data sets made with them write a joint
        that they did not find.

        Args:
            positions: Coordinates; not changed.
            layout: Meaning of the joint axis.
            name: The clip's name.
            label: Its class.
            origin: Where it comes from.

        Returns:
            The clip.
        """
        finite = positions.isfinite().all(dim=0)
        visible = finite & (positions != 0).any(dim=0)
        return cls(
            torch.where(visible, positions, 0.0), visible, layout, name, label, origin
        )

    @property
    def num_frames(self) -> int:
        """Length of the time axis."""
        return self.positions.shape[1]

    @property
    def num_persons(self) -> int:
        """Length of the person axis."""
        return self.positions.shape[3]

    def without_joints(self, names: Iterable[str]) -> "SkeletonSequence":
        """Return the clip as if some joints had never been seen.

        Args:
            names: Names of joints, of all persons.

        Returns:
            A new clip.

        Raises:
            ValueError: If the layout has no such joint.
        """
        chosen = [*names]
        if not chosen:
            return self
        visible = self.visible.clone()
        visible[:, self.layout.indices(chosen)] = False
        return replace(
            self, positions=torch.where(visible, self.positions, 0.0), visible=visible
        )


@dataclass(frozen=True)
class SkeletonDataset:
    """Clips of one layout with their classes.

    Attributes:
        name: The data set's name.
        layout: Of every clip.
        class_names: Meaning of the labels 0, 1, ….
        sequences: The clips.
    """

    name: str
    layout: JointLayout
    class_names: tuple[str, ...]
    sequences: tuple[SkeletonSequence, ...]

    def __post_init__(self) -> None:
        for each in self.sequences:
            if each.layout != self.layout:
                raise ValueError(
                    f"{self.name}: {each.name} has layout {each.layout.name}, not "
                    f"{self.layout.name}"
                )
            if each.label is not None and not 0 <= each.label < len(self.class_names):
                raise ValueError(
                    f"{self.name}: {each.name} has label {each.label}, but there are "
                    f"{len(self.class_names)} classes"
                )

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def num_persons(self) -> int:
        """The largest number of persons in a clip."""
        return max((each.num_persons for each in self.sequences), default=1)

    @property
    def labels(self) -> Int64[Tensor, " clip"]:
        """The classes of the clips.

        Raises:
            ValueError: If a clip has none.
        """
        labels = [each.label for each in self.sequences if each.label is not None]
        if len(labels) < len(self):
            raise ValueError(
                f"{self.name}: {len(self) - len(labels)} clips lack a label"
            )
        return torch.tensor(labels, dtype=torch.int64)

    def subset(self, indices: Sequence[int]) -> "SkeletonDataset":
        """Return some of the clips.

        Args:
            indices: Which ones.

        Returns:
            A data set of the same classes, in the order of the indices.
        """
        return replace(self, sequences=tuple(self.sequences[i] for i in indices))
