"""kill -9 inside a real Slurm, and what Slurm costs, for ``benchmarks.runner``."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.local_slurm import Daemon, LocalSlurm, local_slurm, why_not_here
from cocodesign.clusters import Jobs, read_cluster, workflow_jobs
from cocodesign.project import find_project
from cocodesign.runner import list_runs

_TARGETS = ("runner", "kernel", "slurmstepd", "slurmd", "slurmctld")
_DAEMONS: tuple[Daemon, ...] = ("slurmctld", "slurmd")
_LATEST_KILL_S = 8.0
_DAEMON_AWAY_S = 1.0
_MOST_SUBMISSIONS = 5
_TRIAL_S = 180.0
_LEFT_PROCESSES_S = 5.0
_UNNOTICED_S = 10.0  # Slurm takes minutes to miss a killed step
_OVERHEAD_JOBS = 4
_OVERHEAD_WORK_S = 2.0

# A training in miniature: it saves its state after every step and goes on from it.
_CHAIN = """\
import hashlib, time
from pathlib import Path
from cocodesign.files import write_atomically
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
checkpoint = Path(run_dir) / "checkpoints" / "chain"
steps, state = 0, "start"
if checkpoint.exists():
    first, state = checkpoint.read_text().split()
    steps = int(first)
while steps < 40:
    state = hashlib.sha256(f"{seed} {state}".encode()).hexdigest()
    steps += 1
    write_atomically(checkpoint, f"{steps} {state}")
    time.sleep(0.1)
_ = write_record(run_dir, notebook="chain", parameters={"seed": seed},
    metrics={"state": Measurement((float(int(state[:12], 16)),), "")}, tables={},
    provenance=Provenance("c", False, {}, "3", "L", "p", 1), duration_s=0.0)
"""
_WORK = f"""\
import time
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
time.sleep({_OVERHEAD_WORK_S})
_ = write_record(run_dir, notebook=name, parameters={{"seed": seed}},
    metrics={{"one": Measurement((1.0,), "")}}, tables={{}},
    provenance=Provenance("c", False, {{}}, "3", "L", "p", 1), duration_s=0.0)
"""


@dataclass(frozen=True)
class _Site:
    """A clone, and the Slurm that runs its jobs."""

    root: Path
    slurm: LocalSlurm

    @property
    def jobs(self) -> Jobs:
        """How to submit jobs."""
        cluster = read_cluster(self.root / "workflow" / "profiles" / "slurm")
        assert cluster is not None
        return workflow_jobs(cluster, self.root)


def run_slurm_trials(folder: Path, *, num_trials: int) -> dict[str, Any]:
    """Kill parts of jobs and of Slurm at random moments, and look at what comes out.

    A job that has failed is submitted again, as Snakemake does. A loss is a run that
    gets no record, one whose record differs from an undisturbed run's, a record that
    is written again after its job has succeeded, or a process left after 5 s.

    Args:
        folder: Where to work.
        num_trials: Jobs to disturb.

    Returns:
        The numbers of trials and losses with what each was; ``None`` for both, with
        the reason, where no Slurm can run.
    """
    reason = why_not_here()
    if reason:
        return {
            "slurm_kill_trials": None,
            "slurm_kill_losses": None,
            "slurm_reason": reason,
        }
    losses: list[str] = []
    generator = random.Random(0)
    with _site(folder) as site:
        _write_notebook(site.root, "chain", _CHAIN)
        undisturbed = _record(site, _finish(site, "undisturbed"))
        for number in range(num_trials):
            target = _TARGETS[number % len(_TARGETS)]
            delay_s = generator.uniform(0.0, _LATEST_KILL_S)
            found = _disturb(site, f"run-{number}", target, delay_s, undisturbed)
            losses += [f"{target} after {delay_s:.2f} s: {each}" for each in found]
            text = f"Slurm {number + 1}/{num_trials}: {target}, {found or 'no loss'}"
            print(text, flush=True)
    return {
        "slurm_kill_trials": num_trials,
        "slurm_kill_losses": len(losses),
        "slurm_kill_loss_details": losses,
    }


def measure_slurm_overhead(folder: Path) -> dict[str, Any]:
    """Time ``cocodesign reproduce`` with Slurm and without, one notebook at a time.

    Args:
        folder: Where to work.

    Returns:
        The seconds that Slurm adds to a job: its queue, a second Snakemake on the
        node, the wait for the next look at its state.
    """
    reason = why_not_here()
    if reason:
        return {"slurm_added_s": None, "slurm_added_reason": reason}
    seconds: dict[str, float] = {}
    with _site(folder) as site:
        for number in range(_OVERHEAD_JOBS):
            name = f"{10 + number}_work"
            _write_notebook(site.root, name, f"name = {name!r}\n{_WORK}")
        profile = site.root / "workflow" / "profiles" / "slurm" / "config.yaml"
        text = profile.read_text().replace("jobs: 50", "jobs: 1")
        profile.write_text(text)
        command = [sys.executable, "-m", "cocodesign.cli.main", "reproduce"]
        for cluster in ("laptop", "slurm"):
            shutil.rmtree(site.root / "runs", ignore_errors=True)
            start = time.perf_counter()
            subprocess.run(
                [*command, "--profile", "smoke", "--cluster", cluster],
                cwd=site.root,
                check=True,
                capture_output=True,
            )
            seconds[cluster] = time.perf_counter() - start
    added_s = (seconds["slurm"] - seconds["laptop"]) / _OVERHEAD_JOBS
    return {
        "slurm_added_s": round(added_s, 2),
        "slurm_added_timings": {
            **{name: round(value, 2) for name, value in seconds.items()},
            "jobs": _OVERHEAD_JOBS,
        },
    }


@contextmanager
def _site(folder: Path) -> Iterator[_Site]:
    """Copy what jobs need of the clone, and run Slurm."""
    project, root = find_project(Path(__file__).parent), folder / "clone"
    ignored = shutil.ignore_patterns("__pycache__", ".snakemake")
    for name in ("cocodesign", "workflow"):
        shutil.copytree(project.root / name, root / name, ignore=ignored)
    shutil.copy(project.root / "pyproject.toml", root)
    for name in ("notebooks", "paper_figures"):
        (root / name).mkdir()
    try:
        with local_slurm(folder / "slurm") as slurm:
            yield _Site(root, slurm)
    finally:
        shutil.rmtree(folder / "slurm")
        shutil.rmtree(root)


def _disturb(
    site: _Site, run: str, target: str, delay_s: float, undisturbed: bytes
) -> list[str]:
    """Run the chain, kill something on the way, and name the losses."""
    key = _submit(site, run)
    time.sleep(delay_s)
    if target in _DAEMONS:
        _restart(site, target)
    else:
        for pid in _victims(site, run, target):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    try:
        run_dir = _finish(site, run, key)
    except TimeoutError as error:
        return [str(error)]
    losses = [] if _record(site, run_dir) == undisturbed else ["another result"]
    path = run_dir / "record.json"
    committed = path.stat().st_mtime_ns
    site.slurm.recover()  # Slurm may hold the job, to start it once more
    if not _becomes_true(lambda: not _active(site), _UNNOTICED_S):
        site.slurm.call("scancel", *_active(site))  # its step was killed
    if not _becomes_true(lambda: not _working_in(site.root), _LEFT_PROCESSES_S):
        losses.append(f"{len(_working_in(site.root))} processes left")
    if path.stat().st_mtime_ns != committed:
        losses.append("committed twice")
    return losses


def _restart(site: _Site, daemon: Daemon) -> None:
    site.slurm.kill(daemon)
    time.sleep(_DAEMON_AWAY_S)
    site.slurm.start(daemon)
    site.slurm.recover()


def _submit(site: _Site, run: str) -> str:
    words = [sys.executable, "-m", "cocodesign.cli.main", "run"]
    words += ["notebooks/chain.ipynb", "--join", "--run-dir", f"runs/{run}"]
    return site.jobs.submit(" ".join(words), name=run, gpus=1, profile="smoke")


def _finish(site: _Site, run: str, key: str | None = None) -> Path:
    """Wait for a job, submitting it again if it fails; return its run folder."""
    deadline = time.monotonic() + _TRIAL_S
    for _ in range(_MOST_SUBMISSIONS):
        key = key or _submit(site, run)
        while (status := site.jobs.status(key)) == "running":
            if time.monotonic() > deadline:
                raise TimeoutError(f"no result after {_TRIAL_S:.0f} s")
            time.sleep(0.2)
        if status == "success":
            return site.root / "runs" / run
        key = None
    raise TimeoutError(f"no result after {_MOST_SUBMISSIONS} submissions")


def _record(site: _Site, run_dir: Path) -> bytes:
    """Return the bytes of what a run found, without its name and its clock."""
    nbformat.validate(nbformat.read(run_dir / "notebook.ipynb", as_version=4))
    states = {each.run_dir: each.status for each in list_runs(site.root / "runs")}
    assert states[run_dir] == "finished", states[run_dir]
    fields = json.loads((run_dir / "record.json").read_text())
    return json.dumps({**fields, "run_id": "", "finished": ""}).encode()


def _victims(site: _Site, run: str, target: str) -> list[int]:
    """Return the processes of a run that bear a name, its leaf first."""
    word = {"kernel": "ipykernel_launcher", "runner": f"runs/{run}"}.get(target, target)
    found = _working_in(site.root) if target != "slurmstepd" else _commands()
    return [
        pid
        for pid, line in found.items()
        if word in line and "guard.py" not in line and "/bin/sh" not in line
    ]


def _active(site: _Site) -> list[str]:
    states = site.slurm.job_states().items()
    return [job for job, state in states if state in ("RUNNING", "PENDING")]


def _working_in(folder: Path) -> dict[int, str]:
    """Return the command lines of the processes that work in a folder."""
    found = {}
    for pid, line in _commands().items():
        with suppress(OSError):
            if Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder):
                found[pid] = line
    return found


def _commands() -> dict[int, str]:
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if line:
                found[int(path.name)] = line
    return found


def _becomes_true(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _write_notebook(root: Path, name: str, work: str) -> None:
    parameters = new_code_cell("seed = 0\nrun_dir = ''")
    parameters.metadata.tags = ["parameters"]
    facts = {"part": "benchmark", "datasets": []}
    nbformat.write(
        new_notebook(
            cells=[parameters, new_code_cell(work)], metadata={"cocodesign": facts}
        ),
        root / "notebooks" / f"{name}.ipynb",
    )
