import os
import pickle  # noqa: TID251 - to write what must be refused
from pathlib import Path

import numpy as np
import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.skeleton import SkeletonDataset, SkeletonSequence, load_layout
from cocodesign.skeleton.readers.pyskl import read_pyskl, write_pyskl


def annotation(**changes) -> dict:
    rng = np.random.default_rng(0)
    return {
        "frame_dir": "clip",
        "total_frames": 4,
        "img_shape": (480, 640),
        "original_shape": (480, 640),
        "label": 1,
        "keypoint": rng.uniform(1, 400, (1, 4, 17, 2)).astype(np.float16),
        "keypoint_score": np.ones((1, 4, 17), np.float16),
        **changes,
    }


def write(path: Path, *annotations: dict, protocol: int = 4) -> Path:
    split = {"train": [each["frame_dir"] for each in annotations]}
    content = {"split": split, "annotations": list(annotations)}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_reads_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    path = write(tmp_path / "a.pkl", annotation(), protocol=protocol)
    (clip,) = read_pyskl(path).sequences
    keypoint = annotation()["keypoint"]
    assert clip.layout == load_layout("coco")
    assert np.allclose(clip.positions[0, :, :, 0], keypoint[0, :, :, 0])
    assert (clip.label, clip.origin.setup) == (1, "train")


def test_y_of_a_picture_is_turned_upwards(tmp_path: Path) -> None:
    (clip,) = read_pyskl(write(tmp_path / "a.pkl", annotation())).sequences
    assert np.allclose(
        clip.positions[1, :, :, 0], -annotation()["keypoint"][0, :, :, 1]
    )
    assert not clip.positions[2].any()


def test_joints_of_score_zero_are_missing(tmp_path: Path) -> None:
    score = np.ones((1, 4, 17), np.float32)
    score[0, 2, 5] = 0
    path = write(tmp_path / "a.pkl", annotation(keypoint_score=score))
    (clip,) = read_pyskl(path).sequences
    assert (~clip.visible).nonzero().tolist() == [[2, 5, 0]]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    layout = load_layout("kinect_v2")
    positions = torch.rand(3, 6, 25, 2, generator=torch.Generator().manual_seed(0)) + 1
    positions[:, 3, 4, 1] = 0
    clip = SkeletonSequence.of(positions, layout, name="S1", label=0)
    dataset = SkeletonDataset("mine", layout, ("0",), (clip,))
    write_pyskl(dataset, tmp_path / "b.pkl", {"xsub_train": [0], "xsub_val": []})
    (again,) = read_pyskl(tmp_path / "b.pkl").sequences
    assert torch.equal(again.positions, clip.positions)
    assert torch.equal(again.visible, clip.visible)
    assert again.origin.setup == "xsub_train"


def test_pictures_are_written_in_two_dimensions(tmp_path: Path) -> None:
    dataset = read_pyskl(write(tmp_path / "a.pkl", annotation()))
    write_pyskl(dataset, tmp_path / "b.pkl", {"train": [0]})
    content = pickle.loads((tmp_path / "b.pkl").read_bytes())  # noqa: S301 - our own
    keypoint = content["annotations"][0]["keypoint"]
    assert keypoint.shape == (1, 4, 17, 2)
    assert np.allclose(keypoint, annotation()["keypoint"])


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "trap"
    bad = annotation(label=Harmful(trap))
    path = write(tmp_path / "a.pkl", bad, protocol=protocol)
    with pytest.raises(DataFormatError, match=r"names (posix|nt|os)\.mkdir"):
        read_pyskl(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(S'1+1'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nlist\n(I0\ntS'b'\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
    ],
)
def test_names_beside_plain_arrays_are_refused(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(program)
    with pytest.raises(DataFormatError):
        read_pyskl(path)


@pytest.mark.parametrize("length", [0, 1, 20, 300])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    whole = write(tmp_path / "a.pkl", annotation()).read_bytes()
    path = tmp_path / "b.pkl"
    path.write_bytes(whole[:length])
    with pytest.raises(DataFormatError):
        read_pyskl(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoint": np.ones((1, 4, 13, 2), np.float32)}, "no layout is known for 13"),
        ({"keypoint": np.ones((4, 17, 2), np.float32)}, "shape"),
    ],
)
def test_unknown_joints_are_refused(tmp_path: Path, changes, message) -> None:
    bad = annotation(keypoint_score=None, **changes)
    with pytest.raises(DataFormatError, match=message):
        read_pyskl(write(tmp_path / "a.pkl", bad))


def test_a_layout_of_ones_own_is_taken(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.pkl",
        annotation(keypoint=np.ones((1, 4, 25, 2)), keypoint_score=None),
    )
    assert read_pyskl(path).layout.name == "body_25"
    own = load_layout("kinect_v2")
    assert read_pyskl(path, layout=own).layout == own
