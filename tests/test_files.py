import errno
import os
from pathlib import Path

import pytest

from cocodesign.files import sha256_of, write_atomically


def test_writes_text_and_bytes_and_makes_the_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.txt", "λ\n")
    write_atomically(tmp_path / "new" / "b.bin", b"\x00\xff")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"\xce\xbb\n"
    assert (tmp_path / "new" / "b.bin").read_bytes() == b"\x00\xff"


def test_a_full_disk_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_as_readable_as_an_ordinary_one(tmp_path: Path) -> None:
    write_atomically(tmp_path / "atomic", "")
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "atomic").stat().st_mode == (
        tmp_path / "ordinary"
    ).stat().st_mode


def test_digest_is_the_published_one_of_abc(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
