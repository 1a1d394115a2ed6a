"""Running a sweep's points: one after the other here, or as one array on a cluster.

A point that fails does not stop the others; it is tried again when all have had their
turn, and goes on from its last checkpoint.
"""

import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cocodesign.clusters import Jobs, task_key
from cocodesign.errors import CocodesignError, RunStoppedError
from cocodesign.files import write_atomically
from cocodesign.runner import run_notebook
from cocodesign.sweeps.grid import value_text
from cocodesign.sweeps.sweep import Sweep, SweepPoint

Tell = Callable[[str], None]

_SUBMISSION_NAME = "submission.json"
_LOOK_S = 2.0


def run_here(sweep: Sweep, *, retries: int, tell: Tell) -> None:
    """Run the missing points in this process, each with all of the machine.

    Args:
        sweep: The sweep.
        retries: How often a failed point is tried again.
        tell: Gets a line for every point.

    Raises:
        RunStoppedError: If a signal asked to stop.
    """
    for _ in range(1 + retries):
        for point in sweep.missing():
            started = time.monotonic()
            try:
                run_notebook(
                    sweep.notebook,
                    run_dir=point.run_dir,
                    profile=sweep.profile,
                    parameters=point.overrides,
                    join=True,
                )
                outcome = "finished"
            except RunStoppedError:
                raise
            except CocodesignError as error:
                outcome = f"failed: {error}"
            tell(f"{point.name}: {outcome}, {time.monotonic() - started:.0f} s")


def run_on_cluster(sweep: Sweep, jobs: Jobs, *, retries: int, tell: Tell) -> None:
    """Submit the missing points as one array and wait for its end.

    If this process is interrupted, the array is cancelled. If it is killed, the array
    goes on, and the next call waits for it.

    Args:
        sweep: The sweep; its folder must be on a file system that all nodes share.
        jobs: Where to submit.
        retries: How often the failed points are submitted again, as an array of theirs.
        tell: Gets a line whenever the counts of points change.

    Raises:
        ClusterError: If the scheduler refuses.
    """
    path = sweep.folder / _SUBMISSION_NAME
    attempts_left = 1 + retries
    while attempts_left:
        if path.exists():  # of a call that was killed
            keys: list[str] = json.loads(path.read_text(encoding="utf-8"))
        else:
            missing = sweep.missing()
            if not missing:
                return
            attempts_left -= 1
            keys = _submit(sweep, missing, jobs)
            write_atomically(path, json.dumps(keys))
            tell(f"job {keys[0].partition('_')[0]}: {len(keys)} points as one array")
        try:
            _wait(keys, jobs, tell)
        except BaseException:
            jobs.cancel(keys)
            path.unlink()
            raise
        path.unlink()


def point_command(sweep: Sweep, point: SweepPoint, *, python: str) -> str:
    """Return the shell command that runs a point with some Python."""
    words = [python, "-m", "cocodesign.cli.main", "run", str(sweep.notebook)]
    words += ["--profile", sweep.profile, "--run-dir", str(point.run_dir), "--join"]
    for name, value in point.overrides.items():
        words += ["-p", f"{name}={value_text(value)}"]
    return shlex.join(words)


def _submit(sweep: Sweep, points: Sequence[SweepPoint], jobs: Jobs) -> list[str]:
    commands = _write_commands(sweep, points, jobs.python)
    number = jobs.submit(
        f'eval "$(sed -n "${{COCODESIGN_TASK}}p" {shlex.quote(str(commands))})"',
        name=sweep.notebook.stem,
        gpus=sweep.num_gpus,
        profile=sweep.profile,
        num_tasks=len(points),
    )
    return [task_key(number, task + 1, len(points)) for task in range(len(points))]


def _write_commands(sweep: Sweep, points: Sequence[SweepPoint], python: str) -> Path:
    """Write one command a line, so that a task finds its own by its number."""
    path = sweep.folder / "commands.sh"
    commands = (point_command(sweep, point, python=python) for point in points)
    write_atomically(path, "".join(f"{command}\n" for command in commands))
    return path


def _wait(keys: Sequence[str], jobs: Jobs, tell: Tell) -> None:
    shown = ""
    while True:
        statuses = [jobs.status(key) for key in keys]
        counts = (f"{statuses.count(each)} {each}" for each in sorted(set(statuses)))
        text = ", ".join(counts)
        if text != shown:
            tell(text)
            shown = text
        if "running" not in statuses:
            return
        time.sleep(_LOOK_S)
