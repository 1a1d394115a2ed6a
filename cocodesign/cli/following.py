"""Lines about runs that happen on other machines: begun, finished, failed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cocodesign.runner import RunState

_LOOK_S = 2.0


@contextmanager
def following(runs: Path, suffix: str) -> Iterator[None]:
    """Print a line whenever a run begins or ends, while the block lasts.

    Args:
        runs: The folder of the run folders.
        suffix: Only those whose names end so.

    Yields:
        Nothing.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(runs, suffix, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(runs: Path, suffix: str, ended: threading.Event) -> None:
    from cocodesign.runner import list_runs

    def look() -> "dict[Path, RunState]":
        found = list_runs(runs)
        return {run.run_dir: run for run in found if run.run_dir.name.endswith(suffix)}

    known = {path: (run.started, run.status) for path, run in look().items()}
    is_last = False
    while not is_last:
        is_last = ended.wait(_LOOK_S)  # one more look after the end
        for path, run in look().items():
            state = (run.started, run.status)
            if known.get(path) != state:
                known[path] = state
                typer.echo(_line(run))


def _line(run: "RunState") -> str:
    if run.status == "running":
        return f"{run.notebook}: running on {run.host}"
    seconds = time.time() - run.heartbeat_age_s - run.started
    reason = f": {run.message.partition(chr(10))[0]}" if run.message else ""
    return f"{run.notebook}: {run.status} after {seconds:.0f} s{reason}"
