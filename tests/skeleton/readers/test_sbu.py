from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton import read_skeletons
from cocodesign.skeleton.protocols import official_folds
from cocodesign.skeleton.readers.sbu import FOLDS, read_sbu


def write_clip(folder: Path, pair: str, action: str, lines: list[str]) -> Path:
    path = folder / pair / action / "001" / "skeleton_pos.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def line(frame: int, first: str, rest: str = "0.5,0.5,1.5625") -> str:
    return ",".join([str(frame), first, *[rest] * 29])


def test_undoes_the_scaling_with_y_upwards(tmp_path: Path) -> None:
    write_clip(tmp_path, "s01s02", "03", [line(7, "0.25,0.25,1.5625")])
    (clip,) = read_sbu(tmp_path).sequences
    assert clip.positions[:, 0, 0, 0].tolist() == pytest.approx([0.64, 0.48, 2.0])
    assert clip.positions[:, 0, 1, 0].tolist() == pytest.approx([0.0, 0.0, 2.0])
    assert clip.positions.shape == (3, 1, 15, 2)
    assert (clip.label, clip.origin.subject, clip.name) == (
        2,
        "s01s02",
        "s01s02/03/001",
    )


def test_a_joint_of_zeros_is_missing(tmp_path: Path) -> None:
    write_clip(tmp_path, "s01s02", "01", [line(1, "0,0,0")])
    (clip,) = read_sbu(tmp_path).sequences
    assert (~clip.visible).nonzero().tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(1, "0.1,0.2")], "line 1: 90 numbers, expected 91"),
        ([line(1, "0.1,0.2,0.3"), line(2, "0.1,x,0.3")], "line 2: could not convert"),
        ([], "is empty"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path, lines, message) -> None:
    write_clip(tmp_path, "s01s02", "01", lines)
    with pytest.raises(DataFormatError, match=message):
        read_sbu(tmp_path)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="give the folder that holds s01s02"):
        read_sbu(tmp_path)


def test_no_pair_is_in_two_folds() -> None:
    pairs = [pair for fold in FOLDS for pair in fold]
    assert len(pairs) == len(set(pairs)) == 21


@pytest.mark.slow
def test_the_real_set_has_its_published_counts(shared: Callable[[str], Path]) -> None:
    dataset = read_skeletons(shared("SBU"))
    assert len(dataset) == 282
    assert sum(clip.num_frames for clip in dataset.sequences) == 6822
    counts = Counter(dataset.labels.tolist())
    assert [counts[label] for label in range(8)] == [42, 43, 40, 41, 18, 21, 39, 38]
    folds = official_folds(dataset)
    assert [len(fold.test) for fold in folds] == [55, 52, 56, 54, 65]
    assert sorted(i for fold in folds for i in fold.test) == list(range(282))
    heads = torch.stack([clip.positions[1, 0, 0, 0] for clip in dataset.sequences])
    feet = torch.stack([clip.positions[1, 0, 11, 0] for clip in dataset.sequences])
    assert (heads > feet).all()  # y is upwards
