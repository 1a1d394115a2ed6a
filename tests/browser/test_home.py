"""The home page: in JupyterLab, and in Voilà for people who do not want code."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cocodesign.claims import judge, load_claims
from cocodesign.project import Project
from cocodesign.results import find_records
from cocodesign.runner import list_runs
from tests.browser.servers import Server, dashboard
from tests.panels.home.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.notebook_page import NotebookPage

LIMIT_S = 120.0
# Of the notebooks, one that runs for more than a moment and needs no data.
LONG = "60_collectives_scaling"


@pytest.mark.timeout(420)
def test_in_jupyterlab_it_runs_and_stops_a_notebook(
    jupyter: Server, clone: Project, notebook_page: "NotebookPage", tmp_path: Path
) -> None:
    page = notebook_page.page
    notebook_page.open_in_lab(
        jupyter.address("lab/tree/notebooks/00_overview.ipynb?reset")
    )
    notebook_page.run_all(LIMIT_S)
    notebook_page.photograph(tmp_path / "home.png")
    assert notebook_page.too_wide() == []
    start_and_stop(page, clone, tmp_path)
    narrow_and_compare(page, clone)
    page.get_by_text("10_kfac_convergence", exact=True).first.click()
    page.get_by_role("tab", name="10_kfac_convergence.ipynb").wait_for()
    notebook_page.photograph(tmp_path / "opened.png")


@pytest.mark.timeout(420)
def test_in_voila_it_does_the_same_without_code(
    clone: Project, notebook_page: "NotebookPage", tmp_path: Path
) -> None:
    page = notebook_page.page
    with dashboard(clone, tmp_path) as server:
        page.goto(server.address(""))
        page.locator("#Record-of-this-page").wait_for(timeout=1e3 * LIMIT_S)
        page.locator(".jp-RenderedPlotly").wait_for()
        notebook_page.photograph(tmp_path / "voila.png")
        assert not page.get_by_text("write_record").count()
        assert not page.locator("a[data-commandlinker-command]").count()
        start_and_stop(page, clone, tmp_path)
        narrow_and_compare(page, clone)


@pytest.mark.timeout(300)
def test_a_closed_page_leaves_no_kernel(
    clone: Project, notebook_page: "NotebookPage", tmp_path: Path
) -> None:
    cull = ["--MappingKernelManager.cull_idle_timeout=2"]
    cull += ["--MappingKernelManager.cull_interval=1"]
    with dashboard(clone, tmp_path, cull) as server:
        notebook_page.page.goto(server.address(""))
        notebook_page.page.locator("#Record-of-this-page").wait_for(
            timeout=1e3 * LIMIT_S
        )
        assert len(server.kernels()) == 1
        notebook_page.page.close()
        until(lambda: not server.kernels(), 60)


def start_and_stop(page: "Page", clone: Project, pictures: Path) -> None:
    """Run a notebook by its button, see that it goes on, stop it."""
    run = page.locator(f"button[title='Run {LONG} in the background']")
    run.scroll_into_view_if_needed()
    run.focus()
    page.keyboard.press("Enter")
    stop = page.locator(f"button[title='Stop the run of {LONG}']")
    stop.wait_for()
    page.get_by_text("smoke, cell").wait_for(timeout=1e3 * LIMIT_S)
    page.screenshot(path=pictures / "running.png")
    (state,) = (each for each in list_runs(clone.runs) if each.status == "running")
    assert state.notebook == LONG
    stop.click()
    run.wait_for(timeout=60_000)
    page.get_by_text("stopped; kept in").wait_for()
    assert not [each for each in list_runs(clone.runs) if each.status == "running"]


def narrow_and_compare(page: "Page", clone: Project) -> None:
    """Use the controls of the other parts."""
    records = [
        record for _, record in find_records(clone.committed_records, clone.runs)
    ]
    verdict = judge(load_claims(), records)[-1]
    page.get_by_label("verdict", exact=True).select_option(verdict.status)
    page.get_by_label("part", exact=True).select_option(verdict.claim.part)
    page.get_by_text(verdict.claim.sentence[:35]).first.wait_for()
    page.locator("button[title='Next figure']").click()
    page.locator(".jp-RenderedPlotly").wait_for()
    page.get_by_label("notebook", exact=True).select_option("60_collectives_scaling")
    page.get_by_label("only what differs").click()
    page.get_by_text("measurements", exact=True).wait_for()
