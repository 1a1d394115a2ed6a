import numpy as np
import pytest

from cocodesign.video.detection import ObjectDetector
from cocodesign.video.motion import MotionMask, moving_boxes
from tests.video.conftest import BrightnessDetector


@pytest.fixture
def network() -> BrightnessDetector:
    return BrightnessDetector()


def test_boxes_are_in_pixels_of_the_frame(network, make_frame) -> None:
    found = ObjectDetector(network).detect(make_frame((100, 150), (250, 200)))
    assert found is not None
    boxes = found.boxes[found.boxes[:, 0].argsort()]
    expected = [[88, 102, 112, 150], [238, 152, 262, 200]]
    np.testing.assert_allclose(boxes, expected, atol=2)


def test_a_tile_gives_the_same_boxes_as_the_whole_frame(network, make_frame) -> None:
    detector = ObjectDetector(network, whole_interval_s=100)
    for step in range(30):
        detector.detect(make_frame(time_s=step / 10))
    found = detector.detect(make_frame((150, 150), time_s=3.0))
    assert found is not None
    assert "tiles" in detector.plan.reason
    np.testing.assert_allclose(found.boxes, [[138, 102, 162, 150]], atol=2)


def test_a_still_scene_costs_one_run_per_interval(network, make_frame) -> None:
    detector = ObjectDetector(network, whole_interval_s=1.0)
    for step in range(100):
        detector.detect(make_frame((100, 150), time_s=step / 10))
    assert network.num_calls == detector.num_runs == 10


def test_the_rate_of_runs_is_by_time_and_not_by_frames(network, make_frame) -> None:
    detector = ObjectDetector(network, max_rate_hz=5)
    for step in range(50):
        detector.detect(make_frame((100 + 2 * step, 150), time_s=step / 25))
    assert network.num_calls == 10


def test_only_chosen_classes_are_returned(network, make_frame) -> None:
    found = ObjectDetector(network, classes=("dog",)).detect(make_frame((100, 150)))
    assert found is not None
    assert len(found) == 0


def test_refuses_an_unknown_class(network) -> None:
    with pytest.raises(ValueError, match="no classes of COCO: unicorn"):
        ObjectDetector(network, classes=("person", "unicorn"))


def test_motion_is_where_something_moved() -> None:
    mask = MotionMask()
    grid = np.full((108, 192), 90, np.uint8)
    assert mask.update(grid, 0.0).all()
    moved = grid.copy()
    moved[40:50, 100:104] = 200
    (box,) = moving_boxes(mask.update(moved, 0.1), size=(1920, 1080))
    assert box.tolist() == [990, 390, 1050, 510]


def test_a_lamp_that_is_switched_on_is_no_motion() -> None:
    mask = MotionMask()
    grid = np.full((108, 192), 90, np.uint8)
    mask.update(grid, 0.0)
    assert not mask.update(grid + 60, 0.1).any()


def test_flicker_is_learnt() -> None:
    mask, generator = MotionMask(), np.random.default_rng(0)
    counts = []
    for step in range(400):
        grid = np.full((108, 192), 90, np.uint8)
        grid[:20] += generator.integers(0, 40, (20, 192), np.uint8)
        counts.append(int(mask.update(grid, step / 10).sum()))
    assert np.mean(counts[-50:]) < np.mean(counts[1:51]) / 5
