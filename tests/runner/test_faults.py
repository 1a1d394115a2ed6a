"""Runs that somebody ends: signals and kill -9, on real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from cocodesign.runner import list_runs
from cocodesign.runner.lease import read_lease
from cocodesign.runner.processes import private_folder, remove_traces

WriteNotebook = Callable[..., Path]
LivingProcesses = Callable[[], set[int]]

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

CLOCK = """
import time
while True:
    print(time.time(), flush=True)
    time.sleep(0.02)
"""
CHILDREN = """
import multiprocessing, os, subprocess, time
def wait():
    os.setsid()
    time.sleep(600)
multiprocessing.get_context("fork").Process(target=wait, daemon=True).start()
subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
subprocess.Popen(["nohup", "sleep", "600"], stdout=-3, stderr=-3)
print("children", os.getpid())
"""
GIL_BOUND = """
import ctypes
ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the interpreter's lock
"""
DEAF = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


@dataclass
class Victim:
    """A run in a process of its own, and the processes that belong to it."""

    runner: subprocess.Popen[str]
    run_dir: Path

    @property
    def kernel(self) -> int:
        return min(self._find(b"ipykernel_launcher", but=b"guard.py"))

    @property
    def watch(self) -> int:
        return next(pid for pid in self._guards() if parent_of(pid) == self.runner.pid)

    @property
    def guard(self) -> int:
        return next(pid for pid in self._guards() if parent_of(pid) == self.watch)

    def _guards(self) -> list[int]:
        return self._find(b"guard.py", but=b"nothing")

    def _find(self, word: bytes, but: bytes) -> list[int]:
        found = []
        marker = f"COCODESIGN_ATTEMPT={read_lease(self.run_dir).attempt}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                marked = marker in (folder / "environ").read_bytes()
            except OSError:
                continue
            if marked and word in line and but not in line:
                found.append(int(folder.name))
        return found

    def executed(self) -> nbformat.NotebookNode:
        document = nbformat.read(self.run_dir / "notebook.ipynb", as_version=4)
        nbformat.validate(document)
        return document

    def texts(self) -> str:
        return "".join(
            output.get("text", "")
            for cell in self.executed().cells
            for output in cell.get("outputs", [])
        )

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while (
            not (self.run_dir / "notebook.ipynb").exists() or text not in self.texts()
        ):
            assert time.monotonic() < deadline, f"{text!r} was not printed"
            assert self.runner.poll() is None, self.runner.stderr.read()
            time.sleep(0.05)

    def status(self) -> str:
        [state] = list_runs(self.run_dir.parent)
        return state.status


@pytest.fixture
def start(
    tmp_path: Path, write_notebook: WriteNotebook
) -> Iterator[Callable[..., Victim]]:
    victims: list[Victim] = []

    def start_one(
        *sources: str, cgroup: Path | None = None, max_file_bytes: int | None = None
    ) -> Victim:
        run_dir = tmp_path / "runs" / "victim"
        path = write_notebook(*sources, record=False)
        program = (
            "from pathlib import Path\nimport sys\n"
            f"import resource\nlimit = {max_file_bytes}\n"
            "if limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
            "from cocodesign.cli.run import run\n"
            "import typer\napp = typer.Typer(pretty_exceptions_enable=False)\n"
            "app.command()(run)\napp()"
        )
        runner = subprocess.Popen(
            [sys.executable, "-c", program, str(path), "--run-dir", str(run_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if cgroup:  # its imports take much longer than this line
            (cgroup / "cgroup.procs").write_text(str(runner.pid))
        victims.append(Victim(runner, run_dir))
        return victims[-1]

    yield start_one
    for victim in victims:
        victim.runner.kill()
        victim.runner.communicate()
        if lease := read_lease(victim.run_dir):
            remove_traces(lease.attempt)


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """Yield a control group with 300 MB of memory; only root can make one."""
    version_1 = Path("/sys/fs/cgroup/memory")
    parent = version_1 if version_1.is_dir() else Path("/sys/fs/cgroup")
    limits = (
        ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        if version_1.is_dir()
        else ["memory.max", "memory.swap.max"]
    )
    cgroup = parent / f"cocodesign-test-{os.getpid()}"
    try:
        cgroup.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        if not (cgroup / limits[0]).exists():
            pytest.skip("no memory controller")
        (cgroup / limits[0]).write_text("300000000")
        if (cgroup / limits[1]).exists():
            (cgroup / limits[1]).write_text("300000000" if version_1.is_dir() else "0")
        yield cgroup
    finally:
        deadline = time.monotonic() + 5
        while (cgroup / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        cgroup.rmdir()


def all_gone(living_processes: LivingProcesses, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while living_processes():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def kill_and_note(*pids: int) -> float:
    now = time.time()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return now


def last_tick(victim: Victim) -> float:
    return float(victim.texts().split()[-1])


@pytest.mark.parametrize(
    "who",
    [
        *("runner", "kernel", "guard", "watch", "runner+kernel", "kernel+guard"),
        *("runner+guard", "runner+watch", "guard+watch", "runner+kernel+guard"),
    ],
)
def test_kill_9_leaves_a_valid_notebook_a_second_old_and_no_process(
    start: Callable[..., Victim], living_processes: LivingProcesses, who: str
):
    victim = start(CHILDREN, CLOCK)
    victim.wait_for(".")
    time.sleep(1.3)
    pids = {
        "runner": victim.runner.pid,
        "watch": victim.watch,
        "guard": victim.guard,
        "kernel": victim.kernel,
    }
    killed = kill_and_note(*(pids[name] for name in who.split("+")))
    victim.runner.wait(timeout=5)
    assert all_gone(living_processes)
    assert last_tick(victim) >= killed - 1.0
    assert victim.status() == ("dead" if "runner" in who else "failed")
    if "runner" not in who:
        message = victim.runner.communicate()[1]
        assert victim.runner.returncode == 1
        assert "the kernel was killed" in message
        assert victim.executed().metadata.cocodesign.status == "failed"


def test_a_kernel_inside_a_c_call_that_holds_the_gil_dies_with_the_runner(
    start: Callable[..., Victim], living_processes: LivingProcesses
):
    victim = start("print('next')", GIL_BOUND)
    victim.wait_for("next")
    time.sleep(0.5)
    kill_and_note(victim.runner.pid)
    victim.runner.wait()
    assert all_gone(living_processes)


def test_a_dead_run_s_folder_can_be_used_again_at_once(
    start: Callable[..., Victim], living_processes: LivingProcesses
):
    victim = start(CLOCK)
    victim.wait_for(".")
    sockets = private_folder(read_lease(victim.run_dir).attempt)
    kill_and_note(victim.watch, victim.guard, victim.runner.pid)
    victim.runner.wait()
    assert sockets.exists()  # nobody was left to remove it
    again = start("print('again')")
    assert "none wrote" in str(again.runner.communicate())  # it ran to its end
    assert again.texts() == "again\n"
    assert not sockets.exists()
    assert all_gone(living_processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_saves_and_ends_within_three_seconds(
    start: Callable[..., Victim], living_processes: LivingProcesses, number: int
):
    victim = start(CHILDREN, CLOCK)
    victim.wait_for(".")
    sent, sent_s = time.monotonic(), time.time()
    victim.runner.send_signal(number)
    _, message = victim.runner.communicate(timeout=10)
    assert time.monotonic() - sent < 3.5
    assert victim.runner.returncode == 128 + number
    assert f"{signal.Signals(number).name} stopped cell 4" in message
    assert victim.status() == "failed"
    assert last_tick(victim) >= sent_s - 0.3
    assert "KeyboardInterrupt" in json.dumps(victim.executed())
    assert all_gone(living_processes, within_s=0.5)


def test_a_second_signal_does_not_wait_for_a_deaf_cell(
    start: Callable[..., Victim], living_processes: LivingProcesses
):
    victim = start(DEAF + CLOCK)
    victim.wait_for(".")
    sent = time.monotonic()
    victim.runner.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    victim.runner.send_signal(signal.SIGTERM)
    victim.runner.communicate(timeout=10)
    assert time.monotonic() - sent < 1.5
    assert victim.runner.returncode == 143
    assert all_gone(living_processes, within_s=0.5)


def test_a_signal_to_all_processes_at_once_counts_as_stopped(
    start: Callable[..., Victim],
):
    victim = start(CLOCK)
    victim.wait_for(".")
    pids = (victim.kernel, victim.guard, victim.watch, victim.runner.pid)
    for pid in pids:  # as a scheduler does
        os.kill(pid, signal.SIGTERM)
    victim.runner.communicate(timeout=10)
    assert victim.runner.returncode == 143


def test_a_living_run_s_folder_is_refused(start: Callable[..., Victim]):
    victim = start(CLOCK)
    victim.wait_for(".")
    second = start(CLOCK)
    assert second.runner.wait(timeout=20) == 1
    assert f"process {victim.runner.pid}" in second.runner.communicate()[1]
    assert victim.status() == "running"
    assert victim.runner.poll() is None


def test_a_kernel_out_of_memory_ends_the_run_at_once_with_that_reason(
    start: Callable[..., Victim], small_cgroup: Path, living_processes: LivingProcesses
):
    victim = start(
        "print('begun')",
        "# Fill\nx = [bytearray(10**7) for _ in range(1000)]",
        cgroup=small_cgroup,
    )
    _, message = victim.runner.communicate(timeout=30)
    assert "killed by the system's out-of-memory killer during cell 4 (Fill)" in message
    assert victim.runner.returncode == 1
    assert victim.texts() == "begun\n"
    assert all_gone(living_processes)


def test_a_notebook_that_cannot_be_saved_ends_the_run_with_that_reason(
    start: Callable[..., Victim], living_processes: LivingProcesses
):
    victim = start(
        "print('begun')\nimport time\ntime.sleep(1)",
        "print('x' * 2_000_000)\nimport time\ntime.sleep(60)",
        max_file_bytes=1_000_000,
    )
    _, message = victim.runner.communicate(timeout=30)
    assert "RunError: the run in" in message
    assert "File too large" in message
    assert victim.texts() == "begun\n"  # the last save that succeeded
    assert victim.status() == "failed"
    assert all_gone(living_processes)
