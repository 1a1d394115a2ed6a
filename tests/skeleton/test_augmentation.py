import math

import pytest
import torch

from cocodesign.skeleton import SkeletonDataset
from cocodesign.skeleton.augmentation import Augmentation
from cocodesign.skeleton.preparation import prepare_all

OFF = {
    "yaw_rad": 0.0,
    "tilt_rad": 0.0,
    "scale_fraction": 0.0,
    "shortest_crop_fraction": 1.0,
    "noise": 0.0,
    "joint_dropout_fraction": 0.0,
    "part_dropout_fraction": 0.0,
}


@pytest.fixture
def clips(two_moves: SkeletonDataset) -> torch.Tensor:
    return prepare_all(two_moves.sequences[:8], num_frames=64, num_persons=1)


def test_nothing_changes_where_everything_is_off(clips, kinect, generator) -> None:
    changed = Augmentation(**OFF)(clips, kinect, generator)
    assert torch.allclose(changed, clips, atol=1e-4)


def test_the_same_state_of_chance_gives_the_same_clips(clips, kinect) -> None:
    first, second = (
        Augmentation()(clips, kinect, torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert first.equal(second)
    assert not first.equal(clips)


def test_rotations_keep_distances_and_yaw_keeps_heights(clips, kinect, generator):
    changed = Augmentation(**{**OFF, "yaw_rad": math.pi})(clips, kinect, generator)
    for before, after in ((clips, changed),):
        assert torch.allclose(before[:, 1], after[:, 1], atol=1e-4)
        lengths = [each[:, :3].norm(dim=1) for each in (before, after)]
        assert torch.allclose(*lengths, atol=1e-4)
    assert not torch.allclose(clips, changed, atol=0.1)


def test_clips_of_pictures_stay_in_their_plane(clips, kinect, generator) -> None:
    flat = clips.clone()
    flat[:, 2] = 0
    changed = Augmentation()(flat, kinect, generator)
    assert (changed[:, 2] == 0).all()


def test_time_goes_forwards_and_stays_within_the_clip(clips, kinect, generator) -> None:
    clock = clips.clone()
    clock[:, 0] = torch.arange(64.0)[None, :, None, None]
    options = {**OFF, "shortest_crop_fraction": 0.5}
    changed = Augmentation(**options)(clock, kinect, generator)[:, 0]
    assert (changed.diff(dim=1) >= 0).all()
    assert changed.min() >= 0
    assert changed.max() <= 63
    assert (changed[:, -1] - changed[:, 0]).min() >= 0.5 * 63 - 1e-3


def test_invisible_joints_stay_invisible_and_zero(clips, kinect, generator) -> None:
    clips[:, :, 20:40, 3] = 0
    changed = Augmentation()(clips, kinect, generator)
    invisible = changed[:, 3:] == 0
    assert not (changed[:, :3] * invisible).any()
    assert not Augmentation(**OFF)(clips, kinect, generator)[:, 3, 20:40, 3].any()


def test_as_many_joints_go_missing_as_was_asked_for(clips, kinect, generator) -> None:
    many = clips.repeat(60, 1, 1, 1, 1)
    options = {**OFF, "joint_dropout_fraction": 0.2}
    kept = Augmentation(**options)(many, kinect, generator)[:, 3]
    assert kept.mean() == pytest.approx(0.8, abs=0.02)
    assert ((kept == 0) | (kept == 1)).all()
    assert kept.std(dim=1).max() == 0  # for the whole clip


def test_a_lost_part_is_lost_whole(clips, kinect, generator) -> None:
    many = clips.repeat(30, 1, 1, 1, 1)
    options = {**OFF, "part_dropout_fraction": 1.0}
    kept = Augmentation(**options)(many, kinect, generator)[:, 3, 0, :, 0]
    lost = {tuple((row == 0).nonzero()[:, 0].tolist()) for row in kept}
    parts = {tuple(sorted(kinect.indices(joints))) for joints in kinect.parts.values()}
    assert lost == parts
