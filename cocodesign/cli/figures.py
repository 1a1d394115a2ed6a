"""``cocodesign figures``: every paper figure, from records."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cocodesign.figures import PaperFigure
    from cocodesign.project import Project


def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these figures, fig10 for short.")
    ] = None,
    *,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Show this profile's records; the largest at hand if left out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files [paper_figures/out].")
    ] = None,
    stamp: Annotated[
        Path | None, typer.Option(help="Write the list of files here, as JSON.")
    ] = None,
) -> None:
    """Draw the paper's figures from records, as HTML, SVG, PDF and PNG."""
    from cocodesign.figures import load_figures
    from cocodesign.figures.export import CHROME_HINT, find_chrome, shared_browser
    from cocodesign.files import write_atomically
    from cocodesign.project import find_project

    project = find_project()
    folder = out or project.figures
    written: dict[str, list[str]] = {}
    with shared_browser():
        for figure in _chosen(load_figures(project), names or []):
            files = _draw(figure, project, profile, folder)
            written[figure.name] = [path.name for path in files]
    if not find_chrome():
        typer.secho(CHROME_HINT, fg=typer.colors.YELLOW, err=True)
    if stamp is not None:
        write_atomically(stamp, json.dumps(written, indent=1) + "\n")


def _chosen(known: "tuple[PaperFigure, ...]", names: list[str]) -> "list[PaperFigure]":
    """Return the figures whose names begin with one of some names; all for none."""
    for name in names:
        if not any(figure.name.startswith(name) for figure in known):
            have = ", ".join(figure.name for figure in known)
            raise typer.BadParameter(f"no figure {name!r}; there are {have}")
    return [
        figure
        for figure in known
        if not names or any(figure.name.startswith(name) for name in names)
    ]


def _draw(
    figure: "PaperFigure", project: "Project", profile: str | None, folder: Path
) -> list[Path]:
    """Draw and write one figure; one without records is passed over and said so."""
    from cocodesign.errors import FigureError
    from cocodesign.figures import draw_figure, export_figure
    from cocodesign.figures.paper import select_records

    records = select_records(figure, project, profile)
    if not set(figure.notebooks) <= set(records):
        absent = ", ".join(sorted(set(figure.notebooks) - set(records)))
        typer.echo(f"{figure.name}: left out, no record of {absent}")
        return []
    try:
        drawn = draw_figure(figure, records)
    except FigureError as error:  # the record is older than the figure
        typer.echo(f"{figure.name}: left out, {error}")
        return []
    files = export_figure(drawn, figure.name, folder)
    runs = ", ".join(record.run_id for record in records.values())
    suffixes = " ".join(path.suffix[1:] for path in files)
    typer.echo(f"{figure.name}: {suffixes}, from {runs}")
    return files
