"""Running the package managers: without input, with a time limit, leaving nothing."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cocodesign.errors import DataUnavailableError

_MESSAGE_LINES = 4


def require_programs(*names: str) -> None:
    """Make sure that programs are installed before the first one does any work.

    Args:
        names: What to look for on the path.

    Raises:
        DataUnavailableError: If one of them is not there.
    """
    for name in names:
        if shutil.which(name) is None:
            raise DataUnavailableError(f"there is no program {name} here")


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    timeout_s: float,
    output: Path | None = None,
) -> None:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        folder: Where it runs, and where its temporary files go.
        timeout_s: When it is stopped, together with all that it started.
        output: File for what it prints; ``None`` drops it.

    Raises:
        DataUnavailableError: If the program is not installed, fails or takes too long.
        OSError: If it failed because the disk is full.
    """
    require_programs(command[0])
    name = Path(command[0]).name
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)}
    with (output or Path(os.devnull)).open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            _, messages = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DataUnavailableError(
                f"{name} did not end within {timeout_s:g} s"
            ) from error
        finally:
            _stop_group(process)
    if process.returncode != 0:
        if "no space left on device" in messages.lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        lines = [line.strip() for line in messages.splitlines() if line.strip()]
        said = "; ".join(lines[-_MESSAGE_LINES:]) or "it gave no reason"
        raise DataUnavailableError(
            f"{name} ended with status {process.returncode}: {said}"
        )


def _stop_group(process: subprocess.Popen[str]) -> None:
    """Kill a program that is still running, with everything that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
