from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton import read_skeletons


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="is not there"):
        read_skeletons(tmp_path / "nothing")


def test_an_unknown_folder_is_refused_with_the_known_formats(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="name one of sbu, utkinect, nw_ucla"):
        read_skeletons(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s01s02/01/001/skeleton_pos.txt", "is empty"),
        ("joints/joints_s01_e01.txt", "has no joints/actionLabel.txt"),
        ("a01_s01_e00_v01.json", "holds no array 'skeletons'"),
        ("a01_s01_e01_skeleton3D.txt", "is empty"),
        ("nested/S001C001P001R001A001.skeleton", "ends too early"),
        ("walk/HDM_bd_walk.amc", "begins with the name of no actor"),
        ("BodyPose_Dataset.csv", "no class has a block"),
    ],
)
def test_recognises_a_folder_by_what_it_holds(tmp_path: Path, name, message) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    with pytest.raises(DataFormatError, match=message):
        read_skeletons(tmp_path)


def test_a_format_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="actionLabel"):
        read_skeletons(tmp_path, format="utkinect")
