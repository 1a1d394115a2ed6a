import json
from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.readers.nw_ucla import read_nw_ucla


def write_clip(folder: Path, name: str, frames: list) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"file_name": name, "skeletons": frames, "label": 1}))
    return path


FRAME = [[0.1, 0.2, 3.0]] * 20


def test_actions_with_gaps_in_their_numbers_have_labels_without(tmp_path) -> None:
    for action in ("a01", "a06", "a08", "a09", "a11", "a12"):
        write_clip(tmp_path, f"{action}_s01_e00_v01", [FRAME])
    dataset = read_nw_ucla(tmp_path)
    assert dataset.labels.tolist() == [0, 5, 6, 7, 8, 9]
    assert len(dataset.class_names) == 10


def test_a_clip_of_one_frame_and_joints_at_the_origin_are_read(tmp_path) -> None:
    write_clip(tmp_path, "a01_s01_e00_v01", [[[0, 0, 0], *FRAME[1:]]])
    (clip,) = read_nw_ucla(tmp_path).sequences
    assert clip.num_frames == 1
    assert (~clip.visible).nonzero().tolist() == [[0, 0, 0]]


def test_the_third_view_tests(tmp_path: Path) -> None:
    for view in ("v01", "v02", "v03"):
        write_clip(tmp_path, f"a01_s01_e00_{view}", [FRAME, FRAME])
    dataset = read_nw_ucla(tmp_path)
    (fold,) = official_folds(dataset)
    assert [dataset.sequences[i].origin.view for i in fold.train] == ["v01", "v02"]
    assert [dataset.sequences[i].origin.view for i in fold.test] == ["v03"]


def test_a_single_file_is_a_data_set_of_one(tmp_path: Path) -> None:
    path = write_clip(tmp_path, "a03_s01_e00_v01", [FRAME])
    assert read_nw_ucla(path).labels.tolist() == [2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "holds no array 'skeletons'"),
        ("{", "holds no array"),
        ('{"skeletons": [[[1, 2, 3]]]}', r"shape \[1, 1, 3\]"),
        ('{"skeletons": [[[1, 2, 3]], [[1, 2]]]}', "holds no array"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, content, message) -> None:
    (tmp_path / "a01_s01_e00_v01.json").write_text(content)
    with pytest.raises(DataFormatError, match=message):
        read_nw_ucla(tmp_path)
