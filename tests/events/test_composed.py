"""The recipes of StampEvents, and the files made of them."""

import numpy as np
import pytest
from PIL import Image

from cocodesign.errors import DataFormatError
from cocodesign.events.composed import (
    HEIGHT,
    NUM_SCENES,
    SCENE_S,
    WIDTH,
    Composer,
    Photographs,
    plan_clips,
    stamp_kits,
    stamp_photographs,
    write_kits,
)
from cocodesign.events.frames import sample_frames
from cocodesign.events.kits import read_kits

PHOTOGRAPHS = Photographs(
    {
        "E1": {"first": ("a1", "a2"), "second": ("a3",)},
        "E2": {"first": ("b1",), "second": ("b2",)},
    },
    ("x1", "x2"),
)


def plan(half="first", *, num_positives=3, num_backgrounds=4, seed=0):
    return plan_clips(
        PHOTOGRAPHS,
        half,
        num_positives=num_positives,
        num_backgrounds=num_backgrounds,
        seed=seed,
        prefix="t",
    )


def test_every_kit_has_photographs_and_no_photograph_shows_two_things() -> None:
    photographs = stamp_photographs()
    assert {kit.id for kit in stamp_kits()} == set(photographs.by_event)
    assert len(stamp_kits()) == 20
    names = [
        name
        for halves in photographs.by_event.values()
        for half in halves.values()
        for name in half
    ]
    assert len({*names, *photographs.distractors}) == len(names) + len(
        photographs.distractors
    )


@pytest.mark.parametrize("half", ["first", "second"])
def test_an_event_is_shown_by_its_half_of_the_photographs_only(half) -> None:
    clips = plan(half)
    assert [clip.event for clip in clips] == [*["E1", "E2"] * 3, *[""] * 4]
    assert len({clip.id for clip in clips}) == 10
    for clip in clips:
        assert len(clip.scenes) == NUM_SCENES
        assert sum(clip.showing) in ((2, 3, 4) if clip.event else (0,))
        for names, shows in zip(clip.scenes, clip.showing, strict=True):
            allowed = (
                PHOTOGRAPHS.by_event[clip.event][half]
                if shows
                else PHOTOGRAPHS.distractors
            )
            assert set(names) <= set(allowed)
            assert names or not shows


def test_a_seed_gives_the_same_recipes_and_another_one_others() -> None:
    assert plan(seed=3) == plan(seed=3)
    assert plan(seed=3) != plan(seed=4)


def test_selecting_events_keeps_all_distractors() -> None:
    chosen = PHOTOGRAPHS.select(["E2"])
    assert list(chosen.by_event) == ["E2"]
    assert chosen.distractors == PHOTOGRAPHS.distractors


def test_written_kits_are_those_that_are_read(tmp_path) -> None:
    write_kits(tmp_path)
    assert read_kits(tmp_path) == stamp_kits()


@pytest.fixture
def composer(tmp_path, write_video) -> Composer:
    """Return a composer with blue frames, and red photographs on nothing."""
    for name in ("a1", "a2", "b1", "x1", "x2"):
        pixels = np.zeros((40, 60, 4), np.uint8)
        pixels[10:30, 10:50] = (255, 0, 0, 255)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return Composer(tmp_path, [write_video("back.mp4", ["blue", "blue"])])


def test_photographs_lie_in_the_scenes_that_show_them(composer) -> None:
    clip = plan()[0]
    for picture, names in zip(composer.compose(clip), clip.scenes, strict=True):
        assert picture.shape == (HEIGHT, WIDTH, 3)
        red = (picture[..., 0] > 120) & (picture[..., 2] < 100)
        assert red.any() == bool(names)


def test_a_file_holds_one_sampled_frame_a_scene_and_is_complete(
    composer, tmp_path
) -> None:
    clip = plan()[0]
    path = tmp_path / "clips" / "c.mp4"
    composer.write(clip, path)
    frames = list(sample_frames(path, interval_s=SCENE_S))
    assert [frame.time_s for frame in frames] == [SCENE_S * n for n in range(8)]
    for frame, scene in zip(frames, composer.compose(clip), strict=True):
        difference = frame.pixels.numpy().astype(int) - scene
        assert np.abs(difference).mean() < 8  # of 255: the codec
    assert [each.name for each in path.parent.iterdir()] == ["c.mp4"]


def test_a_photograph_that_is_missing_is_named(composer, tmp_path) -> None:
    (tmp_path / "a1.png").unlink()
    (tmp_path / "a2.png").unlink()
    with pytest.raises(DataFormatError, match=r"photograph a[12]"):
        list(composer.compose(plan()[0]))
