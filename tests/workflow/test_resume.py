"""What ``cocodesign reproduce`` does a second time, and after it was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

PATIENCE_S = 60.0
REPRODUCE = [sys.executable, "-m", "cocodesign.cli.main", "reproduce"]

WORK = """
import time
from pathlib import Path
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
Path("started").touch()
while Path("wait").exists():
    time.sleep(0.1)
write_record(run_dir, notebook={name!r}, parameters={{"seed": seed}},
    metrics={{"one": Measurement((1.0,), "x")}}, tables={{}}, duration_s=0.0,
    provenance=Provenance("c", False, {{}}, "3", "L", "p", 1))
"""


@pytest.fixture
def small_clone(clone: Path) -> Path:
    """Return a clone with two quick notebooks, of which one imports ``project``."""
    for path in clone.glob("notebooks/*.ipynb"):
        path.unlink()
    save_notebook(clone, "11_first", "")
    save_notebook(clone, "12_second", "import cocodesign.project\n")
    return clone


def save_notebook(clone: Path, name: str, imports: str) -> None:
    parameters = new_code_cell("seed = 0\nrun_dir = ''")
    parameters.metadata["tags"] = ["parameters"]
    work = new_code_cell(imports + WORK.format(name=name))
    facts = {"part": "example", "datasets": []}
    nbformat.write(
        new_notebook(cells=[parameters, work], metadata={"cocodesign": facts}),
        clone / "notebooks" / f"{name}.ipynb",
    )


def reproduce(clone: Path, *options: str) -> str:
    answer = subprocess.run(
        [*REPRODUCE, "--profile", "smoke", *options],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def records(clone: Path) -> dict[str, int]:
    paths = clone.glob("runs/*/record.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.slow
@pytest.mark.notebook
def test_only_what_changed_runs_again(small_clone: Path) -> None:
    reproduce(small_clone)
    first = records(small_clone)
    assert first.keys() == {"11_first-smoke", "12_second-smoke"}
    for path in small_clone.rglob("*"):
        if path.suffix in (".py", ".ipynb"):
            path.touch()
    reproduce(small_clone)
    assert records(small_clone) == first
    module = small_clone / "cocodesign" / "project.py"
    module.write_text(module.read_text() + "\n# changed\n")
    reproduce(small_clone)
    second = records(small_clone)
    assert second["11_first-smoke"] == first["11_first-smoke"]
    assert second["12_second-smoke"] > first["12_second-smoke"]


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_no_process_and_the_next_call_goes_on(
    small_clone: Path, number: signal.Signals
) -> None:
    (small_clone / "notebooks" / "12_second.ipynb").unlink()
    wait = small_clone / "notebooks" / "wait"
    wait.touch()
    process = subprocess.Popen(
        [*REPRODUCE, "--profile", "smoke"],
        cwd=small_clone,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until((small_clone / "notebooks" / "started").exists)
    os.kill(process.pid, number)
    process.wait(PATIENCE_S)
    assert process.returncode != 0
    until(lambda: not processes_in(small_clone))
    assert records(small_clone) == {}
    wait.unlink()
    reproduce(small_clone)
    assert records(small_clone).keys() == {"11_first-smoke"}


@pytest.mark.slow
@pytest.mark.notebook
def test_two_calls_at_once_do_not_meet(small_clone: Path) -> None:
    wait = small_clone / "notebooks" / "wait"
    wait.touch()
    first = subprocess.Popen(
        [*REPRODUCE, "--profile", "smoke"], cwd=small_clone, stdout=subprocess.DEVNULL
    )
    until((small_clone / "notebooks" / "started").exists)
    second = subprocess.run(
        [*REPRODUCE, "--profile", "smoke"],
        cwd=small_clone,
        capture_output=True,
        text=True,
        check=False,
    )
    wait.unlink()
    assert second.returncode == 1
    assert "another cocodesign reproduce is at work" in second.stderr
    assert first.wait(PATIENCE_S) == 0
