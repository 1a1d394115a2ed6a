"""Progress for a person at a terminal, or as lines for a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOBase

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cocodesign.runner.progress import Progress, Report, log_line, sign_of_life

_SIGN_OF_LIFE_S = 30.0  # between lines of a log that tell of one cell


@contextmanager
def show_progress(console: Console, log: TextIOBase | None = None) -> Iterator[Report]:
    """Show a run's progress while a ``with`` block goes on.

    On a terminal, one live line: the cell, its first line, the seconds, and the last
    line of its output. Elsewhere, and in ``log``, one line for each ended cell, and
    for a long cell now and then one with the last line that it printed.

    Args:
        console: Where to show it.
        log: A file that gets the lines as well.

    Yields:
        The function to give to ``run_notebook``.
    """
    current = _CurrentCell()
    next_sign_s = _SIGN_OF_LIFE_S

    def report(progress: Progress) -> None:
        nonlocal next_sign_s
        line = log_line(progress)
        is_over = line is not None
        if progress.state == "started":
            next_sign_s = _SIGN_OF_LIFE_S
        elif not is_over and progress.elapsed_s >= next_sign_s:
            next_sign_s = progress.elapsed_s + _SIGN_OF_LIFE_S
            line = sign_of_life(progress)
        if line is not None:
            if log:
                log.write(f"{line}\n")
                log.flush()
            if is_over or not console.is_terminal:  # a terminal has its live line
                console.print(Text(line, no_wrap=True, overflow="ellipsis"))
        current.show(None if is_over else progress)

    if not console.is_terminal:
        console.soft_wrap = True  # a log's lines are not cut at 80 columns
        yield report
        return
    with Live(current, console=console, refresh_per_second=8, transient=True):
        yield report


class _CurrentCell:
    """The live line; rich draws it anew several times a second."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._start_s = 0.0

    def show(self, progress: Progress | None) -> None:
        self._progress = progress
        if progress:
            self._start_s = time.monotonic() - progress.elapsed_s

    def __rich__(self) -> Table | Text:
        progress = self._progress
        if progress is None:
            return Text("")
        # A cell that prints nothing is still seen to go on.
        elapsed_s = time.monotonic() - self._start_s
        return progress_line(replace(progress, elapsed_s=elapsed_s))


def progress_line(progress: Progress) -> Table:
    """Return the live line of a running cell.

    Args:
        progress: The state of the cell.

    Returns:
        A table of one row that fits any width.
    """
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    line.add_column(no_wrap=True, justify="right")
    line.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    line.add_row(
        Text(f"cell {progress.cell} of {progress.num_cells}", style="cyan"),
        Text(progress.title),
        Text(f"{progress.elapsed_s:.0f} s"),
        Text(progress.last_line, style="dim"),
    )
    return line
