"""The figures of the paper: one script each, records in.

A script in ``paper_figures`` holds one ``FIGURE = PaperFigure(…)`` and nothing that
computes: what it shows stands in the records of the notebooks that it names.
"""

import argparse
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cocodesign.errors import FigureError
from cocodesign.figures.export import CHROME_HINT, export_figure, find_chrome
from cocodesign.figures.style import styled
from cocodesign.project import Project, find_project
from cocodesign.results import RunRecord, find_records, newest_record

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class PaperFigure:
    """A figure and what it needs.

    Attributes:
        name: The files' name, ``fig<NN>_<subject>``.
        title: One line above the figure.
        notebooks: The notebooks whose records it shows.
        draw: From the records, by notebook, to a plotly figure; it may not compute.
    """

    name: str
    title: str
    notebooks: tuple[str, ...]
    draw: Callable[[Mapping[str, RunRecord]], "go.Figure"]


def draw_figure(figure: PaperFigure, records: Mapping[str, RunRecord]) -> "go.Figure":
    """Draw a figure; its caption names the runs, their scale and their notes.

    Args:
        figure: The figure.
        records: A record for each of its notebooks.

    Returns:
        A new plotly figure in the common style.

    Raises:
        FigureError: If a record, or what is drawn of it, is missing; the message says
            which command makes it.
    """
    missing = [name for name in figure.notebooks if name not in records]
    if missing:
        raise FigureError(
            f"{figure.name} shows the records of {', '.join(missing)}, which are not "
            f"there: run cocodesign reproduce, or cocodesign run {missing[0]}"
        )
    used = {name: records[name] for name in figure.notebooks}
    sources = [
        f"Run {record.run_id}, profile {record.profile}, commit "
        f"{(record.provenance.commit or 'unknown')[:10]}."
        for record in used.values()
    ]
    notes = [note for record in used.values() for note in record.notes]
    try:
        drawn = figure.draw(used)
    except KeyError as error:  # a table, a column or a metric that a script names
        raise FigureError(
            f"{figure.name} wants {error}, which the record of "
            f"{' and '.join(record.run_id for record in used.values())} lacks: it was "
            f"written by another version; run {' and '.join(used)} again"
        ) from error
    return styled(drawn, title=figure.title, caption=" ".join([*notes, *sources]))


def load_figures(project: Project) -> tuple[PaperFigure, ...]:
    """Load the figure of every script ``paper_figures/fig*.py``.

    Args:
        project: The clone.

    Returns:
        The figures, by name.

    Raises:
        FigureError: If a script holds no ``FIGURE`` or one of another name.
    """
    return tuple(
        _load_script(script)
        for script in sorted(project.figure_scripts.glob("fig*.py"))
    )


def select_records(
    figure: PaperFigure, project: Project, profile: str | None
) -> dict[str, RunRecord]:
    """Choose the newest record of each notebook that a figure shows.

    Args:
        figure: The figure.
        project: The clone; its own runs go before the committed records.
        profile: Only this profile's records; the largest at hand if ``None``.

    Returns:
        The records found, by notebook.
    """
    chosen: dict[str, RunRecord] = {}
    for folder in (project.committed_records, project.runs):
        records = [record for _, record in find_records(folder)]
        for notebook in figure.notebooks:
            found = newest_record(records, notebook=notebook, profile=profile)
            if found is not None:
                chosen[notebook] = found
    return chosen


def figure_main(figure: PaperFigure, arguments: Sequence[str] | None = None) -> None:
    """Draw one figure from the command line; what a figure's script calls.

    Args:
        figure: The script's figure.
        arguments: The command line; the process's own if ``None``.
    """
    parser = argparse.ArgumentParser(description=figure.title)
    parser.add_argument("--profile", help="take this profile's records")
    parser.add_argument("--out", type=Path, help="folder for the files")
    options = parser.parse_args(arguments)
    project = find_project()
    records = select_records(figure, project, options.profile)
    drawn = draw_figure(figure, records)
    for path in export_figure(drawn, figure.name, options.out or project.figures):
        print(path)  # noqa: T201 - this is a command
    for record in records.values():
        print(f"  from run {record.run_id}")  # noqa: T201 - this is a command
    if not find_chrome():
        print(CHROME_HINT)  # noqa: T201 - this is a command


def _load_script(script: Path) -> PaperFigure:
    specification = importlib.util.spec_from_file_location(script.stem, script)
    if specification is None or specification.loader is None:
        raise FigureError(f"{script} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    figure = getattr(module, "FIGURE", None)
    if not isinstance(figure, PaperFigure) or figure.name != script.stem:
        raise FigureError(
            f"{script} must hold FIGURE = PaperFigure({script.stem!r}, …)"
        )
    return figure
