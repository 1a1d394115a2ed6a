"""A notebook in a browser: what a user does, and what goes wrong meanwhile."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, WebSocket

_OPEN_S = 120.0
_SETTLE_MS = 1_000  # figures follow the window's size
_FRAME_PX = 130  # menus, tabs and status bar around the notebook
_HIGHEST_PX = 12_000
_HEIGHT = """() => {
    const lab = document.querySelectorAll(".jp-WindowedPanel-outer");
    const parts = lab.length ? lab : document.querySelectorAll("*");
    return Math.max(...[...parts].map(each => each.scrollHeight));
}"""
_TO_THE_TOP = """() => document.querySelectorAll(".jp-WindowedPanel-outer")
    .forEach(each => each.scrollTop = 0)"""
# Prompts tell nothing of cells whose code is hidden; the notebook's model does.
_CELLS_HAVE_RUN = """() => {
    const cells = [...jupyterapp.shell.currentWidget.content.model.sharedModel.cells]
        .filter(each => each.cell_type === "code" && each.source.trim());
    const hasFailed = cells.some(
        each => each.getOutputs().some(output => output.output_type === "error"));
    return hasFailed || cells.every(
        each => each.execution_count !== null && each.executionState !== "running");
}"""
_TOO_WIDE = """() => [...document.querySelectorAll(".jp-OutputArea-output")]
    .flatMap(each => [...each.querySelectorAll(".jupyter-widgets, .js-plotly-plot")])
    .filter(each => each.offsetParent !== null)
    .filter(each => each.getBoundingClientRect().right
        > each.closest(".jp-OutputArea-output").getBoundingClientRect().right + 2)
    .map(each => each.className)"""
_EMPTY_PLOTS = """() => [...document.querySelectorAll(".jp-Cell .js-plotly-plot")]
    .filter(each => each.offsetParent !== null && !each.querySelector(".gtitle")).length
"""
_OUTSIDE = re.compile(r"https?://(?!127\.0\.0\.1[:/])")
_HARMLESS = (
    "favicon",  # browsers ask for it by themselves
    "WebSocket connection to",  # a kernel that ends with its test
)
_KERNEL_ERROR = re.compile(rb'"msg_type": ?"error"')
_TRACEBACK = re.compile(rb'"(?:evalue|ename)": ?"(?:[^"\\]|\\.)*"')


@dataclass
class NotebookPage:
    """A browser's tab with what it and the kernels complained about.

    Attributes:
        page: The tab.
        complaints: Errors of the browser's console, of the page's scripts, and those
            that the kernel reported, also from a widget's callback.
        outside: Addresses outside this machine that the page asked for, in vain.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.route(_OUTSIDE, self._refuse)
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("websocket", self._listen)

    def open_in_lab(self, address: str) -> None:
        """Open a notebook in JupyterLab and wait for its kernel."""
        self.page.goto(address)
        # Before that, "Run All Cells" asks for a kernel or does nothing.
        idle = self.page.locator("#jp-main-statusbar", has_text="(ipykernel) | Idle")
        idle.wait_for(timeout=1e3 * _OPEN_S)

    def run_all(self, limit_s: float) -> None:
        """Run all cells and wait for the last."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(_CELLS_HAVE_RUN, timeout=1e3 * limit_s)

    @property
    def panels(self) -> Locator:
        """The widgets that cells show."""
        return self.page.locator(".jp-OutputArea-output:has(.jupyter-widgets)")

    def too_wide(self) -> list[str]:
        """Return the widgets that a laptop's screen cuts off at the right."""
        return self.page.evaluate(_TOO_WIDE)

    def empty_plots(self) -> int:
        """Return how many plots show nothing, not even a title."""
        return self.page.evaluate(_EMPTY_PLOTS)

    def shut_down(self) -> None:
        """End the notebook's kernel, and close the tab without saving."""
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.shutdown()"
        )

    def photograph(self, path: Path) -> None:
        """Keep a picture of the whole notebook."""
        path.parent.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        assert size is not None
        height = self.page.evaluate(_HEIGHT) + _FRAME_PX
        self.page.set_viewport_size({**size, "height": min(height, _HIGHEST_PX)})
        self.page.evaluate(_TO_THE_TOP)
        self.page.wait_for_timeout(_SETTLE_MS)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not any(each in text for each in _HARMLESS):
            self.complaints.append(text)

    def _refuse(self, route: Route) -> None:
        self.outside.append(route.request.url)
        route.fulfill(body="")

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._read)

    def _read(self, frame: bytes | str) -> None:
        content = frame.encode() if isinstance(frame, str) else frame
        if _KERNEL_ERROR.search(content):
            words = b", ".join(_TRACEBACK.findall(content)).decode(errors="replace")
            self.complaints.append(f"the kernel: {words}")
