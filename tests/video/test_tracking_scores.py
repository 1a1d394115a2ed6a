import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.video.tracking_scores import NumberedBoxes, score_tracks
from tests.references.track_matching import clear_mot, num_identified

COLUMNS = st.lists(st.integers(0, 24), min_size=0, max_size=3, unique=True)


def frame(*pairs: tuple[int, float]) -> NumberedBoxes:
    boxes = np.array([[x, 0, x + 10, 20] for _, x in pairs], float).reshape(-1, 4)
    return NumberedBoxes(np.array([number for number, _ in pairs], int), boxes)


def test_a_hand_worked_case() -> None:
    given_ = [frame((1, 0), (2, 50))] * 4
    found = [
        frame((7, 0), (8, 50)),
        frame((7, 1)),  # a miss
        frame((7, 0), (9, 50), (5, 90)),  # a switch from 8 to 9, a false box
        frame((7, 0), (9, 50)),
    ]
    score = score_tracks(found, given_)
    assert (score.num_missed, score.num_false, score.num_switches) == (1, 1, 1)
    assert score.mota == pytest.approx(1 - 3 / 8)
    assert score.num_identified == 4 + 2
    assert score.idf1 == pytest.approx(2 * 6 / (8 + 8))


def test_a_pair_stays_while_it_overlaps_even_if_another_fits_better() -> None:
    given_ = [frame((1, 0)), frame((1, 3))]
    found = [frame((7, 0)), frame((7, 0), (8, 3))]
    assert score_tracks(found, given_).num_switches == 0


@given(st.lists(st.tuples(COLUMNS, COLUMNS), min_size=1, max_size=4))
def test_equals_trying_every_pairing(columns) -> None:
    # Distinct overlaps: the best pairing is then the only one.
    found = [
        frame(*((n, x * 1.37 + n * 0.011) for n, x in enumerate(a))) for a, _ in columns
    ]
    given_ = [
        frame(*((n, x * 1.29 + n * 0.007) for n, x in enumerate(b))) for _, b in columns
    ]
    if not any(len(each.numbers) for each in given_):
        return
    score = score_tracks(found, given_)
    counts = (score.num_missed, score.num_false, score.num_switches)
    # Where keeping a pair or the sum of overlaps allow several pairings, counts of
    # misses and false boxes still agree.
    assert counts[0] - counts[1] == score.num_given - score.num_found
    assert counts == clear_mot(found, given_, 0.5)
    assert score.num_identified == num_identified(found, given_, 0.5)


def test_needs_as_many_frames_as_are_given() -> None:
    with pytest.raises(ValueError, match="2 frames have tracks, 1 are given"):
        score_tracks([frame(), frame()], [frame((1, 0))])


def test_needs_a_given_box() -> None:
    with pytest.raises(ValueError, match="without a given box"):
        score_tracks([frame((1, 0))], [frame()])
