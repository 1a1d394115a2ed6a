import pytest
import torch

from cocodesign.skeleton import JointLayout, SkeletonSequence, load_layout
from cocodesign.skeleton.conversion import convert, joint_weights
from cocodesign.skeleton.layouts import layout_names


@pytest.mark.parametrize("name", layout_names())
def test_converting_to_the_same_layout_changes_nothing(name: str) -> None:
    layout = load_layout(name)
    assert torch.equal(joint_weights(layout, layout), torch.eye(layout.num_joints))


@pytest.mark.parametrize("source", layout_names())
@pytest.mark.parametrize("target", layout_names())
def test_every_layout_has_limbs_for_every_other(source: str, target: str) -> None:
    layout = load_layout(target)
    weights = joint_weights(load_layout(source), layout)
    sums = weights.sum(dim=1)
    assert ((sums - 1).abs() < 1e-6).logical_or(sums == 0).all()
    elbow = layout.joints.index("left_elbow")
    assert weights[elbow].max() == 1


def test_kinect_can_be_had_from_coco(kinect: JointLayout) -> None:
    coco = load_layout("coco")
    weights = joint_weights(coco, kinect)

    def row(joint: str) -> dict[str, float]:
        values = weights[kinect.joints.index(joint)]
        return {
            coco.joints[i]: round(values[i].item(), 4) for i in values.nonzero()[:, 0]
        }

    assert row("hip_centre") == {"left_hip": 0.5, "right_hip": 0.5}
    assert row("head") == {"left_ear": 0.5, "right_ear": 0.5}
    assert row("spine") == dict.fromkeys(
        ("left_shoulder", "right_shoulder", "left_hip", "right_hip"), 0.25
    )
    assert row("left_hand") == {"left_wrist": 1.0}


def test_a_mean_is_visible_where_all_its_joints_are(kinect: JointLayout) -> None:
    coco = load_layout("coco")
    positions = torch.ones(3, 2, 17, 1)
    positions[:, 1, coco.joints.index("left_hip")] = 0
    converted = convert(SkeletonSequence.of(positions, coco), kinect)
    hip = kinect.joints.index("hip_centre")
    assert converted.visible[:, hip, 0].tolist() == [True, False]
    assert converted.positions[0, :, hip, 0].tolist() == [1.0, 0.0]


def test_reordering_joints_moves_their_places(kinect: JointLayout) -> None:
    msr = load_layout("msr_action3d")
    positions = torch.rand(3, 4, 20, 1) + 1
    converted = convert(SkeletonSequence.of(positions, msr), kinect)
    head = positions[:, :, msr.joints.index("head")]
    assert torch.equal(converted.positions[:, :, kinect.joints.index("head")], head)


def test_layouts_without_a_common_joint_are_refused(standing: SkeletonSequence) -> None:
    stick = JointLayout(
        "stick",
        "two points",
        ("tip", "grip"),
        (("tip", "grip"),),
        dict.fromkeys(("centre", "top", "left", "right"), ("tip",)),
        {"all": ("tip", "grip")},
        {"all": ("all",)},
    )
    with pytest.raises(ValueError, match="layout stick has no joint that kinect_v1"):
        convert(standing, stick)
