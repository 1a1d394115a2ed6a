import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.video.anomaly_scores import (
    ScoredRegions,
    frame_auc,
    macro_auc,
    region_and_track_criteria,
)

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_auc_is_the_share_of_pairs_in_order(normal, strange) -> None:
    scores = np.array([*normal, *strange], float)
    labels = np.array([False] * len(normal) + [True] * len(strange))
    pairs = [(s > n) + 0.5 * (s == n) for s in strange for n in normal]
    assert frame_auc(scores, labels) == pytest.approx(np.mean(pairs))


def test_macro_is_the_mean_of_clips_with_both_kinds() -> None:
    good = (np.array([0.0, 1.0]), np.array([False, True]))
    bad = (np.array([1.0, 0.0]), np.array([False, True]))
    normal = (np.zeros(3), np.zeros(3, bool))
    assert macro_auc([good, bad, normal]) == 0.5


def regions(found, given_, track: int = 0) -> ScoredRegions:
    return ScoredRegions(
        np.array([[x, 0, x + 10, 10] for x, _ in found], float).reshape(-1, 4),
        np.array([score for _, score in found], float),
        np.array([[x, 0, x + 10, 10] for x in given_], float).reshape(-1, 4),
        (track,) * len(given_),
    )


def test_perfect_regions_reach_one() -> None:
    frames = [regions([(0, 2.0)], [0]), regions([(0, 0.5)], [])]
    assert region_and_track_criteria(frames) == (1.0, 1.0)


def test_false_regions_push_the_curve_to_the_right() -> None:
    # The false one scores higher: nothing is found before half a false one a frame.
    frames = [regions([(0, 1.0)], [0]), regions([(50, 2.0)], [])]
    assert region_and_track_criteria(frames) == (0.5, 0.5)


def test_a_tenth_of_a_track_is_enough() -> None:
    frames = [regions([(0, 1.0)], [0])] + [regions([], [0])] * 9
    rbdc, tbdc = region_and_track_criteria(frames)
    assert rbdc == pytest.approx(0.1)
    assert tbdc == 1.0


def test_needs_strange_frames_and_regions() -> None:
    with pytest.raises(ValueError, match="0 strange of 3"):
        frame_auc(np.zeros(3), np.zeros(3, bool))
    with pytest.raises(ValueError, match="no strange region"):
        region_and_track_criteria([regions([], [])])
    with pytest.raises(ValueError, match="no clip has"):
        macro_auc([])
