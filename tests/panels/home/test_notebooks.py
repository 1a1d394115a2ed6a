import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cocodesign.panels.home.notebooks import NotebooksPanel
from cocodesign.panels.home.row import NotebookRow
from cocodesign.panels.home.shelf import RecordShelf
from cocodesign.panels.home.states import read_progress
from cocodesign.project import Project
from cocodesign.runner.lease import Lease, acquire_lease
from tests.panels.home.waiting import until

# A stand-in for the kernel of the page.
_KERNEL = """\
import sys, time
from pathlib import Path
from cocodesign.panels.home.background import BackgroundRun
from cocodesign.project import Project
run = BackgroundRun(Project(Path(sys.argv[1])), "10_example", "laptop")
print(run.run_dir, flush=True)
time.sleep(60)
"""


@pytest.fixture
def ends() -> list[float]:
    """Return the times at which the panel said that a run had ended."""
    return []


@pytest.fixture
def panel(clone: Project, ends: list[float]) -> Iterator[NotebooksPanel]:
    panel = NotebooksPanel(
        clone,
        RecordShelf([clone.runs]),
        lambda: ends.append(time.monotonic()),
        page="00_overview",
        place=None,
    )
    yield panel
    panel.close()


@pytest.fixture
def row(panel: NotebooksPanel) -> NotebookRow:
    return panel.rows["10_example"]


def lease(clone: Project, name: str) -> Lease:
    return acquire_lease(
        clone.runs / name,
        notebook="10_example",
        profile="smoke",
        on_loss=pytest.fail,
    )


def shows(panel: NotebooksPanel, condition: Callable[[], bool]) -> None:
    """Look until a condition holds."""

    def look() -> bool:
        panel.look()
        return condition()

    until(look)


def test_the_page_itself_has_no_row(panel: NotebooksPanel) -> None:
    assert list(panel.rows) == ["10_example"]


def test_a_new_clone_offers_to_run(row: NotebookRow) -> None:
    assert "not run yet" in row.states.value
    assert row.button.description == "Run"
    assert not row.button.disabled
    assert row.profile.options == ("smoke", "laptop", "gpu")


def test_every_control_says_what_it_is(row: NotebookRow) -> None:
    assert row.profile.description
    for widget in (row.profile, row.button, row.bar):
        assert widget.tooltip


def test_a_run_from_elsewhere_is_followed_but_not_stopped(
    clone: Project, panel: NotebooksPanel, row: NotebookRow, ends: list[float]
) -> None:
    with lease(clone, "run"):
        panel.look()
        assert "▶ smoke" in row.states.value
        assert row.button.disabled
        assert "stop it there" in row.button.tooltip
        assert not ends
    panel.look()
    assert "✓ smoke" in row.states.value
    assert not row.button.disabled
    assert len(ends) == 1


def test_a_failed_run_shows_its_error(
    clone: Project, panel: NotebooksPanel, row: NotebookRow
) -> None:
    with pytest.raises(ValueError, match="went wrong"), lease(clone, "run"):
        raise ValueError("it <b>went wrong</b>")
    panel.look()
    assert "✗ smoke" in row.states.value
    assert "it &lt;b&gt;went wrong&lt;/b&gt;" in row.output.value
    assert row.output.layout.display is None


@pytest.mark.slow
def test_a_click_runs_the_notebook_in_the_background(
    panel: NotebooksPanel, row: NotebookRow, ends: list[float]
) -> None:
    started = time.monotonic()
    row.button.click()
    assert time.monotonic() - started < 0.5  # the click does not wait for the run
    shows(panel, lambda: "✓ smoke 1 s" in row.states.value)
    shows(panel, lambda: row.button.description == "Run")
    assert not row.button.disabled
    assert row.output.layout.display == "none"
    assert ends


@pytest.mark.slow
def test_a_second_click_stops_it_and_keeps_what_there_is(
    clone: Project, panel: NotebooksPanel, row: NotebookRow
) -> None:
    row.profile.value = "laptop"
    row.button.click()
    shows(panel, lambda: "first line" in row.output.value)
    assert row.button.description == "Stop"
    assert row.bar.max == 4  # with the cell that the runner put in
    assert row.bar.value == 2
    assert "cell 3 of 4" in row.status.value
    assert "import time" in row.status.value
    row.button.click()
    shows(panel, lambda: "✗ laptop" in row.states.value)
    shows(panel, lambda: row.button.description == "Run")
    assert "stopped" in row.status.value
    (executed,) = clone.runs.glob("*/notebook.ipynb")
    assert "first line" in executed.read_text()


@pytest.mark.slow
def test_a_cell_that_raises_is_told_below_the_notebook(
    panel: NotebooksPanel, row: NotebookRow
) -> None:
    row.profile.value = "gpu"
    row.button.click()
    shows(panel, lambda: "✗ gpu" in row.states.value)
    shows(panel, lambda: "it was told to fail" in row.output.value)


@pytest.mark.slow
def test_a_profile_that_does_not_parse_is_told_as_well(
    clone: Project, panel: NotebooksPanel, row: NotebookRow
) -> None:
    (clone.parameters / "10_example.gpu.yaml").write_text("speed: 1\n")
    row.profile.value = "gpu"
    row.button.click()  # fails before there is a lease
    shows(panel, lambda: "speed" in row.output.value)
    assert row.button.description == "Run"


@pytest.mark.slow
def test_closing_the_page_leaves_no_process(
    clone: Project,
    panel: NotebooksPanel,
    row: NotebookRow,
    living_processes: Callable[[str], list[int]],
) -> None:
    row.profile.value = "laptop"
    row.button.click()
    shows(panel, lambda: "first line" in row.output.value)
    panel.close()
    until(lambda: not living_processes(str(clone.root)), 5)


@pytest.mark.slow
def test_a_killed_kernel_leaves_no_process_and_an_honest_run(
    clone: Project, living_processes: Callable[[str], list[int]]
) -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-c", _KERNEL, str(clone.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with kernel:
        assert kernel.stdout
        run_dir = Path(kernel.stdout.readline().strip())
        until(
            lambda: (
                (now := read_progress(run_dir)) is not None
                and now.tail == ("first line",)
            )
        )
        kernel.send_signal(signal.SIGKILL)
    until(lambda: not living_processes(str(clone.root)), 5)
    panel = NotebooksPanel(
        clone, RecordShelf([]), lambda: None, page="00_overview", place=None
    )
    assert "✗ laptop" in panel.rows["10_example"].states.value
    assert "SIGTERM stopped cell" in panel.rows["10_example"].output.value


def test_the_thread_sees_what_happens(clone: Project, panel: NotebooksPanel) -> None:
    panel.watch()
    with lease(clone, "run"):
        until(lambda: "▶ smoke" in panel.rows["10_example"].states.value, 10)


def test_the_thread_survives_what_it_cannot_read(
    clone: Project, panel: NotebooksPanel
) -> None:
    with lease(clone, "run"):
        unreadable = clone.runs / "run" / "notebook.ipynb"
        unreadable.mkdir()
        panel.watch()
        until(lambda: "cannot be read" in panel.problem.value, 10)
        unreadable.rmdir()
        until(lambda: not panel.problem.value, 10)
