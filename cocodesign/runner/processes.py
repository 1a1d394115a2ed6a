"""Processes of this machine: which one it is, whether it lives, who belongs to a run.

Linux tells everything in ``/proc``; elsewhere a process is known by its number only,
and the descendants of a kernel by their process group.
"""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

MARKER = "COCODESIGN_ATTEMPT"
"""Environment variable that marks all descendants of an attempt's kernel."""

_PROC = Path("/proc")
_MAX_SOCKET_PATH_BYTES = 107  # what a Unix socket's address holds, less the final zero
_KILL_S = 5.0


def machine_identity() -> str:
    """Return a name for the set of processes whose numbers this process can see.

    It differs between hosts, between boots and between containers of one host.
    """
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    return "/".join(parts)


def process_start(pid: int) -> int | None:
    """Return when a process started, or ``None`` if it is gone.

    Args:
        pid: The process's number.

    Returns:
        Clock ticks since boot, which tell a process from a later one with the same
        number; 0 where the system does not tell.
    """
    if not (_PROC / "self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return 0
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may itself hold spaces and parentheses.
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def private_folder(attempt: str) -> Path:
    """Return where an attempt's sockets are, short enough for their addresses.

    Args:
        attempt: The attempt's identifier.

    Returns:
        A folder below the system's for temporary files; it is not made.
    """
    name = f"cocodesign-{attempt}"
    folder = Path(tempfile.gettempdir()) / name
    is_short = len(os.fsencode(folder / "k-1")) <= _MAX_SOCKET_PATH_BYTES
    return folder if is_short else Path("/tmp") / name


def remove_traces(attempt: str) -> None:
    """Remove what a dead attempt has left on this machine outside its run folder.

    That is nothing as long as either the runner or the guard could end in order.

    Args:
        attempt: The attempt's identifier.
    """
    kill_marked(attempt)
    shutil.rmtree(private_folder(attempt), ignore_errors=True)


def kill_marked(attempt: str) -> None:
    """Kill every process that inherited an attempt's marker, and wait for their end.

    For the case that the guard, which knows the kernel's descendants, was killed.

    Args:
        attempt: The attempt's identifier.
    """
    deadline = time.monotonic() + _KILL_S
    while (found := _marked(attempt)) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _marked(attempt: str) -> list[int]:
    entry = f"{MARKER}={attempt}".encode()
    found: list[int] = []
    for folder in _PROC.glob("[0-9]*"):
        pid = int(folder.name)
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # it has ended, or belongs to somebody else
            continue
        if entry in environment.split(b"\0") and pid != os.getpid():
            found.append(pid)
    return found
