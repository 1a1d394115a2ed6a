from pathlib import Path

import pytest

from cocodesign.errors import DataFormatError
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.readers.pose_kit import read_pose_kit

HEADER = "label,accuracy," + ",".join(f"x{i},y{i}" for i in range(25))


def row(label: str, number: int) -> str:
    return ",".join([label, "20.0", *[str(number / 1000 + 0.001)] * 50])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [row(label, n) for label in ("T", "Squat") for n in range(250)]
    path = tmp_path / "BodyPose_Dataset.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_no_clip_reaches_over_its_block(file: Path) -> None:
    dataset = read_pose_kit(file.parent)
    for clip in dataset.sequences:
        first, last = (
            round(float(clip.positions[0, t, 0, 0]) * 1000) - 1 for t in (0, -1)
        )
        assert last - first == 31
        assert first // 50 == last // 50  # five blocks of 50 pictures
        assert clip.origin.setup == f"block{first // 50 + 1}"
    assert len(dataset) == 2 * 5 * 2
    assert dataset.class_names == ("Squat", "T")


def test_neighbouring_pictures_never_train_and_test(file: Path) -> None:
    dataset = read_pose_kit(file)
    for fold in official_folds(dataset):
        train = {dataset.sequences[i].origin.recording for i in fold.train}
        test = {dataset.sequences[i].origin.recording for i in fold.test}
        assert not train & test
        assert len(test) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [("T,20.0,1,2", "2 coordinates, expected 50"), (f"T,1,{'x,' * 49}1", "could not")],
)
def test_a_malformed_row_is_named(file: Path, line: str, message: str) -> None:
    file.write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(DataFormatError, match=f"line 2: .*{message}"):
        read_pose_kit(file)


def test_a_missing_file_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="fetch the data set pose_kit"):
        read_pose_kit(tmp_path)
