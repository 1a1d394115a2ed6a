"""A sweep's results as one table, a row a point, in one Parquet file."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cocodesign.errors import SweepError
from cocodesign.files import write_atomically
from cocodesign.results import Measurement, RunRecord
from cocodesign.runner.parameters import Value
from cocodesign.sweeps.sweep import Sweep, SweepPoint

TABLE_NAME = "sweep.parquet"
_FACTS = ("point", "finished", "duration_s", "commit", "dirty", "run_id")


def sweep_table(sweep: Sweep) -> pa.Table:
    """Return a sweep's results.

    A row is a point. Its columns are the axes' parameters; every metric's median, and
    with the suffixes ``.low`` and ``.high`` its range where a record measured it more
    than once; then what tells the run. A point without a record has empty cells. The
    metadata of a metric's column holds its unit, that of the table the notebook, the
    profile and the parameters that all points share.

    Args:
        sweep: The sweep.

    Returns:
        The table, sorted as the grid.

    Raises:
        SweepError: If two columns would have one name, or a metric's unit changes.
    """
    rows = list(sweep.records())
    columns: dict[str, tuple[pa.Field, list[object]]] = {}
    for axis in sweep.axes:
        values = [_plain(point.overrides[axis.name]) for point, _ in rows]
        columns[axis.name] = (pa.field(axis.name, pa.array(values).type), values)
    for name, metrics in _metrics(sweep, rows).items():
        columns |= _metric_columns(name, metrics)
    for name in _FACTS:
        values = [_fact(name, point, record) for point, record in rows]
        columns[name] = (pa.field(name, pa.array(values).type), values)
    shared = {
        name: value
        for name, value in sweep.points[0].parameters.items()
        if name not in {axis.name for axis in sweep.axes}
    }
    facts = {
        "notebook": sweep.notebook.stem,
        "profile": sweep.profile,
        "parameters": json.dumps(shared, ensure_ascii=False),
    }
    schema = pa.schema([field for field, _ in columns.values()], metadata=facts)
    arrays = [pa.array(values, field.type) for field, values in columns.values()]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_table(table: pa.Table, folder: Path) -> Path:
    """Write a table as ``sweep.parquet``.

    Args:
        table: From ``sweep_table``.
        folder: The sweep's folder.

    Returns:
        The file.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    path = folder / TABLE_NAME
    write_atomically(path, sink.getvalue().to_pybytes())
    return path


def _metrics(
    sweep: Sweep, rows: list[tuple[SweepPoint, RunRecord | None]]
) -> dict[str, list[Measurement | None]]:
    """Return by metric its measurement in every row."""
    found = [record.metrics if record else {} for _, record in rows]
    names = list(dict.fromkeys(name for metrics in found for name in metrics))
    columns = [*(axis.name for axis in sweep.axes), *names, *_FACTS]
    for name in columns:
        if columns.count(name) > 1:
            raise SweepError(
                f"two columns would be called {name}, as a parameter, a metric or what "
                "tells a run: rename one"
            )
    return {name: [metrics.get(name) for metrics in found] for name in names}


def _metric_columns(
    name: str, found: list[Measurement | None]
) -> dict[str, tuple[pa.Field, list[object]]]:
    units = {metric.unit for metric in found if metric}
    if len(units) > 1:
        raise SweepError(f"the unit of {name} changes over the sweep: {sorted(units)}")
    parts = {name: [metric and metric.median for metric in found]}
    if any(metric and len(metric.values) > 1 for metric in found):
        parts[f"{name}.low"] = [metric and metric.low for metric in found]
        parts[f"{name}.high"] = [metric and metric.high for metric in found]
    metadata = {"unit": units.pop()}
    return {
        part: (pa.field(part, pa.float64(), metadata=metadata), list(values))
        for part, values in parts.items()
    }


def _fact(name: str, point: SweepPoint, record: RunRecord | None) -> object:
    if name == "point":
        return point.name
    if record is None:
        return None
    if name in ("commit", "dirty"):
        return getattr(record.provenance, name)
    return getattr(record, name)


def _plain(value: Value) -> object:
    """Return a value as a cell: a list as its text, since axes may mix lengths."""
    return json.dumps(value) if isinstance(value, list) else value
