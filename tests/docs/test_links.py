"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import PAGES, ROOT, inline_code, links

FOLDERS = (
    "benchmarks",
    "cocodesign",
    "containers",
    "data_scripts",
    "docs",
    "notebooks",
    "paper_figures",
    "tests",
    "workflow",
)
# Made by a command, not committed.
MADE = ("paper_figures/out", "benchmarks/results", "docs/gallery")
_PLACEHOLDER = re.compile(r"[<>*…{}\s]|NN|_example")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name: str) -> None:
    page = PAGES[name]
    for target in links(page.read_text(encoding="utf-8")):
        path = target.partition("#")[0]
        if path and not path.startswith(("http://", "https://", "mailto:")):
            file = (page.parent / path).resolve()
            found = file.exists() or is_made_of_docstrings(file)
            assert found, f"{name} links to {target}"


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_exist(name: str) -> None:
    for code in inline_code(PAGES[name].read_text(encoding="utf-8")):
        first = code.partition("/")[0]
        is_path = "/" in code and first in FOLDERS and not _PLACEHOLDER.search(code)
        if is_path and not code.startswith(MADE):
            assert (ROOT / code).exists(), f"{name} names {code}"


@pytest.mark.parametrize("name", PAGES)
def test_names_of_the_package_can_be_imported(name: str) -> None:
    for code in inline_code(PAGES[name].read_text(encoding="utf-8")):
        if re.fullmatch(r"cocodesign(\.\w+)+", code):
            assert has_name(code), f"{name} names {code}"


def is_made_of_docstrings(file: Path) -> bool:
    """Tell whether a page of the reference is made when the site is built."""
    if file.parent != ROOT / "docs" / "reference":
        return False
    return file.stem == "commands" or has_name(f"cocodesign.{file.stem}")


def has_name(dotted: str) -> bool:
    """Tell whether a module has a file, or its module's text has the name."""
    path = ROOT.joinpath(*dotted.split("."))
    if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
        return True
    above = path.parent
    files = (above.with_suffix(".py"), above / "__init__.py")
    return any(path.name in words_of(file) for file in files if file.is_file())


def words_of(file: Path) -> set[str]:
    return set(re.findall(r"\w+", file.read_text(encoding="utf-8")))
