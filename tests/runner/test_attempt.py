"""Runs that end by themselves: in this process, on real kernels."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from cocodesign.errors import (
    CellFailedError,
    InvalidParameterError,
    KernelDiedError,
    NotebookError,
    RecordMissingError,
    RunTimeoutError,
    UnknownParameterError,
)
from cocodesign.runner import Progress, list_runs, run_notebook

WriteNotebook = Callable[..., Path]
ReadOutputs = Callable[[Path], str]
LivingProcesses = Callable[[], set[int]]

pytestmark = [pytest.mark.notebook, pytest.mark.slow]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def test_a_run_writes_record_context_copy_and_outcome(
    write_notebook: WriteNotebook,
    read_outputs: ReadOutputs,
    living_processes: LivingProcesses,
    run_dir: Path,
):
    path = write_notebook("import os\nprint(rate, os.getcwd(), run_dir)\nlimit")
    before = path.read_bytes()
    progress: list[Progress] = []
    record = run_notebook(
        path, run_dir=run_dir, parameters={"rate": 2}, report=progress.append
    )
    assert record.profile == "custom"
    assert record.metrics["rate"].values == (2.0,)
    assert f"2.0 {path.parent} {run_dir}" in read_outputs(run_dir)
    context = json.loads((run_dir / "run.json").read_text())
    assert context["parameters"]["run_dir"] == str(run_dir)
    assert context["parameters"]["rate"] == 2.0
    [state] = list_runs(run_dir.parent)
    assert (state.status, state.notebook) == ("finished", "example")
    assert path.read_bytes() == before
    assert living_processes() == set()
    ended = [(p.cell, p.num_cells) for p in progress if p.state == "finished"]
    assert ended == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not list(run_dir.glob("kernel.log"))
    executed = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    assert executed.metadata.cocodesign.status == "finished"
    assert executed.metadata.papermill.parameters.rate == 2.0


def test_a_profile_s_values_reach_the_cells_and_keep_its_name(
    write_notebook: WriteNotebook, run_dir: Path
):
    path = write_notebook()
    folder = path.parent / "parameters"
    folder.mkdir()
    (folder / "example.laptop.yaml").write_text("rate: 1e-4\n")
    record = run_notebook(
        path, run_dir=run_dir, profile="laptop", parameters={"rate": 1e-4}
    )
    assert record.profile == "laptop"  # an override with the same value is no change
    assert record.metrics["rate"].values == (1e-4,)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"rat": 0.1}, UnknownParameterError),
        ({"rate": "0.1"}, InvalidParameterError),
        ({"run_dir": "/elsewhere"}, InvalidParameterError),
    ],
)
def test_a_refused_parameter_starts_nothing(
    write_notebook: WriteNotebook,
    run_dir: Path,
    parameters: dict[str, object],
    error: type[Exception],
):
    with pytest.raises(error):
        run_notebook(write_notebook(), run_dir=run_dir, parameters=parameters)
    assert not run_dir.exists()


def test_a_notebook_without_parameters_starts_nothing(
    write_notebook: WriteNotebook, run_dir: Path
):
    with pytest.raises(NotebookError):
        run_notebook(write_notebook(parameters=None), run_dir=run_dir)
    assert not run_dir.exists()


def test_a_limit_that_is_not_positive_is_refused(
    write_notebook: WriteNotebook, run_dir: Path
):
    for limit_s in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="must be positive"):
            run_notebook(write_notebook(), run_dir=run_dir, cell_timeout_s=limit_s)


def test_a_failing_cell_names_itself_and_keeps_the_copy(
    write_notebook: WriteNotebook, read_outputs: ReadOutputs, run_dir: Path
):
    run_notebook(write_notebook(), run_dir=run_dir)
    path = write_notebook("print('before')", "# Divide\n1 / 0", "print('after')")
    with pytest.raises(
        CellFailedError, match=r"cell 4 \(Divide\) raised ZeroDivisionError: division"
    ) as caught:
        run_notebook(path, run_dir=run_dir)
    assert str(run_dir / "notebook.ipynb") in str(caught.value)
    shown = read_outputs(run_dir)
    assert "before" in shown
    assert "division by zero" in shown
    assert "after" not in shown
    assert not (run_dir / "record.json").exists()  # the first run's is gone
    [state] = list_runs(run_dir.parent)
    assert state.status == "failed"
    assert "ZeroDivisionError" in state.message


def test_a_cell_tagged_raises_exception_may_raise(
    write_notebook: WriteNotebook, run_dir: Path
):
    path = write_notebook("1 / 0")
    document = nbformat.read(path, as_version=4)
    document.cells[1].metadata.tags = ["raises-exception"]
    nbformat.write(document, path)
    run_notebook(path, run_dir=run_dir)


def test_a_run_without_a_record_fails(write_notebook: WriteNotebook, run_dir: Path):
    with pytest.raises(RecordMissingError, match="write_record"):
        run_notebook(write_notebook("1", record=False), run_dir=run_dir)


def test_a_cell_over_its_limit_is_interrupted_and_kept(
    write_notebook: WriteNotebook, read_outputs: ReadOutputs, run_dir: Path
):
    path = write_notebook("# Wait\nprint('begun')\nimport time\ntime.sleep(60)")
    with pytest.raises(
        RunTimeoutError, match=r"cell 3 \(Wait\) passed its limit of 1 s"
    ):
        run_notebook(path, run_dir=run_dir, cell_timeout_s=1.0)
    assert "begun" in read_outputs(run_dir)
    assert "KeyboardInterrupt" in json.dumps(
        nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    )


def test_a_cell_that_ignores_interrupts_is_killed_at_the_total_limit(
    write_notebook: WriteNotebook,
    living_processes: LivingProcesses,
    read_outputs: ReadOutputs,
    run_dir: Path,
):
    path = write_notebook(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('deaf')\ntime.sleep(60)"
    )
    with pytest.raises(
        RunTimeoutError, match="the notebook passed its limit of 2 s during"
    ):
        run_notebook(path, run_dir=run_dir, total_timeout_s=2.0)
    assert "deaf" in read_outputs(run_dir)
    assert living_processes() == set()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "killed by SIGKILL",
        ),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os._exit(3)", "exited with status 3"),
    ],
)
def test_a_dying_kernel_ends_the_run_at_once_with_the_reason(
    write_notebook: WriteNotebook,
    read_outputs: ReadOutputs,
    living_processes: LivingProcesses,
    run_dir: Path,
    source: str,
    reason: str,
):
    path = write_notebook(
        "import subprocess\n"
        "subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print('first', flush=True)",
        "# Die\nprint('second', flush=True)\nimport time; time.sleep(0.1)\n" + source,
    )
    with pytest.raises(KernelDiedError, match=rf"{reason} during cell 4 \(Die\)"):
        run_notebook(path, run_dir=run_dir)
    shown = read_outputs(run_dir)
    assert "first" in shown
    assert "second" in shown
    assert living_processes() == set()


def test_thousands_of_messages_and_a_hundred_megabytes_do_not_break_a_run(
    write_notebook: WriteNotebook, read_outputs: ReadOutputs, run_dir: Path
):
    path = write_notebook(
        "import sys\n"
        "for i in range(50_000):\n"
        "    sys.stdout.write(f'{i}\\n')\n"
        "    if i % 10 == 0: sys.stdout.flush()\n",
        "for i in range(100):\n    print('x' * 1_000_000)",
        "print('the end')",
    )
    run_notebook(path, run_dir=run_dir)
    document = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    assert document.cells[2].outputs[0].text == "".join(f"{i}\n" for i in range(50_000))
    assert "passed 10,000,000 bytes" in document.cells[3].outputs[-1].text
    assert (run_dir / "notebook.ipynb").stat().st_size < 20_000_000
    assert "the end" in read_outputs(run_dir)


def test_widgets_and_live_displays_show_their_last_state(
    write_notebook: WriteNotebook, run_dir: Path
):
    path = write_notebook(
        "import ipywidgets\n"
        "slider = ipywidgets.IntSlider(3)\n"
        "out = ipywidgets.Output()\n"
        "display(slider, out)\n"
        "slider.value = 7\n"
        "with out: print('inside')",
        "handle = display('old', display_id=True)\nhandle.update('new')",
        "from IPython.display import clear_output\n"
        "print('gone')\nclear_output(wait=True)\nprint('stays')",
    )
    run_notebook(path, run_dir=run_dir)
    document = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    widgets = document.metadata.widgets["application/vnd.jupyter.widget-state+json"]
    states = [each.state for each in widgets.state.values()]
    assert 7 in [state.get("value") for state in states]
    assert "inside" in json.dumps(states)
    assert document.cells[3].outputs[0].data["text/plain"] == "'new'"
    assert [output.text for output in document.cells[4].outputs] == ["stays\n"]


def test_a_cell_that_asks_the_user_fails_instead_of_waiting(
    write_notebook: WriteNotebook, run_dir: Path
):
    with pytest.raises(CellFailedError, match="StdinNotImplementedError"):
        run_notebook(write_notebook("input('name?')"), run_dir=run_dir)


def test_a_user_s_start_up_files_do_not_change_a_run(
    write_notebook: WriteNotebook,
    run_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("leaked = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with pytest.raises(CellFailedError, match="'leaked' is not defined"):
        run_notebook(write_notebook("leaked"), run_dir=run_dir)


def test_a_kernel_that_cannot_start_ends_the_run_with_its_last_words(
    write_notebook: WriteNotebook, run_dir: Path
):
    path = write_notebook("1")
    (path.parent / "ipykernel_launcher.py").write_text("raise SystemExit('no luck')")
    with pytest.raises(KernelDiedError, match="status 1 during the start") as caught:
        run_notebook(path, run_dir=run_dir)
    assert str(run_dir / "kernel.log") in str(caught.value)
    assert "no luck" in (run_dir / "kernel.log").read_text()
    executed = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    assert executed.cells[-1].metadata.papermill.status == "pending"


def test_it_also_runs_inside_a_running_event_loop(
    write_notebook: WriteNotebook, run_dir: Path
):
    async def from_a_notebook() -> str:
        return run_notebook(write_notebook(), run_dir=run_dir).notebook

    assert asyncio.run(from_a_notebook()) == "example"


def test_other_users_cannot_open_the_kernel_s_sockets(
    write_notebook: WriteNotebook, read_outputs: ReadOutputs, run_dir: Path
):
    path = write_notebook(
        "import os\n"
        "from ipykernel import get_connection_file\n"
        "folder = os.path.dirname(get_connection_file())\n"
        "print(folder, oct(os.stat(folder).st_mode & 0o777))\n"
    )
    run_notebook(path, run_dir=run_dir)
    shown = read_outputs(run_dir)
    assert "0o700" in shown
    assert not Path(shown.split()[0]).exists()
