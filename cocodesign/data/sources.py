"""Where the files of a data set come from: a closed set of sources.

A source is a value. It says which place to ask and which member of what that place
delivers becomes which file; ``cocodesign.data.acquisition`` asks. What a source
delivers is never trusted: a file counts once its content has the manifest's digest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Compression = Literal["none", "gzip"]

_PACKAGE_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_PINNED_PYPI = re.compile(rf"{_PACKAGE_NAME}==[A-Za-z0-9][A-Za-z0-9.!+]*")
_DEBIAN = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_PINNED_NPM = re.compile(rf"(@[a-z0-9][a-z0-9._-]*/)?{_PACKAGE_NAME}@\d[A-Za-z0-9.+-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class UrlSource:
    """One address per file.

    Attributes:
        members: The ``http`` or ``https`` address of each file.
        compression: How the addresses deliver the files.
    """

    members: Mapping[str, str]
    compression: Compression = "none"

    @property
    def label(self) -> str:
        """The host, for messages."""
        return urlsplit(next(iter(self.members.values()))).hostname or "?"


@dataclass(frozen=True)
class DebianSource:
    """A package of Debian or Ubuntu, opened without installing it.

    Attributes:
        package: The package's name.
        members: The path of each file inside the package.
        compression: How the package holds the files.
    """

    package: str
    members: Mapping[str, str]
    compression: Compression = "none"

    @property
    def label(self) -> str:
        """The package, for messages."""
        return f"Debian package {self.package}"


@dataclass(frozen=True)
class PyPISource:
    """A wheel, or a source archive, of the Python Package Index.

    Attributes:
        requirement: Name and exact version, ``name==1.2.3``.
        members: The path of each file inside the archive.
        compression: How the archive holds the files.
        python_version: Take the wheel for this Python, such as ``"3.9"``; the
            running one if ``None``.
        sdist_sha256: Take the source archive with this digest; the wheel if ``None``.
            pip runs a source archive's build script only to read its name, so the
            archive must be known before it is opened.
    """

    requirement: str
    members: Mapping[str, str]
    compression: Compression = "none"
    python_version: str | None = None
    sdist_sha256: str | None = None

    @property
    def label(self) -> str:
        """The requirement, for messages."""
        return f"PyPI file {self.requirement}"


@dataclass(frozen=True)
class NpmSource:
    """A package of the npm registry.

    Attributes:
        package: Name and exact version, ``name@1.2.3`` or ``@scope/name@1.2.3``.
        members: The path of each file inside the archive, under ``package/``.
        compression: How the archive holds the files.
    """

    package: str
    members: Mapping[str, str]
    compression: Compression = "none"

    @property
    def label(self) -> str:
        """The package, for messages."""
        return f"npm package {self.package}"


Source = UrlSource | DebianSource | PyPISource | NpmSource


def source_from_table(table: Mapping[str, Any], file_names: Sequence[str]) -> Source:
    """Build a source from a ``[[sources]]`` table of a manifest.

    Args:
        table: ``kind``, what that kind of source needs, and either ``member`` (for
            ``url``: ``url``), a pattern in which ``{name}`` is the file's name, or
            ``members``, a table that names the member of every file.
        file_names: The files that the data set consists of.

    Returns:
        The source; its ``members`` name every file.

    Raises:
        ValueError: If a key is missing, unknown or has a value that is not allowed.
    """
    fields = dict(table)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"source kind {kind!r}: one of {', '.join(_KINDS)} is known")
    pattern = fields.pop("url" if kind == "url" else "member", None)
    members = fields.pop("members", None)
    if (pattern is None) == (members is None):
        raise ValueError(f"a {kind} source needs a member pattern or a members table")
    if members is None:
        members = {name: str(pattern).replace("{name}", name) for name in file_names}
    if set(members) != set(file_names):
        raise ValueError(f"members names {sorted(members)}, not {sorted(file_names)}")
    if len(set(members.values())) < len(members):
        raise ValueError("two files have the same member; is {name} in the pattern?")
    try:
        source = _KINDS[kind](members=members, **fields)
    except TypeError as error:
        raise ValueError(f"{kind} source: {error}") from error
    _check(source)
    return source


def check_relative(path: str) -> None:
    """Refuse a path that could leave the folder it is meant for.

    Args:
        path: A path with forward slashes.

    Raises:
        ValueError: If the path is empty, absolute or hidden, or has a ``..``, a
            backslash or a control character.

    Example:
        >>> check_relative("models/net.json")
        >>> check_relative("../net.json")
        Traceback (most recent call last):
        ValueError: '../net.json' is not a plain relative path
    """
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and ":" not in path
    if not plain or any(not part or part.startswith(".") for part in parts):
        raise ValueError(f"{path!r} is not a plain relative path")


_KINDS: dict[str, type[Source]] = {
    "url": UrlSource,
    "debian": DebianSource,
    "pypi": PyPISource,
    "npm": NpmSource,
}


def _check(source: Source) -> None:
    """Refuse values that are malformed or that a program could take for an option."""
    if source.compression not in get_args(Compression):
        raise ValueError(f"compression {source.compression!r}: none or gzip is known")
    match source:
        case UrlSource():
            for url in source.members.values():
                if urlsplit(url).scheme not in ("http", "https"):
                    raise ValueError(f"{url!r} is not an http or https address")
            return
        case DebianSource():
            _check_matches(_DEBIAN, source.package, "a Debian package's name")
        case NpmSource():
            _check_matches(_PINNED_NPM, source.package, "name@version")
        case PyPISource():
            _check_matches(_PINNED_PYPI, source.requirement, "name==version")
            _check_matches(re.compile(r"\d+\.\d+"), source.python_version, "as 3.9")
            _check_matches(_SHA256, source.sdist_sha256, "64 hexadecimal digits")
            if source.python_version and source.sdist_sha256:
                raise ValueError("python_version chooses a wheel, not a source archive")
    for member in source.members.values():
        check_relative(member)


def _check_matches(pattern: re.Pattern[str], value: str | None, what: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise ValueError(f"{value!r} is not {what}")
