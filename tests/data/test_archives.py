"""Single files out of archives, and what is refused."""

import io
import tarfile
import zipfile

import pytest

from cocodesign.data.archives import store_members
from cocodesign.errors import DataMismatchError


def make_tar(path, entries):
    """Write a tar file; a value is content or a function that changes the entry."""
    with tarfile.open(path, "w:gz") as archive:
        for name, value in entries.items():
            info = tarfile.TarInfo(name)
            if isinstance(value, bytes):
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            else:
                info.type, info.linkname = value
                archive.addfile(info)
    return path


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            archive.writestr(name, value)
    return path


@pytest.mark.parametrize(
    ("make", "name"), [(make_tar, "a.tgz"), (make_tar, "a.tar.gz"), (make_zip, "a.whl")]
)
def test_copies_the_wanted_members_only(make, name, tmp_path, contents, make_file):
    entries = {f"package/{key}": value for key, value in contents.items()}
    evil = {"../outside": b"evil", "/etc/outside": b"evil", "package/other": b"other"}
    archive = make(tmp_path / name, evil | entries)
    members = {
        f"package/{key}": make_file(key, value) for key, value in contents.items()
    }
    store_members(archive, members, tmp_path / "out", "none")
    found = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == contents
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])


def test_knows_a_tar_member_by_its_path_with_and_without_a_leading_dot(
    tmp_path, make_file
):
    archive = make_tar(tmp_path / "a.tar", {"./usr/share/a": b"abc"})
    members = {"usr/share/a": make_file("a", b"abc")}
    store_members(archive, members, tmp_path / "out", "none")
    assert (tmp_path / "out/a").read_bytes() == b"abc"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_refuses_a_tar_member_that_is_no_file(kind, tmp_path, make_file):
    entries = {"secret": b"abc", "a": (kind, "secret")}
    archive = make_tar(tmp_path / "a.tgz", entries)
    with pytest.raises(DataMismatchError, match="not a file"):
        store_members(archive, {"a": make_file("a", b"abc")}, tmp_path / "out", "none")
    assert not (tmp_path / "out").exists()


def test_refuses_a_zip_member_that_is_a_link(tmp_path, make_file):
    link = zipfile.ZipInfo("a")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataMismatchError, match="a is a link"):
        store_members(
            tmp_path / "a.zip", {"a": make_file("a", b"/etc/passwd")}, tmp_path, "none"
        )


def test_a_tar_file_that_ends_with_a_zip_file_is_a_tar_file(tmp_path, make_file):
    inner = make_zip(tmp_path / "inner.zip", {"a": b"not this one"}).read_bytes()
    path = tmp_path / "content.tar"
    with tarfile.open(path, "w") as archive:
        for name, value in {"a": b"abc", "inner.zip": inner}.items():
            info = tarfile.TarInfo(name)
            info.size = len(value)
            archive.addfile(info, io.BytesIO(value))
    store_members(path, {"a": make_file("a", b"abc")}, tmp_path / "out", "none")
    assert (tmp_path / "out/a").read_bytes() == b"abc"


@pytest.mark.parametrize(("make", "name"), [(make_tar, "a.tgz"), (make_zip, "a.whl")])
def test_names_what_an_archive_lacks(make, name, tmp_path, make_file):
    archive = make(tmp_path / name, {"b": b"abc"})
    with pytest.raises(DataMismatchError, match=f"{name} has no a"):
        store_members(archive, {"a": make_file("a", b"abc")}, tmp_path, "none")


@pytest.mark.parametrize(("make", "name"), [(make_tar, "a.tgz"), (make_zip, "a.whl")])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_refuses_a_truncated_archive(make, name, fraction, tmp_path, make_file):
    content = b"".join(str(number**2).encode() for number in range(20_000))
    whole = make(tmp_path / name, {"a": content}).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(DataMismatchError):
        store_members(
            tmp_path / name, {"a": make_file("a", content)}, tmp_path / "out", "none"
        )
    assert not (tmp_path / "out/a").exists()
