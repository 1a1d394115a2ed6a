"""Each kind of source against a stand-in for what it asks."""

import io
import tarfile
import zipfile

import pytest

from cocodesign.data.acquisition import acquire
from cocodesign.data.sources import DebianSource, NpmSource, PyPISource
from cocodesign.errors import DataMismatchError, DataUnavailableError

# Without package lists of its own, this apt-get knows no package.
APT = """
case "$*" in
  *update*) for word in $*; do case $word in
      Dir::State::Lists=*) touch ${word#Dir::State::Lists=}/toy_Packages;;
    esac; done;;
  *Dir::State::Lists=*) cp PACKAGE toy_1.0_all.deb;;
  *) echo "E: Unable to locate package toy-data" >&2; exit 100;;
esac
"""


def make_tar(path, contents):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def take(tmp_path, contents, make_file):
    """Return a function that acquires the toy files and returns their contents."""

    def acquire_all(source):
        folder, scratch = tmp_path / "verified", tmp_path / "scratch"
        scratch.mkdir()
        files = [make_file(name, content) for name, content in contents.items()]
        acquire(
            source, files, folder=folder, scratch=scratch, on_transfer=lambda *_: None
        )
        return {name: (folder / name).read_bytes() for name in contents}

    return acquire_all


def test_opens_a_debian_package_with_lists_of_its_own(
    take, install, tmp_path, contents
):
    package = make_tar(
        tmp_path / "toy.tar", {f"./usr/share/{k}": v for k, v in contents.items()}
    )
    install("apt-get", APT.replace("PACKAGE", str(package)))
    install("dpkg-deb", 'cat "$2"')
    members = {name: f"usr/share/{name}" for name in contents}
    assert take(DebianSource("toy-data", members)) == contents


def test_reports_both_attempts_of_apt(take, install, contents):
    install("apt-get", "echo 'E: Could not resolve a.mirror' >&2; exit 100")
    install("dpkg-deb", "exit 0")
    source = DebianSource("toy-data", {name: name for name in contents})
    with pytest.raises(DataUnavailableError) as caught:
        take(source)
    assert str(caught.value).count("Could not resolve a.mirror") == 2
    assert "after apt-get update" in str(caught.value)


def test_machines_without_apt_have_no_debian_source(take, monkeypatch, contents):
    monkeypatch.setenv("PATH", "/nowhere")
    source = DebianSource("toy-data", {name: name for name in contents})
    with pytest.raises(DataUnavailableError, match="no program apt-get here"):
        take(source)


def test_opens_an_npm_package(take, install, tmp_path, contents):
    package = make_tar(
        tmp_path / "toy.tar", {f"package/{k}": v for k, v in contents.items()}
    )
    install("npm", f'[ "$1 $2" = "pack @s/toy@1.0.0" ] && cp {package} s-toy-1.0.0.tgz')
    source = NpmSource("@s/toy@1.0.0", {name: f"package/{name}" for name in contents})
    assert take(source) == contents


def test_a_package_manager_that_delivers_nothing_is_an_error(take, install, contents):
    install("npm", "exit 0")
    source = NpmSource("toy@1.0.0", {name: f"package/{name}" for name in contents})
    with pytest.raises(
        DataUnavailableError, match=r"expected one \*.tgz file, got \[\]"
    ):
        take(source)


@pytest.mark.slow
def test_opens_a_wheel_that_pip_finds(take, tmp_path, monkeypatch, contents):
    make_wheel(tmp_path / "index", contents)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    source = PyPISource(
        "toy-data==1.0", {name: f"toy_data/{name}" for name in contents}
    )
    assert take(source) == contents


@pytest.mark.slow
def test_refuses_a_source_archive_with_another_digest(
    take, tmp_path, monkeypatch, contents
):
    index = tmp_path / "index"
    index.mkdir()
    # Were it run, the build script would give itself away.
    script = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    make_tar(index / "toy-data-1.0.tar.gz", {"toy-data-1.0/setup.py": script})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    source = PyPISource(
        "toy-data==1.0", {name: name for name in contents}, sdist_sha256="0" * 64
    )
    with pytest.raises(DataUnavailableError, match="HASHES"):
        take(source)
    assert not (tmp_path / "ran").exists()


def test_a_package_without_the_member_is_not_the_expected_one(
    take, install, tmp_path, contents
):
    package = make_tar(tmp_path / "toy.tar", {"package/other": b""})
    install("npm", f"cp {package} toy-1.0.0.tgz")
    source = NpmSource("toy@1.0.0", {name: f"package/{name}" for name in contents})
    with pytest.raises(DataMismatchError, match=r"has no package/first\.bin"):
        take(source)


def make_wheel(folder, contents):
    """Write the least that pip takes for a wheel."""
    folder.mkdir()
    meta = "toy_data-1.0.dist-info"
    with zipfile.ZipFile(folder / "toy_data-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(f"toy_data/{name}", content)
        wheel.writestr(
            f"{meta}/METADATA", "Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{meta}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{meta}/RECORD", "")
