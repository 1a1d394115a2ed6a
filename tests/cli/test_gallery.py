from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cocodesign.cli.gallery import gallery
from cocodesign.figures.export import find_chrome
from cocodesign.project import Project

APP = typer.Typer()
APP.command()(gallery)


@pytest.mark.skipif(find_chrome() is None, reason="needs a Chrome or Chromium")
@pytest.mark.slow
def test_writes_the_index_of_a_new_clone(clone: Project) -> None:
    answer = CliRunner().invoke(APP, [])
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("2 files, ")
    assert (clone.root / "docs" / "gallery" / "index.html").is_file()


@pytest.mark.usefixtures("clone")
def test_names_the_browser_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    answer = CliRunner().invoke(APP, [])
    assert "apt-get install chromium" in str(answer.exception)
