import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.video.tiles import plan_search

SIZE = (1920, 1080)


def plan(moving, *, max_tiles: int = 2, whole_is_due: bool = False):
    return plan_search(
        np.array(moving, float).reshape(-1, 4),
        size=SIZE,
        tile_fraction=0.25,
        max_tiles=max_tiles,
        whole_is_due=whole_is_due,
    )


def test_nothing_is_searched_where_nothing_moves() -> None:
    assert plan([]).boxes == ()


def test_the_whole_frame_is_searched_when_it_is_due() -> None:
    assert plan([], whole_is_due=True).boxes == ((0, 0, *SIZE),)


def test_a_small_motion_gets_one_tile_around_it() -> None:
    ((left, top, right, bottom),) = plan([[900, 500, 940, 580]]).boxes
    assert (right - left, bottom - top) == (480, 270)
    assert (left + right) / 2 == pytest.approx(920, abs=2)


def test_far_motions_get_a_tile_each() -> None:
    boxes = plan([[0, 0, 40, 80], [1800, 900, 1840, 980]]).boxes
    assert len(boxes) == 2


def test_too_many_motions_get_one_rectangle_or_the_frame() -> None:
    spread = [[100, 100, 140, 180], [1700, 900, 1740, 980], [100, 900, 140, 980]]
    assert plan(spread).boxes == ((0, 0, *SIZE),)
    row = [[100, 500, 140, 560], [900, 500, 940, 560], [1700, 500, 1740, 560]]
    ((left, _, right, _),) = plan(row).boxes
    assert left <= 100
    assert right >= 1740


corners = st.tuples(st.integers(0, 1800), st.integers(0, 1000))


@given(st.lists(corners, min_size=1, max_size=6))
def test_every_plan_covers_all_motion_within_the_frame(places) -> None:
    moving = [[x, y, x + 60, y + 60] for x, y in places]
    boxes = plan(moving).boxes
    assert 1 <= len(boxes) <= 2
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= SIZE[0]
        assert 0 <= top < bottom <= SIZE[1]
    for x, y, end_x, end_y in moving:
        assert any(
            left <= x and top <= y and end_x <= right + 1 and end_y <= bottom + 1
            for left, top, right, bottom in boxes
        )


def test_refuses_an_empty_tile() -> None:
    with pytest.raises(ValueError, match=r"tile_fraction must be in \(0, 1\]"):
        plan_search(
            np.zeros((0, 4)),
            size=SIZE,
            tile_fraction=0,
            max_tiles=1,
            whole_is_due=False,
        )
