"""What a run tells while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ProgressState = Literal["started", "printed", "finished", "failed"]


@dataclass(frozen=True)
class Progress:
    """The state of the cell that is running or has just ended.

    Attributes:
        state: ``started``, ``printed`` (a new last line), ``finished`` or ``failed``.
        cell: The cell's number in the executed notebook, from 1.
        num_cells: Cells of the executed notebook.
        title: The cell's first line.
        elapsed_s: Seconds since the cell started.
        last_line: The last line that it printed, empty before the first.
    """

    state: ProgressState
    cell: int
    num_cells: int
    title: str
    elapsed_s: float
    last_line: str


Report = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Report nothing."""
    del progress


def log_line(progress: Progress) -> str | None:
    """Return the line that a log shows, one per ended cell.

    Args:
        progress: The state of a cell.

    Returns:
        The line, ``None`` while the cell is running.

    Example:
        >>> log_line(Progress("finished", 3, 10, "Run the comparison", 4.21, ""))
        '[ 3/10]    4.2 s  Run the comparison'
    """
    if progress.state not in ("finished", "failed"):
        return None
    mark = "  FAILED" if progress.state == "failed" else ""
    return f"{_place(progress)}{mark}  {progress.title}"


def sign_of_life(progress: Progress) -> str:
    """Return the line that a log shows of a cell that goes on and on.

    Args:
        progress: The state of a cell.

    Returns:
        The line, with the last one that the cell printed.

    Example:
        >>> sign_of_life(Progress("printed", 3, 10, "Run", 60.0, "seed 2"))
        '[ 3/10]   60.0 s  … seed 2'
    """
    return f"{_place(progress)}  … {progress.last_line}"


def _place(progress: Progress) -> str:
    width = len(str(progress.num_cells))
    cell = f"[{progress.cell:>{width}}/{progress.num_cells}]"
    return f"{cell} {progress.elapsed_s:6.1f} s"
