"""The home page: claims with their verdicts, notebooks with their state, figures."""

from collections.abc import Iterable, Sequence
from html import escape

import ipywidgets as widgets
import plotly.graph_objects as go

from cocodesign.claims import Verdict
from cocodesign.errors import FigureError
from cocodesign.figures import draw_figure, load_figures
from cocodesign.figures.paper import select_records
from cocodesign.project import Project
from cocodesign.results import RunRecord

_COLOURS = {
    "PASS": "#1B7F4B",
    "DRIFT": "#B26A00",
    "FAIL": "#B3261E",
    "NOT RUN": "#6B6B6B",
}

_STYLE = """
<style>
.cocodesign {border-collapse: collapse; width: 100%;}
.cocodesign td, .cocodesign th {
  text-align: left; vertical-align: top; padding: 4px 10px; line-height: 1.35;
  border-bottom: 1px solid var(--jp-border-color2, #DDD);
}
.cocodesign .badge {
  color: white; border-radius: 3px; padding: 1px 7px; font-weight: 600;
  white-space: nowrap;
}
.cocodesign a {color: var(--jp-content-link-color, #1976D2);}
.cocodesign small {color: var(--jp-ui-font-color2, #666);}
</style>
"""


def verdict_table(verdicts: Sequence[Verdict]) -> widgets.HTML:
    """Show verdicts as a table; each reason opens below its claim.

    Args:
        verdicts: What to show.

    Returns:
        The widget.
    """
    return _table(
        ("claim", "as published", "measured here", "profile", "verdict"),
        (
            (
                f"<details><summary>{escape(each.claim.sentence)}</summary>"
                f"<small>{escape(each.reason)}.<br>Source: "
                f"{escape(each.claim.source)}</small></details>",
                escape(each.claim.paper),
                _measured(each),
                escape(each.profile or ""),
                f'<span class="badge" style="background:{_COLOURS[each.status]}">'
                f"{each.status}</span>",
            )
            for each in verdicts
        ),
    )


def notebook_table(project: Project, records: Iterable[RunRecord]) -> widgets.HTML:
    """Show every notebook with a link, its newest record and how to run it.

    Args:
        project: The clone.
        records: All its records.

    Returns:
        The widget.
    """
    newest: dict[str, RunRecord] = {}
    for record in records:
        former = newest.get(record.notebook)
        if former is None or record.finished > former.finished:
            newest[record.notebook] = record
    rows = []
    for path in sorted(project.notebooks.glob("*.ipynb")):
        record = newest.get(path.stem)
        state = (
            f"{record.profile}, {record.finished[:16].replace('T', ' ')} UTC, "
            f"{record.duration_s:.0f} s"
            if record
            else "not run yet"
        )
        for_laptop = project.parameters / f"{path.stem}.laptop.yaml"
        option = " --profile laptop" if for_laptop.is_file() else ""
        rows.append(
            (
                f'<a href="{path.name}">{escape(path.stem)}</a>',
                escape(state),
                f"<code>cocodesign run {escape(path.stem)}{option}</code>",
            )
        )
    return _table(("notebook", "newest record", "from a terminal"), rows)


def figure_gallery(project: Project) -> list[go.Figure]:
    """Draw every paper figure that has its records.

    Args:
        project: The clone.

    Returns:
        The figures, in the order of their numbers.
    """
    drawn = []
    for figure in load_figures(project):
        try:
            drawn.append(draw_figure(figure, select_records(figure, project, None)))
        except FigureError:  # no record yet: the table above says so
            continue
    return drawn


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> widgets.HTML:
    """Return a table; the cells are HTML already."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return widgets.HTML(
        f'{_STYLE}<table class="cocodesign"><tr>{head}</tr>{body}</table>'
    )


def _measured(verdict: Verdict) -> str:
    found = verdict.measurement
    if found is None:
        return ""
    text = f"<b>{found.median:.3g}</b> {escape(found.unit)}"
    if len(found.values) > 1:
        text += f"<br><small>{found.low:.3g} to {found.high:.3g}</small>"
    return text + ("<br><small>simulated</small>" if found.simulated else "")
