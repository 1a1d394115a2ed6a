"""Small clips of chance, and the real data sets where they lie beside the project."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cocodesign.project import find_project
from cocodesign.skeleton import (
    JointLayout,
    SkeletonDataset,
    SkeletonSequence,
    load_layout,
)

SHARED = (
    find_project(Path(__file__).parent).root.parent / "shared" / "data" / "skeleton"
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def kinect() -> JointLayout:
    return load_layout("kinect_v1")


@pytest.fixture
def standing(kinect: JointLayout) -> SkeletonSequence:
    """Return a person who stands upright, 1.7 m tall, and lifts the left hand."""
    places = {
        "hip_centre": (0.0, 1.0),
        "spine": (0.0, 1.1),
        "shoulder_centre": (0.0, 1.5),
        "head": (0.0, 1.7),
    }
    for side, sign in (("left", -1), ("right", 1)):
        places |= {
            f"{side}_shoulder": (0.2 * sign, 1.5),
            f"{side}_elbow": (0.3 * sign, 1.2),
            f"{side}_wrist": (0.3 * sign, 1.0),
            f"{side}_hand": (0.3 * sign, 0.9),
            f"{side}_hip": (0.1 * sign, 1.0),
            f"{side}_knee": (0.1 * sign, 0.5),
            f"{side}_ankle": (0.1 * sign, 0.1),
            f"{side}_foot": (0.1 * sign, 0.0),
        }
    positions = torch.zeros(3, 20, 20, 1)
    for index, joint in enumerate(kinect.joints):
        positions[0, :, index, 0], positions[1, :, index, 0] = places[joint]
    positions[1, :, kinect.joints.index("left_hand"), 0] += torch.linspace(0, 1, 20)
    positions[2] = 3.0
    return SkeletonSequence.of(positions, kinect, name="standing")


@pytest.fixture
def two_moves(kinect: JointLayout) -> SkeletonDataset:
    """Return 24 noisy clips of two classes: left hand goes up, or right foot."""
    generator = torch.Generator().manual_seed(0)
    body = torch.randn(3, 1, 20, 1, generator=generator)
    clips = []
    for number in range(24):
        positions = body + 0.05 * torch.randn(3, 16, 20, 1, generator=generator)
        joint = "left_hand" if number % 2 else "right_foot"
        moving = kinect.joints.index(joint)
        positions[1, :, moving, 0] += torch.linspace(0, 2, 16)
        clips.append(
            SkeletonSequence.of(positions, kinect, name=str(number), label=number % 2)
        )
    return SkeletonDataset("two_moves", kinect, ("foot", "hand"), tuple(clips))


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Return a function that finds a real data set, or skips the test."""

    def find(name: str) -> Path:
        folder = SHARED / name
        if not folder.is_dir():
            pytest.skip(f"the data set {name} is not beside the project")
        return folder

    return find
