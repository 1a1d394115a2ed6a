from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cocodesign.codesign_study.concepts import (
    CONCEPTS,
    FOLDERS,
    NOTHING,
    PARTS,
    PERSON,
    PICTURE_PX,
    Part,
    Scene,
    make_pictures,
    scenes_of,
)

GREY, WHITE = 90, 255


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """One white square of each thing, with a transparent border."""
    for folder in FOLDERS.values():
        content = np.zeros((40, 40, 4), np.uint8)
        content[10:30, 10:30] = WHITE
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(content).save(tmp_path / folder / "square.png")
    return tmp_path


@pytest.fixture
def scenes() -> list[Scene]:
    """Grey frames; a black person stands in the middle."""
    found = []
    for second in range(10):
        pixels = np.full((200, 300, 3), GREY, np.uint8)
        pixels[60:120, 140:160] = 0
        found.append(Scene(float(second), pixels, np.array([[140.0, 60, 160, 120]])))
    return found


def test_the_parts_share_no_moment(scenes: list[Scene]) -> None:
    times = [scene.time_s for part in PARTS for scene in scenes_of(scenes, part)]
    assert times == [scene.time_s for scene in scenes]


@pytest.mark.parametrize("part", PARTS)
def test_every_concept_is_shown_as_often_and_as_what_it_is(
    scenes: list[Scene], stamps: Path, part: Part
) -> None:
    count = 4 * len(CONCEPTS)
    made = make_pictures(scenes, stamps, part, count, seed=0)
    assert made.pixels.shape == (count, 3, PICTURE_PX, PICTURE_PX)
    assert torch.bincount(made.labels).tolist() == [4] * len(CONCEPTS)
    for picture, label in zip(made.pixels, made.labels.tolist(), strict=True):
        grey = (GREY - 127.5) / 64
        dark = (picture < grey - 0.5).any()
        bright = (picture > grey + 0.5).any()
        assert (bool(dark), bool(bright)) == (label == PERSON, label > PERSON)
    assert NOTHING < PERSON


def test_pictures_depend_on_the_seed_alone(scenes: list[Scene], stamps: Path) -> None:
    one, two, other = (
        make_pictures(scenes, stamps, "train", 16, seed=seed).pixels
        for seed in (3, 3, 4)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_stretch_without_people_is_refused(stamps: Path) -> None:
    empty = Scene(0.0, np.full((200, 300, 3), GREY, np.uint8), np.zeros((0, 4)))
    with pytest.raises(ValueError, match="nobody is seen"):
        make_pictures([empty] * 10, stamps, "test", 8, seed=0)
