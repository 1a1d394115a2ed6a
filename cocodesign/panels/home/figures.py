"""The figures of the paper, one at a time, as far as their records are there."""

import json
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go

from cocodesign.errors import FigureError
from cocodesign.figures import PaperFigure, draw_figure, load_figures
from cocodesign.panels.home.choices import offer
from cocodesign.panels.home.markup import look, styled, warning
from cocodesign.project import Project
from cocodesign.results import RunRecord, newest_record

_STEPS = {"←": -1, "→": 1}  # texts: without a network Voilà shows no icons


class FiguresPanel(widgets.VBox):
    """A list to choose from, two buttons to leaf through it, and the figure.

    Only the chosen figure is drawn and sent to the browser.

    Args:
        project: The clone.

    Attributes:
        choice: The figures by title.
        figure: The one that is shown, ``None`` if there is none.
        problem: Why it is not shown; empty if it is.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._sources: dict[PaperFigure, dict[str, RunRecord]] = {}
        self.choice = widgets.Dropdown(
            options=[],
            description="figure",
            tooltip="The figures whose records are there",
            layout=widgets.Layout(width="auto", flex="1 1 auto"),
        )
        self.buttons = [
            widgets.Button(
                description=arrow,
                tooltip=f"{'Previous' if step < 0 else 'Next'} figure",
                layout=widgets.Layout(width="40px"),
            )
            for arrow, step in _STEPS.items()
        ]
        self.message = widgets.HTML()
        self.problem = widgets.HTML()
        self.figure: go.Figure | None = None
        self._frame = widgets.Output()
        for button in self.buttons:
            button.on_click(self._leaf)
        self.choice.observe(self._draw, names="value")
        super().__init__(
            [
                look(),
                widgets.HBox([self.choice, *self.buttons]),
                self.message,
                self.problem,
                self._frame,
            ]
        )

    def show(self, records: Sequence[RunRecord]) -> None:
        """Draw from other records; the figure that is chosen stays chosen.

        Args:
            records: The records; a figure shows its notebooks' newest ones at the
                largest profile.
        """
        known = load_figures(self._project)
        self._sources = {
            figure: found
            for figure in known
            if (found := _records_of(figure, records)) is not None
        }
        offer(self.choice, [(_title(each), each.name) for each in self._sources])
        missing = len(known) - len(self._sources)
        self.message.value = styled(
            f"<small>{missing} of {len(known)} figures have no record yet.</small>"
            if missing
            else ""
        )
        self._draw()

    def _draw(self, _change: object = None) -> None:
        chosen = next(
            (each for each in self._sources if each.name == self.choice.value), None
        )
        self.figure, self.problem.value = None, ""
        if chosen is not None:
            try:
                self.figure = draw_figure(chosen, self._sources[chosen])
            except FigureError as error:  # the record is older than the figure
                self.problem.value = styled(warning(str(error)))
        self._frame.outputs = () if self.figure is None else (_display(self.figure),)

    def _leaf(self, button: widgets.Button) -> None:
        if self._sources:
            place = (self.choice.index or 0) + _STEPS[button.description]
            self.choice.index = place % len(self._sources)


def _records_of(
    figure: PaperFigure, records: Sequence[RunRecord]
) -> dict[str, RunRecord] | None:
    found = {name: newest_record(records, notebook=name) for name in figure.notebooks}
    there = {name: record for name, record in found.items() if record is not None}
    return there if len(there) == len(found) else None


def _title(figure: PaperFigure) -> str:
    return f"{figure.name.partition('_')[0]}  {figure.title}"


def _display(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as a cell shows it, as wide as the page.

    A ``FigureWidget`` would send plotly's five megabytes of code with every figure.
    """
    shown = go.Figure(figure)
    shown.update_layout(width=None, autosize=True)
    text = shown.to_json()
    assert text is not None
    content = json.loads(text)
    return {
        "output_type": "display_data",
        "data": {"application/vnd.plotly.v1+json": content, "text/plain": "a figure"},
        "metadata": {},
    }
