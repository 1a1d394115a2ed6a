import io

import pytest
from rich.console import Console

from cocodesign.runner import Progress
from cocodesign.runner.display import progress_line, show_progress
from cocodesign.runner.progress import log_line


def progress(state: str = "printed", title: str = "Train", last: str = "") -> Progress:
    return Progress(state, 3, 12, title, 4.2, last)


def test_a_log_gets_one_line_for_each_ended_cell():
    assert log_line(progress("started")) is None
    assert log_line(progress("printed")) is None
    assert log_line(progress("finished")) == "[ 3/12]    4.2 s  Train"
    assert log_line(progress("failed")) == "[ 3/12]    4.2 s  FAILED  Train"


def test_without_a_terminal_long_titles_are_kept_whole():
    shown, log = io.StringIO(), io.StringIO()
    with show_progress(Console(file=shown, width=40), log) as report:
        report(progress("started"))
        report(progress("finished", title="t" * 100))
    assert shown.getvalue() == log.getvalue()
    assert "t" * 100 in log.getvalue()


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_terminal_shows_one_line_that_fits(width: int):
    shown = io.StringIO()
    console = Console(file=shown, width=width, force_terminal=True, color_system=None)
    console.print(progress_line(progress(title="t" * 300, last="l" * 300)))
    [line] = shown.getvalue().splitlines()
    assert len(line) <= width
    assert "cell 3 of 12" in line
    assert "4 s" in line


def test_markup_in_titles_and_outputs_is_shown_as_it_is():
    shown = io.StringIO()
    console = Console(file=shown, width=80, force_terminal=True, color_system=None)
    console.print(progress_line(progress(title="x[red]", last="[bold]y[/]")))
    assert "x[red]" in shown.getvalue()
    assert "[bold]y[/]" in shown.getvalue()


def test_a_terminal_keeps_the_lines_of_ended_cells():
    shown = io.StringIO()
    console = Console(file=shown, width=80, force_terminal=True)
    with show_progress(console) as report:
        report(progress("started"))
        report(progress("finished"))
    assert "[ 3/12]    4.2 s  Train" in shown.getvalue()


def test_a_log_shows_now_and_then_that_a_long_cell_goes_on():
    shown, log = io.StringIO(), io.StringIO()
    with show_progress(Console(file=shown, width=80), log) as report:
        report(Progress("started", 3, 12, "Train", 0.0, ""))
        for elapsed_s in (1.0, 29.0, 31.0, 32.0, 60.0, 62.0):
            last = f"step {elapsed_s:g}"
            report(Progress("printed", 3, 12, "Train", elapsed_s, last))
        report(Progress("finished", 3, 12, "Train", 70.0, ""))
    assert log.getvalue().splitlines() == [
        "[ 3/12]   31.0 s  … step 31",
        "[ 3/12]   62.0 s  … step 62",
        "[ 3/12]   70.0 s  Train",
    ]
    assert shown.getvalue() == log.getvalue()
