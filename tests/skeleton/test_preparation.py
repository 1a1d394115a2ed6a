import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cocodesign.skeleton import JointLayout, SkeletonSequence, load_layout
from cocodesign.skeleton.preparation import prepare


def prepared(sequence: SkeletonSequence, num_persons: int = 1) -> Tensor:
    return prepare(sequence, num_frames=64, num_persons=num_persons)


def moved(sequence: SkeletonSequence, scale=1.0, yaw=0.0, shift=(0.0, 0.0, 0.0)):
    c, s = math.cos(yaw), math.sin(yaw)
    rotation = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    positions = torch.einsum("ij,jtvm->itvm", rotation, sequence.positions) * scale
    positions += torch.tensor(shift)[:, None, None, None]
    return replace(
        sequence, positions=torch.where(sequence.visible, positions, torch.tensor(0.0))
    )


@given(
    scale=st.floats(0.1, 1000),
    yaw=st.floats(-math.pi, math.pi),
    x=st.floats(-5, 5),
    y=st.floats(-5, 5),
)
@settings(max_examples=25, deadline=None)
def test_place_size_and_heading_of_the_body_do_not_matter(scale, yaw, x, y) -> None:
    generator = torch.Generator().manual_seed(3)
    layout = load_layout("kinect_v1")
    body = torch.randn(3, 1, 20, 1, generator=generator)
    motion = 0.1 * torch.randn(3, 30, 20, 1, generator=generator)
    clip = SkeletonSequence.of(body + motion, layout)
    other = moved(clip, scale, yaw, (x * scale, y * scale, 2 * scale))
    assert (prepared(clip) - prepared(other)).abs().max() < 1e-3


def test_the_torso_has_length_one_and_the_hips_are_at_the_origin(standing) -> None:
    result = prepared(standing)
    places = standing.layout.joints.index
    hip = result[:3, :, places("hip_centre"), 0]
    assert hip.abs().max() < 1e-5
    assert result[1, :, places("shoulder_centre"), 0].mean() == pytest.approx(1.0)


def test_the_right_side_lies_along_x_whatever_the_heading(standing) -> None:
    result = prepared(moved(standing, yaw=2.0))
    left, right = standing.layout.indices(["left_hip", "right_hip"])
    side = result[:3, :, right, 0] - result[:3, :, left, 0]
    assert side[0].min() > 0.3
    assert side[2].abs().max() < 1e-5


def test_with_two_persons_the_line_between_them_lies_along_x(standing) -> None:
    other = moved(standing, shift=(0.0, 0.0, 2.0))
    both = replace(
        standing,
        positions=torch.cat([standing.positions, other.positions], 3),
        visible=torch.cat([standing.visible, other.visible], 2),
    )
    result = prepared(both, num_persons=2)
    between = (result[:3, :, 0, 1] - result[:3, :, 0, 0]).mean(1)
    assert between[0] == pytest.approx(2 / 0.5, rel=1e-4)  # torsos of half a metre
    assert between[1:].abs().max() < 1e-4


def test_joints_in_a_picture_are_not_turned(kinect: JointLayout) -> None:
    positions = torch.zeros(3, 8, 20, 1)
    positions[:2] = torch.randn(2, 1, 20, 1, generator=torch.Generator().manual_seed(1))
    result = prepared(SkeletonSequence.of(positions, kinect))
    mirrored = prepared(
        SkeletonSequence.of(
            positions * torch.tensor([-1.0, 1, 1]).view(3, 1, 1, 1), kinect
        )
    )
    assert (result[2] == 0).all()
    assert (result[0] + mirrored[0]).abs().max() < 1e-5  # not turned back to the front


def test_a_gap_is_bridged_evenly(standing: SkeletonSequence) -> None:
    hand = standing.layout.joints.index("left_hand")
    visible = standing.visible.clone()
    visible[9:11, hand] = False
    broken = replace(
        standing,
        visible=visible,
        positions=torch.where(visible, standing.positions, 0.0),
    )
    assert torch.allclose(prepared(broken), prepared(standing), atol=1e-5)


def test_far_from_its_sightings_a_joint_is_invisible(standing) -> None:
    hand = standing.layout.joints.index("left_hand")
    visible = standing.visible.clone()
    visible[5:, hand] = False
    broken = replace(
        standing,
        visible=visible,
        positions=torch.where(visible, standing.positions, 0.0),
    )
    seen = prepared(broken)[3, :, hand, 0]
    assert seen[: 64 * 5 // 20].all()
    assert not seen[64 * 8 // 20 :].any()  # a tenth of the clip later and beyond


@pytest.mark.parametrize("gone", [["hip_centre"], ["shoulder_centre", "left_shoulder"]])
def test_the_body_is_found_without_its_centre(standing, gone) -> None:
    whole, damaged = prepared(standing), prepared(standing.without_joints(gone))
    visible = damaged[3:] > 0
    assert ((whole - damaged)[:3] * visible).abs().max() < 0.25  # of a torso
    assert not damaged[:, :, standing.layout.indices(gone)].any()


@pytest.mark.parametrize("num_frames", [1, 2, 500])
def test_any_length_becomes_the_wanted_one(kinect: JointLayout, num_frames) -> None:
    clip = SkeletonSequence.of(torch.rand(3, num_frames, 20, 1) + 1, kinect)
    result = prepared(clip)
    assert result.shape == (4, 64, 20, 1)
    assert result.isfinite().all()


def test_a_clip_without_any_joint_is_all_zero(kinect: JointLayout) -> None:
    clip = SkeletonSequence.of(torch.zeros(3, 9, 20, 1), kinect)
    assert not prepared(clip).any()


def test_a_point_has_no_size_and_stays_finite(kinect: JointLayout) -> None:
    assert (
        prepared(SkeletonSequence.of(torch.ones(3, 9, 20, 1), kinect)).isfinite().all()
    )


def test_keeps_the_persons_who_are_seen_longest_in_their_order(standing) -> None:
    visible = standing.visible.repeat(1, 1, 3)
    visible[4:, :, 1] = False
    three = replace(
        standing,
        visible=visible,
        positions=torch.where(
            visible, standing.positions * torch.tensor([1.0, 2.0, 3.0]), 0.0
        ),
    )
    result = prepared(three, num_persons=2)
    assert result[3].all()  # the person who left is the one who is not there


def test_a_person_who_is_not_there_is_invisible(standing) -> None:
    result = prepared(standing, num_persons=2)
    assert result[3, :, :, 0].all()
    assert not result[..., 1].any()


def test_refuses_a_single_frame(standing) -> None:
    with pytest.raises(ValueError, match="num_frames must be at least 2"):
        prepare(standing, num_frames=1, num_persons=1)
