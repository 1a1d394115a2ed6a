from dataclasses import replace

import pytest

from cocodesign.skeleton import SkeletonDataset
from cocodesign.skeleton.damage import missing_part
from cocodesign.skeleton.evaluation import cross_validate
from cocodesign.skeleton.fitting import Recipe
from cocodesign.skeleton.protocols import leave_one_out
from cocodesign.skeleton.sequences import Origin

BRIEF = Recipe(num_epochs=15, mini_batch_size=8)


@pytest.fixture
def by_view(two_moves: SkeletonDataset) -> SkeletonDataset:
    clips = tuple(
        replace(clip, origin=Origin(view=f"v{index // 12}"))
        for index, clip in enumerate(two_moves.sequences)
    )
    return replace(two_moves, sequences=clips)


@pytest.mark.slow
def test_every_clip_is_answered_by_a_network_that_never_saw_it(by_view) -> None:
    lines: list[str] = []
    found = cross_validate(
        by_view,
        seeds=(0, 1),
        folds=leave_one_out(by_view, "view"),
        recipe=BRIEF,
        damages={"the hand's arm": missing_part("left_arm")},
        report=lines.append,
    )
    assert found.seeds == (0, 1)
    plain = [each for each in found.answers if not each.damage]
    assert sorted(each.clip for each in plain) == sorted([*range(24)] * 2)
    assert {each.fold for each in plain if each.clip < 12} == {"v0"}
    assert min(found.accuracies()) > 0.9
    assert found.damages == ("the hand's arm",)
    assert len(lines) == 4
    assert "two_moves, fine_to_coarse, seed 0, v0: " in lines[0]


def test_needs_a_seed(by_view: SkeletonDataset) -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        cross_validate(by_view, seeds=(), folds=leave_one_out(by_view, "view"))
