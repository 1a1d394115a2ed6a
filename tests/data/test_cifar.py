from pathlib import Path

import pytest
import torch

from cocodesign.data.cifar import read_cifar10
from cocodesign.errors import DataFormatError

FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures in each file; their bytes count through the planes."""
    for number, name in enumerate(FILES):
        records = [
            bytes([number % 2]) + bytes((number + i) % 256 for i in range(3072))
            for _ in range(2)
        ]
        (tmp_path / name).write_bytes(b"".join(records))
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
    return tmp_path


def test_reads_pictures_plane_by_plane(folder: Path) -> None:
    dataset = read_cifar10(folder)
    assert dataset.class_names == ("airplane", "automobile")
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    assert dataset.test.images.shape == (2, 3, 32, 32)
    third = dataset.train.images[4]  # of the third file
    expected = [(2 + 1024 * plane + 32 * 5 + 7) % 256 for plane in range(3)]
    assert third[:, 5, 7].tolist() == expected
    assert third.dtype == torch.uint8


def test_names_what_is_missing_and_what_to_do(folder: Path) -> None:
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataFormatError, match=r"lacks data_batch_3\.bin: unpack"):
        read_cifar10(folder)


def test_refuses_a_file_that_was_cut_off(folder: Path) -> None:
    path = folder / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataFormatError, match=r"test_batch\.bin has 6,145 bytes"):
        read_cifar10(folder)


def test_refuses_a_class_without_a_name(folder: Path) -> None:
    (folder / "batches.meta.txt").write_text("airplane\n")
    with pytest.raises(
        DataFormatError, match=r"class 1, but batches\.meta\.txt names 1"
    ):
        read_cifar10(folder)
