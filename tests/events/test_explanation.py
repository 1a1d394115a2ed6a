"""Evidence: the frames without which a clip would not have been found."""

import numpy as np
import pytest

from cocodesign.events.explanation import explain, frame_scores, score_frames
from cocodesign.events.index import build_index
from cocodesign.events.zero_shot import Background, ZeroShotDetector

COLOURS = ["blue", "red", "green", "red", "green"]


@pytest.fixture
def detector() -> ZeroShotDetector:
    """Look for red, and a little for green, against clips of nothing."""
    zeros = np.zeros(3, np.float32)
    background = Background(zeros - 9, zeros + 1, np.zeros(4, np.float32))
    return ZeroShotDetector(np.array([0.8, 0.2, 0], np.float32), background)


@pytest.fixture
def index(write_video, bank, tmp_path):
    video = write_video("clip.mp4", [each for each in COLOURS for _ in range(2)])
    still = write_video("still.mp4", ["red"])
    return build_index(tmp_path / "index", {"clip": video, "still": still}, [bank])


def test_the_frames_that_show_the_event_come_first(
    index, detector, colour_space
) -> None:
    clip = index.clips[0]
    found = explain(index, clip, detector.score, detector, colour_space)
    assert [COLOURS[each.frame_index] for each in found] == ["red", "red", "green"]
    assert [each.time_s for each in found] == [2 * each.frame_index for each in found]
    assert found[0].concepts[0][0] == "red"
    assert sum(share for _, share in found[0].concepts) == pytest.approx(1, abs=1e-5)


def test_the_score_falls_as_evidence_goes(index, detector, colour_space) -> None:
    clip = index.clips[0]
    found = explain(index, clip, detector.score, detector, colour_space)
    kept = list(range(5))
    scores = [score_frames(index, clip, kept, detector.score)]
    for each in found:
        kept.remove(each.frame_index)
        scores.append(score_frames(index, clip, kept, detector.score))
        assert each.score_without == pytest.approx(scores[-1])
    assert scores == sorted(scores, reverse=True)
    assert scores[2] < scores[0] / 2  # both red frames are gone


def test_the_timeline_scores_each_frame_alone(index, detector) -> None:
    timeline = frame_scores(index, index.clips[0], detector.score)
    order = [COLOURS[at] for at in np.argsort(-timeline)]
    assert order == ["red", "red", "green", "green", "blue"]


def test_a_clip_of_one_frame_has_no_evidence_to_take_away(
    index, detector, colour_space
) -> None:
    assert explain(index, index.clips[1], detector.score, detector, colour_space) == ()
