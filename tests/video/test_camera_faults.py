import numpy as np
import pytest
from scipy import ndimage

from cocodesign.video.camera_faults import CameraFaults, sharpness, shift
from tests.video.conftest import moment_with


def views(num: int) -> list[np.ndarray]:
    return [moment_with(time_s=step / 10).view for step in range(num)]


@pytest.fixture
def faults() -> CameraFaults:
    return CameraFaults.learn(views(40), [step / 10 for step in range(40)])


def worst(faults: CameraFaults, changed: np.ndarray):
    return max(faults.score(changed, 5.0), key=lambda each: each.score)


def test_a_normal_view_is_no_fault(faults: CameraFaults) -> None:
    assert worst(faults, views(50)[-1]).score < 1


def test_a_blurred_view_is_blurred(faults: CameraFaults) -> None:
    found = worst(faults, ndimage.gaussian_filter(views(1)[0], 2))
    assert found.fault == "blur"
    assert found.score > 1.2


def test_a_covered_view_is_covered(faults: CameraFaults) -> None:
    found = worst(faults, (views(1)[0] // 8).astype(np.uint8))
    assert found.fault == "cover"
    assert found.score > 3


def test_a_turned_camera_is_shifted(faults: CameraFaults) -> None:
    found = worst(faults, np.roll(views(1)[0], (10, 25), (0, 1)))
    assert found.fault == "shift"
    assert found.score > 3
    assert "turned by 11%" in found.sentence


def test_a_view_that_does_not_change_is_frozen(faults: CameraFaults) -> None:
    still = views(1)[0]
    scores = [
        next(each for each in faults.score(still, t / 10) if each.fault == "freeze")
        for t in range(31)
    ]
    assert scores[5].score < 1
    assert scores[30].score == pytest.approx(3)
    assert "has not changed for 3.0 s" in scores[30].sentence


def test_shift_is_found_exactly() -> None:
    scene = np.random.default_rng(0).normal(size=(40, 60))
    assert shift(scene, np.roll(scene, (-3, 7), (0, 1))) == (-3, 7)


def test_sharpness_does_not_depend_on_the_light() -> None:
    view = views(1)[0]
    assert sharpness((view // 2).astype(np.uint8)) == pytest.approx(
        sharpness(view), rel=0.05
    )


def test_a_black_picture_cannot_be_learnt() -> None:
    with pytest.raises(ValueError, match="something on them"):
        CameraFaults.learn([np.zeros((144, 256), np.uint8)] * 5, [0, 1, 2, 3, 4])
