"""The panel of notebook 20: move the workspace limit and see the plan change.

Everything is planned anew from the timings that the notebook took, which takes a
millisecond; nothing is measured here, so the kernel is never busy.
"""

import math
from typing import Any, cast

import ipywidgets as widgets
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cocodesign.errors import InfeasiblePlanError
from cocodesign.figures import colour_of, styled
from cocodesign.microbatch.division import Candidate, Division
from cocodesign.microbatch.pareto import pareto_front
from cocodesign.microbatch.planner import best_division
from cocodesign.microbatch.problem import ConvProblem
from cocodesign.microbatch_study import LayerStudy
from cocodesign.panels.live_figure import LiveFigure

_MIB = 1 << 20
_LEAST = _MIB // 16  # where a logarithmic axis shows no workspace at all
_KINDS = {"whole mini-batch": "undivided", "micro-batches": "divided"}


class WorkspacePanel(widgets.VBox):
    """A layer, a limit and a policy; the front, the division and the speed-up.

    Args:
        study: The measured layers.
    """

    def __init__(self, study: LayerStudy) -> None:
        self._study = study
        by_label = {problem.label: problem for problem in study.candidates}
        self.layer = widgets.Dropdown(
            options=list(by_label.items()),
            description="layer",
            tooltip="Picture, channels in and out, window",
        )
        self.policy = widgets.ToggleButtons(
            options=list(_KINDS.items()),
            value="divided",
            description="allow",
            tooltips=[
                "One algorithm for all examples",
                "Parts of a power of two, each with its algorithm",
            ],
        )
        self.limit = widgets.FloatLogSlider(
            value=8 * _MIB,
            base=2,
            min=16,
            max=30,
            step=0.25,
            readout=False,
            description="workspace",
            tooltip="The most scratch memory of the layer",
        )
        self.limit_text = widgets.Label()
        self.summary = widgets.HTML()
        self.figure = LiveFigure(_empty_figure())
        for control in (self.layer, self.policy, self.limit):
            control.observe(self._redraw, names="value")
        super().__init__(
            [
                widgets.HBox([self.layer, self.policy]),
                widgets.HBox([self.limit, self.limit_text]),
                self.summary,
                self.figure,
            ]
        )
        self._redraw()

    @property
    def problem(self) -> ConvProblem:
        """The layer that is shown."""
        assert isinstance(self.layer.value, ConvProblem)
        return self.layer.value

    @property
    def division(self) -> Division | None:
        """The fastest division within the limit, ``None`` if nothing fits."""
        candidates = self._allowed(str(self.policy.value))
        size = self.problem.mini_batch_size
        try:
            return best_division(candidates, size, int(self.limit.value))
        except InfeasiblePlanError:
            return None

    def _allowed(self, kind: str) -> tuple[Candidate, ...]:
        problem = self.problem
        return tuple(
            each
            for each in self._study.candidates[problem]
            if kind == "divided" or each.micro_batch_size == problem.mini_batch_size
        )

    def _redraw(self, _change: dict | None = None) -> None:
        problem = self.problem
        limit_mib = self.limit.value / _MIB
        self.limit_text.value = f"{limit_mib:.3g} MiB"
        division = self.division
        self.summary.value = self._summary(division)
        undivided, divided, line, bars = cast("tuple[Any, ...]", self.figure.data)
        highest_ms = 0.0
        with self.figure.batch_update():
            for kind, trace in (("undivided", undivided), ("divided", divided)):
                front = pareto_front(self._allowed(kind), problem.mini_batch_size)
                highest_ms = max([highest_ms, *(each.time_s * 1e3 for each in front)])
                trace.x = [max(each.workspace_bytes, _LEAST) / _MIB for each in front]
                trace.y = [each.time_s * 1e3 for each in front]
                trace.text = [str(each) for each in front]
            line.x = [limit_mib, limit_mib]
            line.y = [0, highest_ms]
            parts = division.parts if division else ()
            bars.x = list(range(1, len(parts) + 1))
            bars.y = [part.micro_batch_size for part in parts]
            bars.text = [part.algorithm for part in parts]

    def _summary(self, division: Division | None) -> str:
        if division is None:
            return "nothing fits: move the limit to the right"
        problem = self.problem
        own = next(
            each
            for each in self._study.candidates[problem]
            if (each.algorithm, each.micro_batch_size)
            == ("direct", problem.mini_batch_size)
        )
        gain = own.run_s / division.time_s if division.time_s else math.inf
        used = division.workspace_bytes / _MIB
        return (
            f"<b>{division}</b>: {division.time_s * 1e3:.1f} ms with {used:.3g} MiB, "
            f"<b>{gain:.2f} x</b> torch's own {own.run_s * 1e3:.1f} ms"
        )


def _empty_figure() -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=2,
        column_widths=[0.65, 0.35],
        subplot_titles=["time against workspace", "micro-batches, in turn"],
    )
    for kind in ("undivided", "divided"):
        figure.add_scatter(
            mode="lines+markers",
            line={"shape": "hv", "color": _colour(kind)},
            name=kind,
            hovertemplate="%{text}<br>%{x:.3g} MiB, %{y:.1f} ms<extra></extra>",
            row=1,
            col=1,
        )
    figure.add_scatter(
        mode="lines",
        name="limit",
        line={"dash": "dot", "color": "#222222"},
        row=1,
        col=1,
    )
    figure.add_bar(
        name="examples", marker_color=_colour("divided"), showlegend=False, row=1, col=2
    )
    styled(figure, title="The fastest way within a workspace")
    figure.update_layout(height=380, width=None, autosize=True, hovermode="closest")
    figure.update_xaxes(title_text="workspace, MiB", type="log", row=1, col=1)
    figure.update_yaxes(title_text="milliseconds", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title_text="part", row=1, col=2)
    figure.update_yaxes(title_text="examples", rangemode="tozero", row=1, col=2)
    return figure


def _colour(kind: str) -> str:
    return colour_of(kind, 5 if kind == "undivided" else 0)
