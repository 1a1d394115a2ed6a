"""Every notebook in a real JupyterLab: run, its widgets moved, photographed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cocodesign.data import fetch_dataset
from cocodesign.errors import DataUnavailableError
from cocodesign.project import find_project
from tests.browser.servers import Server

if TYPE_CHECKING:
    from tests.browser.notebook_page import NotebookPage

NOTEBOOKS = sorted(
    path
    for path in find_project(Path(__file__).parent).notebooks.glob("*.ipynb")
    if path.stem != "00_overview"  # it would run all the others
)
LIMIT_S = 240.0  # the smoke run takes a minute at most; the machine may be busy


@pytest.mark.timeout(420)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_every_widget_moves(
    path: Path, jupyter: Server, notebook_page: "NotebookPage", tmp_path: Path
) -> None:
    from tests.browser.widgets import move_all

    fetch_data(path)
    address = jupyter.address(f"lab/tree/notebooks/{path.name}?reset")
    notebook_page.open_in_lab(address)
    notebook_page.run_all(LIMIT_S)
    notebook_page.photograph(tmp_path / f"{path.stem}.png")
    moved = move_all(notebook_page.page, notebook_page.panels)
    notebook_page.photograph(tmp_path / f"{path.stem}-moved.png")
    assert moved, "a notebook has something to try"
    assert notebook_page.too_wide() == []
    assert notebook_page.empty_plots() == 0
    notebook_page.shut_down()


def fetch_data(path: Path) -> None:
    facts = json.loads(path.read_text(encoding="utf-8"))["metadata"]["cocodesign"]
    try:
        for name in facts["datasets"]:
            fetch_dataset(name)
    except DataUnavailableError as error:
        pytest.skip(f"no source of the data is in reach: {error}")
