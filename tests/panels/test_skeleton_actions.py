import pytest
import torch

from cocodesign.panels.skeleton_actions import SkeletonPanel
from cocodesign.skeleton import (
    FineToCoarse,
    Recognizer,
    SkeletonSequence,
    load_layout,
)

LAYOUT = load_layout("sbu")


@pytest.fixture
def clips() -> list[SkeletonSequence]:
    generator = torch.Generator().manual_seed(0)
    return [
        SkeletonSequence.of(
            torch.randn(3, 12, 15, 2, generator=generator) + 2,
            LAYOUT,
            name=f"clip {label}",
            label=label,
        )
        for label in range(2)
    ]


@pytest.fixture
def panel(clips: list[SkeletonSequence]) -> SkeletonPanel:
    network = FineToCoarse(LAYOUT, 2, num_persons=2).eval()
    return SkeletonPanel(Recognizer(network, LAYOUT, ("push", "hug")), clips)


def test_shows_the_scores_of_the_chosen_clip(panel: SkeletonPanel, clips) -> None:
    for index, clip in enumerate(clips):
        panel.clip.value = index
        expected = panel._recognizer.classify(clip)
        bars = panel.scores.data[0]
        assert dict(zip(bars.y, bars.x, strict=True)) == pytest.approx(expected)
        assert "0 of 15 joints hidden" in panel.status.value


def test_hiding_a_part_hides_its_joints_and_asks_again(panel, clips) -> None:
    panel.parts["left_arm"].value = False
    assert set(panel.hidden) == set(LAYOUT.parts["left_arm"])
    expected = panel._recognizer.classify(
        clips[0].without_joints(LAYOUT.parts["left_arm"])
    )
    bars = panel.scores.data[0]
    assert dict(zip(bars.y, bars.x, strict=True)) == pytest.approx(expected)
    assert "3 of 15 joints hidden" in panel.status.value


def test_a_hidden_joint_is_grey_and_its_bones_are_gone(panel: SkeletonPanel) -> None:
    num_points = len(panel.body.data[0].x)
    panel.joints["head"].value = False
    assert len(panel.body.data[0].x) == num_points - 3  # one bone
    head = LAYOUT.joints.index("head")
    assert panel.body.data[1].marker.color[head] == "#BBBBBB"


def test_show_all_brings_every_joint_back(panel: SkeletonPanel) -> None:
    panel.parts["left_leg"].value = False
    panel.joints["head"].value = False
    panel.reset.click()
    assert panel.hidden == ()
    assert panel.parts["left_leg"].value


def test_the_frame_moves_both_persons(panel: SkeletonPanel) -> None:
    before = [tuple(trace.y) for trace in panel.body.data]
    panel.frame.value = 40
    after = [tuple(trace.y) for trace in panel.body.data]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_turning_moves_the_drawing_and_not_the_scores(panel: SkeletonPanel) -> None:
    scores, drawing = tuple(panel.scores.data[0].x), tuple(panel.body.data[1].x)
    panel.angle.value = 90
    assert tuple(panel.scores.data[0].x) == scores
    assert tuple(panel.body.data[1].x) != drawing


def test_every_control_says_what_it_does(panel: SkeletonPanel) -> None:
    controls = [panel.clip, panel.frame, panel.angle, panel.reset]
    for widget in (*controls, *panel.parts.values(), *panel.joints.values()):
        assert widget.description
        assert widget.tooltip


def test_needs_a_clip(panel: SkeletonPanel) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        SkeletonPanel(panel._recognizer, [])
