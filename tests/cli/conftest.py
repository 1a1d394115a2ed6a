"""A clone in a temporary folder, and the command line in it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cocodesign.cli.main import app
from cocodesign.project import Project


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path)
    for folder in (project.notebooks, project.committed_records):
        folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    monkeypatch.chdir(tmp_path)
    return project


@pytest.fixture
def call() -> Callable[[Sequence[str]], Result]:
    """Return a function that calls ``cocodesign`` with some arguments."""
    return lambda arguments: CliRunner().invoke(app, list(arguments))
