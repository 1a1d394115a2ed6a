from dataclasses import replace

import pytest

from cocodesign.skeleton import JointLayout, load_layout
from cocodesign.skeleton.layouts import layout_names

SIZES = {
    "asf_amc": 31,
    "body_25": 25,
    "coco": 17,
    "kinect_v1": 20,
    "kinect_v2": 25,
    "mediapipe": 33,
    "msr_action3d": 20,
    "sbu": 15,
}

OWN = """
name = "mine"
title = "Five points"
joints = ["hip_centre", "neck", "head", "left_hand", "right_hand"]
bones = [["hip_centre", "neck"], ["neck", "head"], ["neck", "left_hand"],
         ["neck", "right_hand"]]
[body]
centre = ["hip_centre"]
top = ["neck"]
left = ["left_hand"]
right = ["right_hand"]
[parts]
trunk = ["hip_centre", "neck", "head"]
arms = ["left_hand", "right_hand"]
[regions]
body = ["trunk", "arms"]
"""


def test_knows_the_layouts_of_the_data_sets_and_pose_models() -> None:
    assert {name: load_layout(name).num_joints for name in layout_names()} == SIZES


@pytest.mark.parametrize("name", layout_names())
def test_a_layout_survives_writing_and_reading(name: str) -> None:
    layout = load_layout(name)
    assert layout.name == name
    assert JointLayout.from_toml(layout.to_toml()) == layout


@pytest.mark.parametrize("name", layout_names())
def test_mirroring_twice_changes_nothing_and_swaps_the_arms(name: str) -> None:
    layout = load_layout(name)
    mirror = layout.mirror
    assert [mirror[mirror[joint]] for joint in range(layout.num_joints)] == list(
        range(layout.num_joints)
    )
    left = layout.indices(layout.parts["left_arm"])
    assert [mirror[joint] for joint in left] == layout.indices(
        layout.parts["right_arm"]
    )


@pytest.mark.parametrize("name", layout_names())
def test_arms_begin_at_the_shoulder_and_legs_at_the_hip(name: str) -> None:
    parts = load_layout(name).parts
    for side in ("left", "right"):
        assert parts[f"{side}_arm"][0] == f"{side}_shoulder"
        assert parts[f"{side}_leg"][0] == f"{side}_hip"


def test_msr_has_the_joints_of_kinect_in_another_order() -> None:
    msr, kinect = load_layout("msr_action3d"), load_layout("kinect_v1")
    assert set(msr.joints) == set(kinect.joints)
    assert msr.joints != kinect.joints
    assert (msr.joints[6], msr.joints[19]) == ("hip_centre", "head")


def test_reads_a_layout_of_ones_own_from_a_file(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    assert load_layout(path) == load_layout(str(path))
    assert load_layout(path).parts["arms"] == ("left_hand", "right_hand")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["neck", "head"]', '["neck", "hed"]', "did you mean head"),
        (', ["neck", "head"]', "", r"no bones lead from hip_centre to \['head'\]"),
        ('"neck", "head"]\narms', '"neck"]\narms', r"\['head'\] belong to no part"),
        ('["trunk", "arms"]', '["trunk"]', "regions join"),
        ('right = ["right_hand"]', "", "body needs"),
        ('title = "Five points"', "", r"missing \['title'\]"),
        ('"neck", "head", "left', '"neck", "neck", "left', "one twice"),
    ],
)
def test_refuses_a_layout_that_contradicts_itself(old, new, message) -> None:
    assert old in OWN
    with pytest.raises(ValueError, match=message):
        JointLayout.from_toml(OWN.replace(old, new))


def test_an_unknown_name_is_refused_with_the_closest_known_one() -> None:
    with pytest.raises(ValueError, match="did you mean kinect_v1"):
        load_layout("kinect_v3"[:-1] + "1x")


def test_a_part_needs_a_joint(kinect: JointLayout) -> None:
    with pytest.raises(ValueError, match="names no joint"):
        replace(kinect, parts={**kinect.parts, "tail": ()})
