"""The notebooks: what became of each, and a button that runs it in the background.

A thread looks once a second at the run folders. So runs that somebody else has started
are seen as well, and the kernel stays free for everything else.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

from cocodesign.panels.home.background import BackgroundRun
from cocodesign.panels.home.markup import look, styled, warning
from cocodesign.panels.home.row import NotebookRow
from cocodesign.panels.home.shelf import RecordShelf
from cocodesign.panels.home.states import find_notebooks, last_runs
from cocodesign.project import Project
from cocodesign.runner import list_runs

_LOOK_S = 1.0
_LEGEND = (
    "<small>✓ finished · ▶ running · ✗ failed · ☠ killed · ▪ its record came with the "
    "clone. Rest the pointer on a state for its time and its error. Runs started here "
    "end when this page's kernel does; <code>cocodesign run</code> in a terminal does "
    "not depend on it.</small>"
)


class NotebooksPanel(widgets.VBox):
    """A row for each notebook.

    Args:
        project: The clone.
        shelf: Its records.
        on_end: Called, in a thread, after a run has ended.
        page: The notebook that shows this panel; it has no row.
        place: Where JupyterLab shows the notebooks; no links to them if ``None``.

    Attributes:
        rows: The rows by notebook.
        problem: Why the rows may be out of date; empty if they are not.
    """

    def __init__(
        self,
        project: Project,
        shelf: RecordShelf,
        on_end: Callable[[], None],
        *,
        page: str,
        place: Path | None,
    ) -> None:
        self._project = project
        self._shelf = shelf
        self._on_end = on_end
        self._started: dict[str, BackgroundRun] = {}
        self._alive: set[Path] = set()
        self._lock = threading.Lock()  # a test, or a second look, may come in between
        self._wake = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self.problem = widgets.HTML()
        self.rows = {
            facts.name: NotebookRow(
                facts, start=self._start, stop=self._stop, place=place
            )
            for facts in find_notebooks(project, without=page)
        }
        super().__init__(
            [
                look(),
                self.problem,
                *self.rows.values(),
                widgets.HTML(styled(_LEGEND)),
            ]
        )
        self.look()

    def watch(self) -> None:
        """Look once a second from now on, until ``close``."""
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look at the run folders once, and show what became of the runs."""
        with self._lock:
            runs = list_runs(self._project.runs)
            records = self._shelf.read().records
            for name, row in self.rows.items():
                row.show(last_runs(name, runs, records), self._started.get(name))
            alive = {run.run_dir for run in runs if run.status == "running"}
            has_ended = bool(self._alive - alive)
            self._alive = alive
        if has_ended:
            self._on_end()

    def close(self) -> None:
        """Stop looking, and stop the runs that were started here."""
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        for run in self._started.values():
            run.stop()
        for run in self._started.values():
            run.wait()
        super().close()

    def _keep_looking(self) -> None:
        while not self._is_closed:
            self._wake.wait(_LOOK_S)
            self._wake.clear()
            try:
                self.look()
                self.problem.value = ""
            except OSError as error:  # a shared file system out of reach comes back
                text = f"what is shown here is old, runs cannot be read: {error}"
                self.problem.value = styled(warning(text))

    def _start(self, notebook: str, profile: str) -> None:
        self._started[notebook] = BackgroundRun(self._project, notebook, profile)
        self._wake.set()

    def _stop(self, notebook: str) -> None:
        self._started[notebook].stop()
        self._wake.set()
