"""kill -9 at random moments of a run, for ``benchmarks.runner``."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from cocodesign.runner import list_runs
from cocodesign.runner.lease import read_lease

_TARGETS = ("runner", "kernel", "runner+kernel", "runner+guard", "guard+kernel")
_LATEST_KILL_S = 5.0
_LOST_OUTPUT_S = 1.0
_LEFT_PROCESSES_S = 5.0
_SHOWN_AS_RUNNING_S = 10.0

# Children in the kernel's session, in their own, and one that forgets its parent.
_CHILDREN = """\
import multiprocessing, os, subprocess, time
def wait():
    os.setsid()
    time.sleep(600)
multiprocessing.get_context("fork").Process(target=wait, daemon=True).start()
_ = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
"""
# Every line goes to the notebook and, as evidence, to a file.
_CLOCK = """\
import os, time
evidence = os.open(os.path.join(run_dir, "evidence"), os.O_WRONLY | os.O_CREAT)
while True:
    line = f"{time.time()}\\n"
    os.write(evidence, line.encode())
    print(line, end="", flush=True)
    time.sleep(0.01)
"""


@dataclass(frozen=True)
class _Trial:
    """One run to be killed."""

    run_dir: Path
    target: str
    delay_s: float


def run_kill_trials(folder: Path, *, num_trials: int) -> dict[str, Any]:
    """Start runs, kill them, and look at what is left.

    Args:
        folder: Where to work.
        num_trials: Runs to kill.

    Returns:
        The numbers of trials and losses, and what each loss was.
    """
    path = _write_notebook(folder / "victim.ipynb")
    generator = random.Random(0)
    losses: list[str] = []
    for number in range(num_trials):
        trial = _Trial(
            run_dir=folder / f"killed-{number}" / "run",
            target=_TARGETS[number % len(_TARGETS)],
            delay_s=generator.uniform(0.3, _LATEST_KILL_S),
        )
        found = _kill_one(path, trial)
        losses += [f"{trial.target} after {trial.delay_s:.2f} s: {x}" for x in found]
        print(f"kill {number + 1}/{num_trials}: {trial.target}, {found or 'no loss'}")
    return {
        "kill_trials": num_trials,
        "kill_losses": len(losses),
        "kill_loss_details": losses,
    }


def _kill_one(path: Path, trial: _Trial) -> list[str]:
    command = [Path(sys.executable).with_name("cocodesign"), "run", path]
    runner = subprocess.Popen(
        [*command, "--run-dir", trial.run_dir],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(trial.delay_s)
    members = _members(trial.run_dir)
    victims = [runner.pid] if "runner" in trial.target else []
    for name, is_victim in (("kernel", _is_kernel), ("guard", _is_guard)):
        # The kernel's forks look like the kernel; one of two guards is killed.
        found = [pid for pid, line in members.items() if is_victim(line)]
        victims += found[:1] if name in trial.target else []
    killed = time.time()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    if not victims:  # there was no kernel yet
        runner.kill()
    losses: list[str] = []
    if not _becomes_true(lambda: not _members(trial.run_dir), _LEFT_PROCESSES_S):
        losses.append(f"{len(_members(trial.run_dir))} processes left")
    if not _becomes_true(lambda: not _is_shown_as_running(trial), _SHOWN_AS_RUNNING_S):
        losses.append("shown as running")
    runner.kill()
    runner.wait()
    return losses + _lost_output(trial.run_dir, killed)


def _lost_output(run_dir: Path, killed: float) -> list[str]:
    path = run_dir / "notebook.ipynb"
    if not path.exists():
        return []
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError) as error:
        return [f"invalid notebook: {error!r}"]
    evidence = run_dir / "evidence"
    if not evidence.exists():
        return []
    due = [
        line
        for line in evidence.read_text().split("\n")[:-1]
        if float(line) < killed - _LOST_OUTPUT_S
    ]
    saved = {
        line
        for cell in notebook.cells
        for output in cell.outputs
        for line in output.get("text", "").split("\n")
    }
    missing = [line for line in due if line not in saved]
    return [f"{len(missing)} lines missing"] if missing else []


def _members(run_dir: Path) -> dict[int, bytes]:
    """Return the command lines of the run's guard, kernel and their children."""
    lease = read_lease(run_dir)
    if lease is None:
        return {}
    marker = f"COCODESIGN_ATTEMPT={lease.attempt}".encode()
    found: dict[int, bytes] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return {pid: line for pid, line in sorted(found.items()) if line}


def _is_kernel(command_line: bytes) -> bool:
    return b"ipykernel_launcher" in command_line and b"guard.py" not in command_line


def _is_guard(command_line: bytes) -> bool:
    return b"guard.py" in command_line


def _is_shown_as_running(trial: _Trial) -> bool:
    return any(run.status == "running" for run in list_runs(trial.run_dir.parent))


def _becomes_true(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _write_notebook(path: Path) -> Path:
    cells = [
        new_code_cell(source)
        for source in ('seed = 0\nrun_dir = "runs/victim"', _CHILDREN, _CLOCK)
    ]
    cells[0].metadata.tags = ["parameters"]
    nbformat.write(new_notebook(cells=cells), path)
    return path
