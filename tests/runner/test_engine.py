"""The engine under plain papermill."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import papermill
import pytest

from cocodesign.errors import RunTimeoutError

WriteNotebook = Callable[..., Path]
LivingProcesses = Callable[[], set[int]]

pytestmark = [pytest.mark.notebook, pytest.mark.slow]


def test_papermill_finds_the_engine_by_its_name(
    write_notebook: WriteNotebook, tmp_path: Path
):
    path, out = write_notebook("print(rate)", record=False), tmp_path / "out.ipynb"
    subprocess.run(
        [
            *(sys.executable, "-m", "papermill", "--engine", "cocodesign"),
            *("-p", "rate", "0.5", str(path), str(out)),
        ],
        check=True,
        capture_output=True,
    )
    executed = nbformat.read(out, as_version=4)
    assert executed.cells[2].outputs[0].text == "0.5\n"
    assert executed.cells[2].metadata.papermill.status == "completed"


def test_an_output_is_saved_while_a_cell_runs_in_another_working_folder(
    write_notebook: WriteNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    look = (
        "import time; print('now'); time.sleep(1.2)\n"
        f"print(open({str(tmp_path / 'out.ipynb')!r}).read())"
    )
    path = write_notebook(look, "import os; print(os.getcwd())", record=False)
    monkeypatch.chdir(tmp_path)
    papermill.execute_notebook(
        path,
        "out.ipynb",
        engine_name="cocodesign",
        progress_bar=False,
        cwd=tmp_path / "elsewhere",
    )
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert '"text": "now' in executed.cells[1].outputs[0].text
    assert executed.cells[2].outputs[0].text == f"{tmp_path / 'elsewhere'}\n"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_papermill_reports_a_failing_cell_itself(
    write_notebook: WriteNotebook, tmp_path: Path
):
    path, out = write_notebook("1 / 0", "2", record=False), tmp_path / "out.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        papermill.execute_notebook(
            path, out, engine_name="cocodesign", progress_bar=False
        )
    states = [
        cell.metadata.papermill.status
        for cell in nbformat.read(out, as_version=4).cells
        if cell.cell_type == "code"
    ]
    assert states == ["completed", "failed", "pending"]


def test_papermill_s_time_limit_ends_the_cell_and_its_processes(
    write_notebook: WriteNotebook, tmp_path: Path, living_processes: LivingProcesses
):
    path = write_notebook("import time; print(1); time.sleep(60)", record=False)
    out = tmp_path / "out.ipynb"
    with pytest.raises(RunTimeoutError, match="passed its limit of 1 s"):
        papermill.execute_notebook(
            path,
            out,
            engine_name="cocodesign",
            progress_bar=False,
            execution_timeout=1,
        )
    assert nbformat.read(out, as_version=4).cells[1].outputs[0].text == "1\n"
    assert living_processes() == set()


def test_options_that_the_engine_does_not_support_are_refused(
    write_notebook: WriteNotebook, tmp_path: Path
):
    with pytest.raises(ValueError, match="drop --log-output"):
        papermill.execute_notebook(
            write_notebook(),
            tmp_path / "out.ipynb",
            engine_name="cocodesign",
            progress_bar=False,
            log_output=True,
        )
