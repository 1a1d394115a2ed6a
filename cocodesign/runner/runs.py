"""The runs of a folder and what became of them."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cocodesign.errors import RecordError
from cocodesign.runner.lease import LeaseState, read_lease

RunStatus = Literal["running", "finished", "failed", "dead"]


@dataclass(frozen=True)
class RunState:
    """One run folder.

    Attributes:
        run_dir: The folder.
        notebook: The notebook's name without folder and suffix.
        profile: The profile of the run.
        status: ``dead`` is a run whose process vanished without a word.
        started: Start of the last attempt, seconds since the epoch.
        heartbeat_age_s: Seconds since the last sign of life.
        host: Where it ran.
        pid: Its process there.
        message: The error of a failed run, else empty.
    """

    run_dir: Path
    notebook: str
    profile: str
    status: RunStatus
    started: float
    heartbeat_age_s: float
    host: str
    pid: int
    message: str


def list_runs(runs_dir: Path) -> list[RunState]:
    """Look at every run folder in a folder.

    A run that was killed shows as ``dead`` at once on the machine where it ran, and
    from another one 8 s after its last sign of life.

    Args:
        runs_dir: The folder that holds the run folders; it may be missing.

    Returns:
        The runs, oldest first; folders without a lease are left out.
    """
    states = [
        _run_state(folder, lease)
        for folder in runs_dir.glob("*")
        if (lease := _readable_lease(folder)) is not None
    ]
    return sorted(states, key=lambda state: (state.started, state.run_dir))


def _readable_lease(folder: Path) -> LeaseState | None:
    try:
        return read_lease(folder)
    except RecordError:  # damaged: nobody holds it, and it tells nothing
        return None


def _run_state(run_dir: Path, lease: LeaseState) -> RunState:
    status: RunStatus = lease.outcome or ("running" if lease.is_alive() else "dead")
    return RunState(
        run_dir=run_dir,
        notebook=lease.notebook,
        profile=lease.profile,
        status=status,
        started=lease.started,
        heartbeat_age_s=max(0.0, time.time() - lease.heartbeat),
        host=lease.host,
        pid=lease.pid,
        message=lease.message,
    )
