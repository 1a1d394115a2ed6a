from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cocodesign.video import run_inject_protocol
from cocodesign.video.frames import Frame
from cocodesign.video.injection import Event, Sprite, camera_events, inject
from tests.video.conftest import BrightnessDetector, picture, write_video
from tests.video.test_watching import walk


@pytest.fixture
def frames() -> list[Frame]:
    return [
        Frame.from_pixels(picture([(20 + i, 150)]), time_s=i / 10) for i in range(80)
    ]


@pytest.fixture
def sprite(tmp_path: Path) -> Path:
    path = tmp_path / "sprite.png"
    content = np.zeros((40, 60, 4), np.uint8)
    content[10:30, 10:50] = (250, 240, 235, 255)
    Image.fromarray(content).save(path)
    return path


def test_a_sprite_loses_its_empty_border(sprite: Path) -> None:
    made = Sprite.of_picture(sprite, 30)
    assert made.opacity.shape == (30, 60)
    assert made.opacity.min() == 1.0


def test_frames_without_an_event_are_the_cameras_own(frames) -> None:
    for injected, frame in zip(inject(frames, camera_events()), frames, strict=True):
        assert (injected.event is None) == (injected.frame is frame)


def test_each_event_has_its_stretch(frames) -> None:
    events = camera_events()
    injected = list(inject(frames, events))
    for index, event in enumerate(events):
        stretch = injected[20 * index : 20 * index + 20]
        assert [each.event for each in stretch].count(event) == 8
        assert {each.stretch for each in stretch} == {index}


def test_a_frozen_camera_repeats_one_frame(frames) -> None:
    frozen = [
        each.frame.pixels()
        for each in inject(frames, camera_events()[1:2])
        if each.event is not None
    ]
    assert len(frozen) > 10
    assert all(np.array_equal(each, frozen[0]) for each in frozen)


def test_an_object_is_pasted_where_its_box_says(frames, sprite: Path) -> None:
    made = Sprite.of_picture(sprite, 20)
    event = Event("foreign", ("class",), (made,), ((200.0, 100.0),))
    (injected, *_) = [each for each in inject(frames, [event]) if each.event]
    assert injected.box == (180, 80, 220, 100)
    changed = injected.frame.pixels()
    assert (changed[80:100, 180:220] == (250, 240, 235)).all()
    original = frames[36].pixels()
    original[80:100, 180:220] = changed[80:100, 180:220]
    np.testing.assert_array_equal(changed, original)


def test_an_object_may_stand_half_outside(frames, sprite: Path) -> None:
    made = Sprite.of_picture(sprite, 20)
    event = Event("foreign", ("class",), (made,), ((5.0, 10.0),))
    (injected, *_) = [each for each in inject(frames, [event]) if each.event]
    assert injected.box == (0, 0, 25, 10)


def test_refuses_too_few_frames(frames) -> None:
    with pytest.raises(ValueError, match="4 events need ten frames each, got 20"):
        list(inject(frames[:20], camera_events()))


@pytest.mark.slow
def test_the_protocol_finds_inserted_events(sprite: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.ts", [picture(walk(i)) for i in range(300)])
    outcome = run_inject_protocol(
        video,
        BrightnessDetector(),
        foreign=sprite,
        abandoned=sprite,
        num_normal_frames=160,
        num_test_frames=140,
    )
    assert outcome.kinds[4:] == ("blur", "freeze", "cover", "shift")
    assert outcome.auc_micro > 0.7
    assert outcome.auc_by_kind["cover"] > 0.95
    assert len(outcome.scores) == len(outcome.tables()["timeline"]["event"]) == 280
    assert outcome.metrics()["training_s"][0] > 0


def test_a_video_that_is_too_short_is_refused(sprite: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.ts", [picture(walk(i)) for i in range(20)])
    with pytest.raises(ValueError, match="has 20 frames, fewer than the 400"):
        run_inject_protocol(
            video, BrightnessDetector(), foreign=sprite, abandoned=sprite
        )
