"""Plans of clip sets, and their files and index."""

import numpy as np
import pytest
from PIL import Image

from cocodesign.events.composed import Composer, Photographs
from cocodesign.events.protocol import index_sets, plan_sets

PHOTOGRAPHS = Photographs(
    {
        "E1": {"first": ("a1",), "second": ("a2",)},
        "E2": {"first": ("b1",), "second": ("b2",)},
    },
    ("x1",),
)


def plan(seed: int = 0):
    return plan_sets(
        PHOTOGRAPHS,
        num_test_positives=1,
        num_test_backgrounds=1,
        num_examples=1,
        num_backgrounds=2,
        seed=seed,
    )


def shown(clips) -> set[str]:
    return {name for clip in clips for names in clip.scenes for name in names}


def test_disjoint_examples_share_no_photograph_with_the_test() -> None:
    sets = plan()
    test = shown(sets.test) - {"x1"}
    assert test == shown(sets.examples["shared"]) - {"x1"} == {"a1", "b1"}
    assert shown(sets.examples["disjoint"]) - {"x1"} == {"a2", "b2"}
    assert shown(sets.background) <= {"x1"}


def test_every_clip_has_a_name_of_its_own_and_a_seed_its_own_clips() -> None:
    names = [clip.id for clip in plan().all]
    assert len(set(names)) == len(names) == 3 + 4 + 2
    assert {clip.seed for clip in plan().all}.isdisjoint(
        clip.seed for clip in plan(seed=1).all
    )


@pytest.mark.slow
def test_clips_are_made_once_and_other_recipes_go_elsewhere(
    bank, write_video, tmp_path
) -> None:
    for name in ("a1", "a2", "b1", "b2", "x1"):
        Image.fromarray(np.full((20, 20, 4), 255, np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    composer = Composer(tmp_path, [write_video("back.mp4", ["blue"])])
    sets, cache = plan(), tmp_path / "cache"
    index = index_sets(sets, composer, [bank], cache, num_workers=2)
    assert {clip.id for clip in index.clips} == {clip.id for clip in sets.all}
    assert bank.num_calls == 8 * 9
    index_sets(sets, composer, [bank], cache)
    assert bank.num_calls == 8 * 9
    index_sets(plan(seed=1), composer, [bank], cache)
    assert len(list(cache.iterdir())) == 2
