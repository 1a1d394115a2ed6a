"""The commands ``run`` and ``runs``, in a process of their own where it matters."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cocodesign.cli.run import run
from cocodesign.cli.runs import runs
from cocodesign.errors import (
    CellFailedError,
    NotebookError,
    RunInProgressError,
    UnknownParameterError,
)
from cocodesign.runner.lease import acquire_lease

WriteNotebook = Callable[..., Path]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that calls a command and returns what it printed."""
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.command()(run)
    app.command()(runs)

    def call(*arguments: object) -> str:
        outcome = CliRunner().invoke(app, list(map(str, arguments)))
        if outcome.exception and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    return call


def test_list_shows_the_parameters_and_runs_nothing(
    write_notebook: WriteNotebook, invoke: Callable[..., str], tmp_path: Path
):
    shown = invoke("run", write_notebook(), "--list", "--run-dir", tmp_path / "run")
    rows = [line.split() for line in shown.splitlines()]
    assert ["rate", "float", "0.1", "step", "size"] in rows
    assert ["limit", "int", "|", "None", "None"] in rows
    assert not (tmp_path / "run").exists()


def test_a_notebook_is_found_by_its_name_in_the_project(
    write_notebook: WriteNotebook,
    invoke: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    write_notebook()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    monkeypatch.chdir(tmp_path)
    assert "step size" in invoke("run", "example", "--list")
    with pytest.raises(NotebookError, match=r"no notebook 'exampel' in .*: example"):
        invoke("run", "exampel")
    with pytest.raises(NotebookError, match=r"no notebook elsewhere/example\.ipynb"):
        invoke("run", "elsewhere/example.ipynb")


def test_a_wrong_parameter_is_refused(
    write_notebook: WriteNotebook, invoke: Callable[..., str], tmp_path: Path
):
    with pytest.raises(UnknownParameterError, match="did you mean 'rate'"):
        invoke("run", write_notebook(), "-p", "raet=1", "--run-dir", tmp_path / "run")


def test_runs_are_listed_with_their_status(invoke: Callable[..., str], tmp_path: Path):
    assert f"no runs in {tmp_path}" in invoke("runs", tmp_path)
    for name in ("good", "bad", "now"):
        lease = acquire_lease(
            tmp_path / name, notebook="n", profile="smoke", on_loss=lambda _: None
        )
        if name == "good":
            with lease:
                pass
        if name == "bad":
            with pytest.raises(ValueError, match="first"), lease:
                raise ValueError("the first line\nthe second")
    shown = invoke("runs", tmp_path)
    rows = {line.split()[0]: line for line in shown.splitlines()[1:]}
    assert "finished" in rows["good"]
    assert "failed" in rows["bad"]
    assert "the first line" in rows["bad"]
    assert "second" not in rows["bad"]
    assert "running" in rows["now"]
    assert "s ago" in rows["now"]


@pytest.mark.notebook
@pytest.mark.slow
def test_a_run_prints_its_cells_and_metrics_and_writes_the_log(
    write_notebook: WriteNotebook, invoke: Callable[..., str], tmp_path: Path
):
    log = tmp_path / "logs" / "run.log"
    path = write_notebook("# Say\nprint(label)")
    arguments = ["--run-dir", tmp_path / "run", "--log", log]
    shown = invoke("run", path, "-p", "label=x", "-p", "rate=3", *arguments)
    assert "s  Say" in shown
    assert "rate = 3 x" in shown
    assert str(tmp_path / "run" / "record.json") in shown
    assert "s  Say" in log.read_text()


@pytest.mark.notebook
@pytest.mark.slow
def test_a_failed_run_says_why_in_the_log(
    write_notebook: WriteNotebook, invoke: Callable[..., str], tmp_path: Path
):
    path, log = write_notebook("1 / 0"), tmp_path / "run.log"
    with pytest.raises(CellFailedError):
        invoke("run", path, "--run-dir", tmp_path / "run", "--log", log)
    assert "FAILED  1 / 0" in log.read_text()
    assert "error: cell 3 (1 / 0) raised ZeroDivisionError" in log.read_text()


def test_a_folder_in_use_is_refused(
    write_notebook: WriteNotebook, invoke: Callable[..., str], tmp_path: Path
):
    acquire_lease(
        tmp_path / "run", notebook="n", profile="smoke", on_loss=lambda _: None
    )
    with pytest.raises(RunInProgressError):
        invoke("run", write_notebook(), "--run-dir", tmp_path / "run")
