from collections.abc import Callable
from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton import read_skeletons
from cocodesign.skeleton.protocols import leave_one_out, official_folds
from cocodesign.skeleton.readers.utkinect import read_utkinect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a recording of frames 10, 12, 12, 14, the second 12 with other numbers."""
    joints = tmp_path / "joints"
    joints.mkdir()
    rows = [[10, 1.0], [12, 2.0], [12, 9.0], [14, 3.0]]
    lines = [" ".join([str(f), *[str(value)] * 60]) for f, value in rows]
    (joints / "joints_s01_e01.txt").write_text("\n".join(lines) + " \n")
    (joints / "actionLabel.txt").write_text(
        "s01_e01\nwalk: 10 12\nsitDown: 12 14 \ncarry: NaN NaN\n"
    )
    return tmp_path


def test_a_frame_that_stands_twice_counts_once(folder: Path) -> None:
    walk, sit = read_utkinect(folder).sequences
    assert walk.positions[0, :, 0, 0].tolist() == [1.0, 2.0]
    assert sit.positions[0, :, 0, 0].tolist() == [2.0, 3.0]
    assert (sit.label, sit.origin.subject, sit.name) == (1, "s01", "s01_e01/sitDown")


def test_an_action_without_frames_numbers_is_left_out(folder: Path) -> None:
    assert "carry" not in {
        clip.name.split("/")[1] for clip in read_utkinect(folder).sequences
    }


def test_the_modified_labels_are_not_read(folder: Path) -> None:
    (folder / "joints" / "actionLabel_modified.txt").write_text(
        "s01_e01\nwalk: 10 14\n"
    )
    assert read_utkinect(folder).sequences[0].num_frames == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("s01_e01\nwalk: 20 30\n", "no frames for walk, 20 to 30"),
        ("s01_e01\nfly: 10 12\n", "line 2: 'fly: 10 12' is no action"),
        ("walk: 10 12\n", "line 1"),
        ("s02_e01\nwalk: 10 12\n", "joints_s02_e01.txt is missing"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder: Path, labels, message) -> None:
    (folder / "joints" / "actionLabel.txt").write_text(labels)
    with pytest.raises(DataFormatError, match=message):
        read_utkinect(folder)


@pytest.mark.slow
def test_the_real_set_has_199_actions(shared: Callable[[str], Path]) -> None:
    dataset = read_skeletons(shared("UTKinect"))
    lengths = [clip.num_frames for clip in dataset.sequences]
    assert (len(dataset), min(lengths), max(lengths)) == (199, 5, 170)
    folds = official_folds(dataset)
    assert [len(fold.test) for fold in folds] == [10] * 19 + [9]
    assert len(leave_one_out(dataset, None)) == 199
    assert len(leave_one_out(dataset, "subject")) == 10
