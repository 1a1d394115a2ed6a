import pytest

from cocodesign.skeleton.damage import missing_frames, missing_joints, missing_part


def test_a_fifth_of_twenty_joints_are_four_for_the_whole_clip(standing, generator):
    damaged = missing_joints(0.2)(standing, generator)
    seen = damaged.visible.float().mean(dim=0)[:, 0]
    assert sorted(seen.tolist()) == [0.0] * 4 + [1.0] * 16


def test_different_clips_lose_different_joints(standing, generator) -> None:
    first, second = (missing_joints(0.4)(standing, generator) for _ in range(2))
    assert not first.visible.equal(second.visible)


def test_one_of_the_arms_goes(standing, generator) -> None:
    damage = missing_part("left_arm", "right_arm")
    gone = {
        part
        for _ in range(20)
        for part, joints in standing.layout.parts.items()
        if not damage(standing, generator)
        .visible[:, standing.layout.indices(joints)]
        .any()
    }
    assert gone == {"left_arm", "right_arm"}


def test_frames_that_stay_keep_their_order(standing, generator) -> None:
    damaged = missing_frames(0.5)(standing, generator)
    assert damaged.num_frames == 10
    hand = standing.layout.joints.index("left_hand")
    assert damaged.positions[1, :, hand, 0].diff().min() > 0


def test_a_frame_always_stays(standing, generator) -> None:
    assert missing_frames(0.99)(standing, generator).num_frames == 1


@pytest.mark.parametrize("build", [missing_joints, missing_frames])
def test_refuses_fractions_out_of_range(build) -> None:
    with pytest.raises(ValueError, match="fraction must lie"):
        build(-0.1)


def test_refuses_to_lose_no_part() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        missing_part()
