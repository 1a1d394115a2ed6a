"""A sweep's table as parallel coordinates: a line a point, an axis a column."""

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from cocodesign.figures import styled

_LOG_SPAN = 10.0  # positive numbers that span more are shown by their logarithms
_MOST_TICKS = 12
_TOP_PX = 120  # the title, the axes' names, their largest values
_COLOURS = "Viridis"


def draw_sweep(
    table: pa.Table, axes: list[str], *, colour_by: str | None = None
) -> go.Figure:
    """Draw a table of ``sweep_table``; points without a result are left out.

    Args:
        table: The table.
        axes: The names of the sweep's axes.
        colour_by: The metric that gives the lines their colour; the first if ``None``.

    Returns:
        The figure: the axes at the left, the metrics at the right. Axes can be dragged,
        and a range marked on one hides the lines outside it.

    Raises:
        ValueError: If no point has a result, or ``colour_by`` is no metric.
    """
    metrics = [
        field.name
        for field in table.schema
        if field.metadata and not field.name.endswith((".low", ".high"))
    ]
    if not metrics:
        raise ValueError("no point of the sweep has a result yet")
    colour_by = metrics[0] if colour_by is None else colour_by
    if colour_by not in metrics:
        raise ValueError(f"{colour_by!r} is none of the metrics {', '.join(metrics)}")
    done = table.filter(table["run_id"].is_valid())
    colours = done[colour_by].to_pylist()
    unit = table.schema.field(colour_by).metadata[b"unit"].decode()
    figure = go.Figure(
        go.Parcoords(
            dimensions=[
                *(_dimension(name, done[name].to_pylist(), "") for name in axes),
                *(
                    _dimension(
                        name,
                        done[name].to_pylist(),
                        table.schema.field(name).metadata[b"unit"].decode(),
                    )
                    for name in metrics
                ),
            ],
            line={
                "color": [math.nan if each is None else each for each in colours],
                "colorscale": _COLOURS,
                "showscale": True,
                "colorbar": {
                    "title": {"text": _label(colour_by, unit), "font": {"size": 13}}
                },
            },
        )
    )
    facts = {
        key.decode(): value.decode() for key, value in table.schema.metadata.items()
    }
    styled(
        figure,
        title=f"Sweep of {facts['notebook']} at profile {facts['profile']}",
        caption=f"{done.num_rows} of {table.num_rows} points; the same for all: "
        f"{facts['parameters']}",
    )
    return figure.update_layout(margin_t=_TOP_PX)


def _dimension(name: str, values: list[Any], unit: str) -> dict[str, Any]:
    """Return one axis: numbers as they are or as logarithms, anything else by name."""
    numbers = [each for each in values if isinstance(each, int | float)]
    is_numeric = len(numbers) == len(values) - values.count(None) and not any(
        isinstance(each, bool) for each in numbers
    )
    if not is_numeric or not numbers:
        names = sorted({str(each) for each in values})
        places = [names.index(str(each)) for each in values]
        ticks = {"tickvals": list(range(len(names))), "ticktext": names}
        return {"label": name, "values": places, **ticks}
    label = _label(name, unit)
    if min(numbers) <= 0 or max(numbers) / min(numbers) < _LOG_SPAN:
        shown = [math.nan if each is None else each for each in values]
        return {"label": label, "values": shown, **_ticks(numbers)}
    shown = [math.nan if each is None else math.log10(each) for each in values]
    distinct = sorted(set(numbers))
    if len(distinct) > _MOST_TICKS:
        low, high = math.floor(min(shown)), math.ceil(max(shown))
        distinct = [10.0**power for power in range(low, high + 1)]
    return {
        "label": label,
        "values": shown,
        "tickvals": [math.log10(each) for each in distinct],
        "ticktext": [f"{each:g}" for each in distinct],
    }


def _ticks(numbers: Sequence[float]) -> dict[str, Any]:
    """Return ticks at the values themselves where these are few."""
    distinct = sorted(set(numbers))
    if len(distinct) > _MOST_TICKS:
        return {}
    return {"tickvals": distinct, "ticktext": [f"{each:.4g}" for each in distinct]}


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name
