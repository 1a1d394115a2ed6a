import numpy as np
import pytest

from cocodesign.video.detection import Objects
from cocodesign.video.motion_model import BoxFilter
from cocodesign.video.tracking import Tracker

WHOLE = np.array([[0.0, 0, 1000, 1000]])


def seen(*feet: tuple[float, float], score: float = 0.9, searched=WHOLE) -> Objects:
    boxes = np.array([[x - 20, y - 80, x + 20, y] for x, y in feet], float)
    num = len(feet)
    return Objects(
        boxes.reshape(-1, 4), np.full(num, score), np.zeros(num, int), searched
    )


def follow(tracker: Tracker, steps) -> list:
    return [tracker.update(time_s, objects) for time_s, objects in steps]


def test_crossing_people_keep_their_numbers() -> None:
    tracker = Tracker()
    shown = follow(
        tracker,
        [(t / 10, seen((100 + 8 * t, 400), (500 - 8 * t, 430))) for t in range(50)],
    )
    first = {each.number: each.velocity[0] > 0 for each in shown[10]}
    last = {each.number: each.velocity[0] > 0 for each in shown[-1]}
    assert len(first) == 2
    assert last == first
    assert tracker.counts() == {"person": 2}


def test_a_person_behind_a_post_is_the_same_afterwards() -> None:
    tracker = Tracker()
    hidden = range(20, 30)
    shown = follow(
        tracker,
        [
            (t / 10, seen() if t in hidden else seen((100 + 5 * t, 400)))
            for t in range(50)
        ],
    )
    assert [each.number for each in shown[-1]] == [each.number for each in shown[10]]
    assert shown[29] == ()  # long enough in vain to be no longer shown


def test_who_is_not_looked_for_is_predicted_and_not_lost() -> None:
    tracker = Tracker()
    follow(tracker, [(t / 10, seen((100 + 5 * t, 400))) for t in range(20)])
    elsewhere = np.array([[600.0, 0, 1000, 1000]])
    shown = follow(tracker, [(2 + t / 10, seen(searched=elsewhere)) for t in range(10)])
    (track,) = shown[-1]
    assert (track.box[0] + track.box[2]) / 2 == pytest.approx(100 + 5 * 29, abs=8)
    assert track.last_s == pytest.approx(1.9)


def test_an_unsure_detection_continues_a_track_but_begins_none() -> None:
    tracker = Tracker()
    follow(tracker, [(t / 10, seen((100, 400))) for t in range(5)])
    shown = follow(
        tracker,
        [(0.5 + t / 10, seen((100, 400), (700, 400), score=0.3)) for t in range(10)],
    )
    assert [len(each) for each in shown] == [1] * 10


def test_a_fast_object_is_one_track() -> None:
    tracker = Tracker()  # boxes of 40 x 80 that never overlap: 50 pixels a frame
    follow(tracker, [(t / 10, seen((100 + 50 * t, 400))) for t in range(15)])
    assert tracker.counts() == {"person": 1}


def test_what_is_there_once_is_not_believed() -> None:
    tracker = Tracker()
    shown = follow(tracker, [(0.0, seen((100, 400))), (0.1, seen()), (0.2, seen())])
    assert shown == [(), (), ()]
    assert tracker.counts() == {}


def test_trajectories_are_bounded() -> None:
    tracker = Tracker()
    shown = follow(tracker, [(t / 25, seen((100, 400))) for t in range(600)])
    assert len(shown[-1][0].trajectory) == 256


def test_refuses_time_that_goes_backwards() -> None:
    tracker = Tracker()
    tracker.update(1.0, None)
    with pytest.raises(ValueError, match=r"0\.5 s after 1\.0 s"):
        tracker.update(0.5, None)


def test_refuses_impossible_settings() -> None:
    with pytest.raises(ValueError, match="min_seen at least 1"):
        Tracker(min_seen=0)


def test_the_filter_is_the_textbooks_kalman_filter() -> None:
    """One coordinate, in matrices: x' = F x, P' = F P F' + Q, K = P H' / S."""
    ours = BoxFilter()
    ours.add(np.array([[80.0, 300, 120, 400]]))
    mean = ours.mean[0, 0].copy()
    P = ours.covariance[0, 0].copy()
    for step in range(1, 6):
        t, q = 0.1 * step, (1.0 * ours.mean[0, 3, 0]) ** 2
        F = np.array([[1, t], [0, 1]])
        noise = (0.05 * ours.mean[0, 3, 0]) ** 2
        ours.predict(t)
        mean, P = F @ mean, F @ P @ F.T + q * np.outer([t**2 / 2, t], [t**2 / 2, t])
        noise = (0.05 * ours.mean[0, 3, 0]) ** 2
        ours.correct(
            np.array([0]), np.array([[80.0 + 9 * step, 300, 120 + 9 * step, 400]])
        )
        K = P[:, :1] / (P[0, 0] + noise)
        mean = mean + K[:, 0] * (100.0 + 9 * step - mean[0])
        P = P - K @ P[:1]
        np.testing.assert_allclose(ours.mean[0, 0], mean)
        np.testing.assert_allclose(ours.covariance[0, 0], P)
