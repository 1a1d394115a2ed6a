"""What became of each notebook at each profile, and how far a run has come."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cocodesign.project import Project
from cocodesign.results import PROFILES, RunRecord
from cocodesign.runner import RunState

Status = Literal["running", "finished", "failed", "dead", "recorded"]

EXECUTED_NAME = "notebook.ipynb"
_TAIL_LINES = 8
_TITLE_CHARACTERS = 60


@dataclass(frozen=True)
class NotebookFacts:
    """What a notebook's file says about it.

    Attributes:
        name: Its name without folder and suffix.
        question: Its first heading.
        profiles: The profiles that it can be run at, by rising scale.
    """

    name: str
    question: str
    profiles: tuple[str, ...]


@dataclass(frozen=True)
class LastRun:
    """The newest run of a notebook at a profile.

    Attributes:
        notebook: The notebook's name.
        profile: The profile.
        status: ``recorded`` if only its record is here, as in a fresh clone.
        when: Its start, or the record's end, ISO 8601 in UTC.
        duration_s: Seconds that the measured part took, if it is known.
        run: The run folder's state; ``None`` if only the record is here.
    """

    notebook: str
    profile: str
    status: Status
    when: str
    duration_s: float | None
    run: RunState | None


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come, from its executed notebook.

    Attributes:
        num_done: Code cells that have ended.
        num_cells: Code cells in all.
        title: The first line of the cell that runs or failed; empty if none does.
        tail: The last lines that were printed.
    """

    num_done: int
    num_cells: int
    title: str
    tail: tuple[str, ...]


def find_notebooks(project: Project, *, without: str) -> tuple[NotebookFacts, ...]:
    """Read what the project's notebooks say about themselves.

    Args:
        project: The clone.
        without: A notebook that is left out, the page that shows the others.

    Returns:
        The notebooks, by name.
    """
    found = []
    for path in sorted(project.notebooks.glob("*.ipynb")):
        if path.stem == without:
            continue
        larger = (
            profile
            for profile in PROFILES
            if (project.parameters / f"{path.stem}.{profile}.yaml").is_file()
        )
        found.append(NotebookFacts(path.stem, _question(path), ("smoke", *larger)))
    return tuple(found)


def last_runs(
    notebook: str, runs: Iterable[RunState], records: Iterable[RunRecord]
) -> tuple[LastRun, ...]:
    """Return the newest run at each profile of which there is any.

    Args:
        notebook: The notebook's name.
        runs: The state of all run folders.
        records: All records.

    Returns:
        One per profile: the reproductions' by rising scale, then others by name.
    """
    by_run = {each.run_id: each for each in sorted(records, key=lambda r: r.finished)}
    found: list[LastRun] = []
    for run in runs:
        own = by_run.pop(run.run_dir.name, None)
        found.append(
            LastRun(
                run.notebook,
                run.profile,
                run.status,
                datetime.fromtimestamp(run.started, UTC).isoformat()[:19],
                own.duration_s if own and run.status == "finished" else None,
                run,
            )
        )
    for record in by_run.values():
        when, duration_s = record.finished[:19], record.duration_s
        found.append(
            LastRun(record.notebook, record.profile, "recorded", when, duration_s, None)
        )
    newest: dict[str, LastRun] = {}
    for each in sorted(found, key=lambda each: each.when):
        if each.notebook == notebook:
            newest[each.profile] = each
    order = {profile: place for place, profile in enumerate(PROFILES)}
    return tuple(
        sorted(
            newest.values(),
            key=lambda each: (order.get(each.profile, len(order)), each.profile),
        )
    )


def read_progress(run_dir: Path) -> RunProgress | None:
    """Read how far a run has come.

    The runner saves the executed notebook twice a second while it changes, each time
    whole, so this is at most that old, and tells of runs that others have started.

    Args:
        run_dir: The run folder.

    Returns:
        The progress, ``None`` before the first saving.
    """
    try:
        text = (run_dir / EXECUTED_NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    cells = [each for each in json.loads(text)["cells"] if each["cell_type"] == "code"]
    states = [_papermill_status(cell) for cell in cells]
    current = next(
        (
            cell
            for cell, state in zip(cells, states, strict=True)
            if state in ("running", "failed")
        ),
        None,
    )
    return RunProgress(
        num_done=states.count("completed"),
        num_cells=len(cells),
        title=_title(current) if current else "",
        tail=_tail(cells),
    )


def _question(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return ""


def _papermill_status(cell: Mapping[str, Any]) -> str:
    return cell["metadata"].get("papermill", {}).get("status", "pending")


def _title(cell: Mapping[str, Any]) -> str:
    lines = "".join(cell["source"]).strip().splitlines()
    return lines[0][:_TITLE_CHARACTERS] if lines else ""


def _tail(cells: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the last lines printed, of the last cell that printed any."""
    for cell in reversed(cells):
        text = "".join(
            "".join(output["text"])
            for output in cell["outputs"]
            if output["output_type"] == "stream"
        )
        # A progress bar draws its line again and again after a carriage return.
        lines = [line.rpartition("\r")[2] for line in text.rstrip().split("\n")]
        if text.strip():
            return tuple(lines[-_TAIL_LINES:])
    return ()
