"""Ranks on this machine, started from a notebook or a program.

They run under ``torchrun``, torch's elastic launcher, as on a cluster: a process of its
own, so that its signal handlers do not become those of the notebook's kernel.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cocodesign.errors import RankFailedError

_POLL_S = 0.1
_PATIENCE_S = 5.0  # for torchrun to end its ranks before it is killed

_ROOT_CAUSE = re.compile(
    r"Root Cause.*?rank\s*:\s*(?P<rank>\d+).*?exitcode\s*:\s*(?P<status>-?\d+)",
    re.DOTALL,
)

Report = Callable[[int, str], None]  # rank, a line that it printed


def launch_ranks(
    arguments: Sequence[str],
    *,
    world_size: int,
    limit_s: float,
    log_dir: Path,
    report: Report | None = None,
) -> None:
    """Run a program as several processes of this machine, and wait for them.

    The first rank that fails ends the others. Standard output and error of every rank
    are in ``log_dir``, one folder per rank.

    Args:
        arguments: What Python would be given: a script, or ``-m`` and a module, and its
            arguments. The program calls ``join_ranks``.
        world_size: The number of processes, at least 1.
        limit_s: After this many seconds all are ended.
        log_dir: A folder for the logs, made if missing.
        report: Called with every line that a rank prints, while it runs.

    Raises:
        ValueError: If the number of processes or the limit is not positive.
        RankFailedError: If a rank failed or the limit passed; it names the rank, the
            cause and the folder of the logs.
    """
    if world_size < 1 or not limit_s > 0:
        raise ValueError(
            "world_size must be at least 1 and limit_s positive, got "
            f"{world_size} and {limit_s}"
        )
    log_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run"]
    command += ["--nproc-per-node", str(world_size), "--max-restarts", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    command += ["--log-dir", str(log_dir), "--redirects", "3", *arguments]
    with (log_dir / "torchrun.log").open("wb") as own_log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=own_log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    follower = _Follower(log_dir, report or _ignore)
    deadline = time.monotonic() + limit_s
    try:
        while process.poll() is None and time.monotonic() < deadline:
            follower.read()
            time.sleep(_POLL_S)
    finally:
        in_time = process.poll() is not None
        if not in_time:
            _end(process)
    follower.read()
    if not in_time:
        raise RankFailedError(
            f"the {world_size} ranks did not end within {limit_s:g} s; "
            f"{follower.last_lines()}logs: {log_dir}"
        )
    if process.returncode:
        raise RankFailedError(f"{_cause(log_dir)}; logs: {log_dir}")


class _Follower:
    """Reads what the ranks print, as it comes."""

    def __init__(self, log_dir: Path, report: Report) -> None:
        self._log_dir = log_dir
        self._report = report
        self._positions: dict[Path, int] = {}
        self._last: dict[int, str] = {}

    def read(self) -> None:
        for path in sorted(self._log_dir.glob("*/attempt_0/*/std*.log")):
            start = self._positions.get(path, 0)
            with path.open("rb") as stream:
                stream.seek(start)
                new = stream.read()
            complete = new.rpartition(b"\n")[0]
            if complete:
                self._positions[path] = start + len(complete) + 1
                for line in complete.decode(errors="replace").splitlines():
                    self._last[int(path.parent.name)] = line
                    self._report(int(path.parent.name), line)

    def last_lines(self) -> str:
        """Return what each rank said last."""
        return "".join(
            f"rank {rank} last said {line!r}; "
            for rank, line in sorted(self._last.items())
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Have torchrun end its ranks; if it does not, they end as it is killed."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cause(log_dir: Path) -> str:
    """Say which rank failed first, and why, from what torchrun has left."""
    log = (log_dir / "torchrun.log").read_text(encoding="utf-8", errors="replace")
    found = _ROOT_CAUSE.search(log)
    if found is None:
        return f"torchrun failed: {''.join(log.strip().splitlines()[-1:])}"
    rank, status = int(found["rank"]), int(found["status"])
    for path in log_dir.glob(f"*/attempt_0/{rank}/error.json"):
        message = json.loads(path.read_text(encoding="utf-8"))["message"]
        text = message if isinstance(message, str) else message["message"]
        return f"rank {rank} failed: {text}"
    if status < 0:
        return f"rank {rank} was killed by {signal.Signals(-status).name}"
    return f"rank {rank} ended with status {status}"


def _ignore(_rank: int, _line: str) -> None:
    pass
