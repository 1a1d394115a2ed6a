"""Planning, running here, the table and the picture."""

import shlex
from collections.abc import Callable
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from cocodesign.cli.sweep import sweep as sweep_command
from cocodesign.errors import ParameterError, SweepError
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, RunContext, write_record
from cocodesign.sweeps import Sweep, draw_sweep, plan_sweep, run_here, sweep_table
from cocodesign.sweeps.execution import point_command


@pytest.fixture
def record(provenance: Provenance) -> Callable[..., None]:
    """Return a function that gives a point its record, as a run would."""

    def write(sweep: Sweep, index: int, **metrics: Measurement) -> None:
        point = sweep.points[index]
        parameters = {**point.parameters, "run_dir": str(point.run_dir)}
        context = RunContext(point.name, sweep.notebook.stem, "custom", parameters)
        point.run_dir.mkdir(parents=True)
        context.write(point.run_dir)
        write_record(
            point.run_dir,
            notebook=sweep.notebook.stem,
            parameters=parameters,
            metrics=metrics,
            tables={},
            provenance=provenance,
            duration_s=2.0,
        )

    return write


def plan(notebook: Path, *axes: str) -> Sweep:
    return plan_sweep(notebook, axes, profile="smoke", folder=notebook.parent / "s")


def test_every_value_is_checked_before_anything_runs(notebook: Path) -> None:
    with pytest.raises(ParameterError, match="'seed' is int"):
        plan(notebook, "rate=1,2", "seed=1,x")
    with pytest.raises(ParameterError, match="no profile 'gpu'"):
        plan_sweep(notebook, ["seed=1"], profile="gpu", folder=notebook.parent)


def test_a_point_is_done_when_its_record_has_its_parameters(
    notebook: Path, record: Callable[..., None]
) -> None:
    sweep = plan(notebook, "seed=0..2")
    assert [point.name for point in sweep.missing()] == ["seed=0", "seed=1", "seed=2"]
    record(sweep, 1)
    assert [point.name for point in sweep.missing()] == ["seed=0", "seed=2"]
    longer = plan(notebook, "seed=0..3")
    assert [each.name for each in longer.missing()] == ["seed=0", "seed=2", "seed=3"]
    document = nbformat.read(notebook, as_version=4)
    source = document.cells[0].source
    document.cells[0].source = source.replace("rate = 0.1", "rate = 0.2")
    nbformat.write(document, notebook)
    assert len(plan(notebook, "seed=0..2").missing()) == 3


def test_the_command_of_a_point_gives_its_values_as_they_are(notebook: Path) -> None:
    sweep = plan(notebook, "label=it's,$HOME", "rate=1e-05")
    words = shlex.split(point_command(sweep, sweep.points[0], python="python"))
    assert words[words.index("-p") + 1 :] == ["label=it's", "-p", "rate=1e-05"]


def test_the_table_has_axes_metrics_and_units(
    notebook: Path, record: Callable[..., None]
) -> None:
    sweep = plan(notebook, "rate=0.5,2", "label=x,y")
    record(sweep, 0, loss=Measurement((1.0, 3.0, 2.0), "nats"))
    record(sweep, 3, loss=Measurement((5.0,), "nats"), gain=Measurement((7.0,), "x"))
    table = sweep_table(sweep)
    assert table["rate"].to_pylist() == [0.5, 0.5, 2.0, 2.0]
    assert table["label"].to_pylist() == ["x", "y", "x", "y"]
    assert table["loss"].to_pylist() == [2.0, None, None, 5.0]
    assert table["loss.high"].to_pylist() == [3.0, None, None, 5.0]
    assert table["gain"].to_pylist() == [None, None, None, 7.0]
    assert "gain.low" not in table.column_names
    assert table["commit"].null_count == table["run_id"].null_count == 2
    assert table.schema.field("loss").metadata == {b"unit": b"nats"}
    assert table.schema.metadata[b"parameters"] == b'{"seed": 0}'


def test_names_and_units_that_clash_are_refused(
    notebook: Path, record: Callable[..., None]
) -> None:
    sweep = plan(notebook, "seed=0..1")
    record(sweep, 0, seed=Measurement((1.0,), "x"))
    with pytest.raises(SweepError, match="two columns would be called seed"):
        sweep_table(sweep)
    sweep = plan(notebook, "rate=1,2")
    record(sweep, 0, loss=Measurement((1.0,), "nats"))
    record(sweep, 1, loss=Measurement((1.0,), "bits"))
    with pytest.raises(SweepError, match=r"unit of loss changes .*'bits', 'nats'"):
        sweep_table(sweep)


def test_the_picture_shows_wide_axes_by_logarithms_and_texts_by_name(
    notebook: Path, record: Callable[..., None]
) -> None:
    sweep = plan(notebook, "rate=1e-4,1e-1", "label=x,y")
    for index in range(3):
        record(sweep, index, loss=Measurement((index - 1.0,), "nats"))
    figure = draw_sweep(sweep_table(sweep), ["rate", "label"])
    rate, label, loss = figure.data[0].dimensions
    assert list(rate["values"]) == pytest.approx([-4.0, -4.0, -1.0])
    assert list(rate.ticktext) == ["0.0001", "0.1"]
    assert list(label.ticktext) == ["x", "y"]
    assert list(label["values"]) == [0, 1, 0]
    assert loss.label == "loss (nats)"
    assert list(loss["values"]) == [-1.0, 0.0, 1.0]
    assert list(figure.data[0].line.color) == [-1.0, 0.0, 1.0]
    assert "3 of 4 points" in figure.layout.annotations[0].text
    with pytest.raises(ValueError, match="'speed' is none of the metrics loss"):
        draw_sweep(sweep_table(sweep), ["rate"], colour_by="speed")


def test_nothing_measured_is_nothing_to_draw(notebook: Path) -> None:
    with pytest.raises(ValueError, match="no point of the sweep has a result yet"):
        draw_sweep(sweep_table(plan(notebook, "seed=0..1")), ["seed"])


@pytest.mark.slow
@pytest.mark.notebook
def test_a_failed_point_stops_no_other_and_is_tried_again(notebook: Path) -> None:
    sweep = plan(notebook, "rate=-1,1")
    lines: list[str] = []
    run_here(sweep, retries=1, tell=lines.append)
    first, second, third = lines
    assert first.startswith("rate=-1.0: failed")
    assert "a bad rate" in first
    assert second.startswith("rate=1.0: finished")
    assert third.startswith("rate=-1.0: failed")
    assert [point.name for point in sweep.missing()] == ["rate=-1.0"]


@pytest.mark.slow
@pytest.mark.notebook
def test_the_command_runs_what_is_missing_and_writes_table_and_picture(
    write_notebook: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    for name in ("notebooks", "workflow/profiles/laptop"):
        (tmp_path / name).mkdir(parents=True)
    write_notebook(tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(sweep_command)
    grid = ["20_example", "-p", "rate=1,-2", "-p", "seed=0..1", "--retries", "0"]
    shown = CliRunner().invoke(app, [*grid, "--dry-run"])
    assert "would run rate=1.0,seed=0" in shown.output
    assert not (tmp_path / "runs").exists()
    failed = CliRunner().invoke(app, grid)
    assert failed.exit_code == 1
    assert "2 of 4 points have no record" in failed.output
    folder = tmp_path / "runs" / "sweeps" / "20_example-smoke"
    (folder / "mended").touch()
    done = CliRunner().invoke(app, grid)
    assert done.exit_code == 0, done.output
    assert "4 points, 2 without a record" in done.output
    table = pq.read_table(folder / "sweep.parquet")
    assert table["loss"].to_pylist() == [1.0, 2.0, -2.0, -1.0]
    assert table.schema.field("loss").metadata[b"unit"] == b"nats"
    assert (folder / "sweep.html").stat().st_size > 10_000
