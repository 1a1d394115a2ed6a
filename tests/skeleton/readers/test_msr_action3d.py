from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.protocols import action_set, official_folds
from cocodesign.skeleton.readers.msr_action3d import read_msr_action3d


def write_clip(folder: Path, name: str, rows: list[str]) -> None:
    (folder / f"{name}_skeleton3D.txt").write_text("\n".join(rows) + "\n")


FRAME = [
    f"0.{joint:02d}1 0.5 3.0 {'0.9' if joint % 2 else '0.1'}" for joint in range(20)
]
EMPTY = ["0 0 0 0"] * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "real_world"
    inner.mkdir()
    write_clip(inner, "a01_s01_e01", FRAME * 3)
    write_clip(inner, "a02_s02_e01", FRAME + EMPTY + FRAME)
    write_clip(inner, "a13_s09_e02", EMPTY * 2)
    return inner


def test_frames_of_zeros_are_frames_without_a_skeleton(folder: Path) -> None:
    _, broken, empty = read_msr_action3d(folder).sequences
    assert broken.visible.all(dim=1)[:, 0].tolist() == [True, False, True]
    assert not empty.visible.any()


def test_only_listed_clips_are_read_where_the_list_lies(folder: Path) -> None:
    listed = folder.parent / "files_used_in_cvpr12_paper.txt"
    listed.write_text("a01_s01_e01\na02_s02_e01\n")
    names = [clip.name for clip in read_msr_action3d(folder).sequences]
    assert names == ["a01_s01_e01", "a02_s02_e01"]


def test_joints_of_little_confidence_can_be_taken_for_missing(folder: Path) -> None:
    clip = read_msr_action3d(folder, least_confidence=0.5).sequences[0]
    assert clip.visible[0, :, 0].tolist() == [bool(joint % 2) for joint in range(20)]


def test_subjects_of_even_numbers_test(folder: Path) -> None:
    dataset = read_msr_action3d(folder)
    (fold,) = official_folds(dataset)
    assert [dataset.sequences[i].origin.subject for i in fold.test] == ["s02"]


def test_an_action_set_keeps_its_eight_actions(folder: Path) -> None:
    dataset = read_msr_action3d(folder)
    assert [c.name[:3] for c in action_set(dataset, "AS1").sequences] == ["a02", "a13"]
    assert [c.name[:3] for c in action_set(dataset, "AS2").sequences] == ["a01"]
    with pytest.raises(ValueError, match="'AS4'"):
        action_set(dataset, "AS4")


def test_rows_that_make_no_whole_frame_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path, "a01_s01_e01", FRAME[:19])
    with pytest.raises(DataFormatError, match="19 rows are no whole frames"):
        read_msr_action3d(tmp_path)
