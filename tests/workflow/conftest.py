"""A copy of the clone that ``cocodesign reproduce`` can be tried in."""

import shutil
from pathlib import Path

import pytest

from cocodesign.project import find_project

_PROJECT = find_project(Path(__file__).parent)
_PARTS_OF_A_CLONE = ("cocodesign", "notebooks", "workflow", "paper_figures")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "out", "runs", ".snakemake")
    for name in _PARTS_OF_A_CLONE:
        shutil.copytree(_PROJECT.root / name, tmp_path / name, ignore=ignored)
    shutil.copy(_PROJECT.root / "pyproject.toml", tmp_path)
    return tmp_path
