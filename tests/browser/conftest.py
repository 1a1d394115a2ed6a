"""One JupyterLab and one browser for all tests of this folder."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cocodesign.figures.export import find_chrome
from cocodesign.project import Project, find_project
from tests.browser.servers import Server, copy_project, lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.notebook_page import NotebookPage

_SIZE = {"width": 1366, "height": 768}  # a laptop's screen
_REASON = (
    "needs the package playwright"
    if importlib.util.find_spec("playwright") is None
    else "needs a Chromium (Debian: apt-get install chromium)"
    if find_chrome() is None
    else ""
)

if _REASON:
    collect_ignore = ["notebook_page.py", "widgets.py"]  # looked at for doctests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.browser)
            if _REASON:
                item.add_marker(pytest.mark.skip(_REASON))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    source = find_project(Path(__file__).parent)
    return copy_project(source, tmp_path_factory.mktemp("browser") / "clone")


@pytest.fixture(scope="session")
def jupyter(
    clone: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with lab(clone, tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")  # while it lives, nobody else may run an event loop
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chrome(), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def notebook_page(browser: "Browser") -> Iterator["NotebookPage"]:
    """Return an empty tab; what it complained about fails the test at its end.

    Voilà's page asks another machine for the symbols on buttons, and does without.
    """
    from tests.browser.notebook_page import NotebookPage

    with browser.new_context(viewport=_SIZE) as context:
        context.set_default_timeout(60_000)
        page = NotebookPage(context.new_page())
        yield page
        assert page.complaints == []
        assert [url for url in page.outside if "fontawesome" not in url] == []
