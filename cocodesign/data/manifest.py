"""What a data set consists of, and where it comes from.

A manifest is a TOML file in ``cocodesign/data/manifests``; one more file there is
one more data set. The digests are those of the files as they are stored, after
decompression, so that sources which compress differently can be compared.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from cocodesign.data.sources import Source, check_relative, source_from_table

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REQUIRED = {"name", "title", "licence", "homepage", "files", "sources"}
_OPTIONAL = {"reader", "class_names"}


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, as it is stored.

    Attributes:
        name: The path below the data set's folder, with forward slashes.
        size_bytes: Its length.
        sha256: The digest of its content, 64 hexadecimal digits.
    """

    name: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        check_relative(self.name)
        if self.size_bytes < 0:
            raise ValueError(f"{self.name}: size_bytes is {self.size_bytes}, below 0")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.name}: sha256 is not 64 hexadecimal digits")


@dataclass(frozen=True)
class DatasetManifest:
    """A data set.

    Attributes:
        name: The name that commands and functions take.
        title: One line for people.
        licence: SPDX identifier, or the licence's name.
        homepage: Where people read about the data set.
        files: What it consists of, at least one file.
        sources: Where it comes from, the first to be asked first; empty for a set
            that nobody may hand out, whose files the user supplies.
        reader: Name of the reader in ``cocodesign.data.loading``; ``None`` if the
            files are for the caller to open.
        class_names: Meaning of the labels 0, 1, …, if it has labels.
    """

    name: str
    title: str
    licence: str
    homepage: str
    files: tuple[DataFile, ...]
    sources: tuple[Source, ...]
    reader: str | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"data set {self.name!r}: use a-z, 0-9 and _")
        names = [file.name for file in self.files]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: no files, or one twice: {names}")

    @property
    def size_bytes(self) -> int:
        """The length of all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by file name."""
        return {file.name: file.sha256 for file in self.files}

    @classmethod
    def from_toml(cls, text: str) -> "DatasetManifest":
        """Read a manifest.

        Args:
            text: The content of a manifest file.

        Returns:
            The manifest.

        Raises:
            ValueError: If the text is no TOML, or a key is missing, unknown or has a
                value that is not allowed.
        """
        table = tomllib.loads(text)
        missing, unknown = _REQUIRED - set(table), set(table) - _REQUIRED - _OPTIONAL
        if missing or unknown:
            raise ValueError(
                f"manifest: missing {sorted(missing)}, unknown {sorted(unknown)}"
            )
        files = tuple(_file_from_table(entry) for entry in table["files"])
        names = [file.name for file in files]
        return cls(
            name=table["name"],
            title=table["title"],
            licence=table["licence"],
            homepage=table["homepage"],
            files=files,
            sources=tuple(
                source_from_table(entry, names) for entry in table["sources"]
            ),
            reader=table.get("reader"),
            class_names=tuple(table.get("class_names", ())),
        )


def dataset_names() -> tuple[str, ...]:
    """Return the names of all data sets that come with a manifest, sorted."""
    entries = resources.files("cocodesign.data").joinpath("manifests").iterdir()
    names = (entry.name for entry in entries)
    return tuple(
        sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))
    )


def read_manifest(name: str) -> DatasetManifest:
    """Read the manifest of a data set by its name.

    Args:
        name: One of ``dataset_names()``.

    Returns:
        The manifest.

    Raises:
        ValueError: If there is no such data set.
    """
    known = dataset_names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"no data set {name!r}; known: {', '.join(known)}{hint}")
    folder = resources.files("cocodesign.data").joinpath("manifests")
    return DatasetManifest.from_toml(
        folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    )


def _file_from_table(table: Mapping[str, Any]) -> DataFile:
    try:
        return DataFile(**table)
    except TypeError as error:
        raise ValueError(f"manifest, files: {error}") from error
