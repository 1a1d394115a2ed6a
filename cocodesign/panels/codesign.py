"""The panel of notebook 90: runs beside one another, and factors put on and off."""

import math
from collections.abc import Mapping, Sequence

import ipywidgets as widgets
import plotly.graph_objects as go

from cocodesign.figures import colour_of, styled
from cocodesign.panels.live_figure import LiveFigure
from cocodesign.results import Column

QUANTITIES: Mapping[str, str] = {
    "training steps": "num_steps",
    "seconds of training": "training_s",
    "MiB of a step": "peak_mib",
    "bytes of the file": "file_bytes",
    "test accuracy": "test_accuracy",
    "frames a second": "frames_per_s",
    "precision of the search": "search_map",
}
"""What a user may compare, and its column of the table ``runs``."""

_SIMULATED = "simulated"


class CodesignPanel(widgets.VBox):
    """One quantity over all runs, and the product of the factors that are ticked.

    Args:
        runs: The table of runs; a row per seed and run.
        account: The table of factors; those without a value are named, not offered.
    """

    def __init__(
        self, runs: Mapping[str, Column], account: Mapping[str, Column]
    ) -> None:
        self._runs = runs
        self.quantity = widgets.Dropdown(
            options=list(QUANTITIES), description="compare", tooltip="What is drawn"
        )
        self._labels = list(dict.fromkeys(str(each) for each in runs["layers"]))
        self.figure = LiveFigure(_first_figure(self._labels))
        self._factors = {
            _sentence(account, row): _number(account["value"][row])
            for row in range(len(account["factor"]))
            if account["value"][row] is not None and account["chain"][row] == "training"
        }
        self.boxes = [
            widgets.Checkbox(
                value=not sentence.endswith(_SIMULATED),
                description=sentence,
                tooltip="Count this factor",
                indent=False,
                layout={"width": "auto"},
            )
            for sentence in self._factors
        ]
        self.product = widgets.HTML()
        self.quantity.observe(self._show, names="value")
        for box in self.boxes:
            box.observe(self._multiply, names="value")
        super().__init__(
            [
                self.quantity,
                self.figure,
                widgets.HTML("Factors of the training, from all records:"),
                *self.boxes,
                self.product,
            ]
        )
        self._show()
        self._multiply()

    def _show(self, _change: object = None) -> None:
        name = str(self.quantity.value)
        with self.figure.batch_update():
            for index, label in enumerate(self._labels):
                self.figure.data[index].y = self._values(QUANTITIES[name], label)
            self.figure.layout.yaxis.title.text = name

    def _values(self, column: str, label: str) -> Sequence[float]:
        return [
            _number(value)
            for value, layers in zip(
                self._runs[column], self._runs["layers"], strict=True
            )
            if layers == label
        ]

    def _multiply(self, _change: object = None) -> None:
        product = math.prod(self._factors[box.description] for box in self._ticked())
        any_simulated = any(
            box.description.endswith(_SIMULATED) for box in self._ticked()
        )
        kind = "partly simulated" if any_simulated else "measured"
        self.product.value = f"Together <b>{product:.3g}×</b>, {kind}."

    def _ticked(self) -> list[widgets.Checkbox]:
        return [box for box in self.boxes if box.value]


def _number(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _sentence(account: Mapping[str, Column], row: int) -> str:
    return (
        f"{account['factor'][row]}: {account['value'][row]:.3g}×, "
        f"{account['evidence'][row]}"
    )


def _first_figure(labels: Sequence[str]) -> go.Figure:
    figure = go.Figure()
    for index, label in enumerate(labels):
        figure.add_scatter(
            y=[0.0],
            mode="markers",
            marker={"size": 11, "color": colour_of(label, index)},
            name=label,
        )
    styled(figure, title="All layers on, and one off at a time")
    figure.update_layout(height=340, width=None, autosize=True, margin={"b": 50})
    figure.update_xaxes(title_text="seed", dtick=1)
    figure.update_yaxes(rangemode="tozero")
    return figure
