"""Two small processes between runner and kernel that leave no process behind.

It is started as ``python -I -S guard.py FOLDER COMMAND…``, needs nothing but the
standard library, and runs the command (the kernel) as its child in a new session.

* Its standard input comes from the runner: ``i`` interrupts the kernel, ``k`` kills
  it; the end of the input means that the runner is dead.
* Its standard output goes to the runner, one line at the end, ``ended STATUS OOM``:
  the wait status, and 1 if the out-of-memory killer struck meanwhile.

When the kernel or the runner ends, for whatever reason, the guard kills every
descendant of the kernel, also those that left its session: on Linux it is a *child
subreaper*, so orphans come back to it. The guard itself has a *watch*, its parent,
which does the same when the guard is killed; the system then kills the kernel
(parent-death signal). The watch's own death is seen by the guard, which ends as well.
So of runner, guard and watch any two may be killed in one moment, with the kernel; if
all are, the kernel's children live until the run folder is used again, or until the
batch system cleans up behind its job.
"""

# Importing pathlib would take longer than all the rest of the start.
# ruff: noqa: PTH106, PTH108, PTH118, PTH123, PTH208

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

_RUNNER_IN, _RUNNER_OUT, _LOG = 0, 1, 2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_S = 5.0
_OOM_SCORE_ADJ = 500  # the kernel goes before the runner that reports it
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main(folder: str, command: list[str]) -> None:
    """Run a kernel until it or the runner ends, then remove what is left of it.

    Args:
        folder: The private folder of the kernel's sockets, removed at the end.
        command: The kernel's program and arguments.
    """
    for number in _IGNORED:  # a terminal's Ctrl-C is the runner's business
        signal.signal(number, signal.SIG_IGN)
    watch_read, watch_write = os.pipe()  # its end tells the guard that the watch died
    guard = os.fork()
    if guard:
        os.close(watch_read)
        _watch_over(guard, folder)
    else:
        os.close(watch_write)
        _guard(folder, command, watch_read)


def _watch_over(guard: int, folder: str) -> None:
    """Wait for the guard's end, then remove what it left if it was killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (_RUNNER_IN, _RUNNER_OUT):  # the guard's alone, to end with it
        os.close(number)
    while os.waitpid(-1, 0)[0] != guard:
        pass
    _kill_descendants(guard)
    _remove(folder)


def _guard(folder: str, command: list[str], watch_read: int) -> None:
    """Run the kernel until it, the runner or the watch ends."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    oom_kills = _count_oom_kills()
    kernel = _start(command)
    status = _serve(kernel, wake_read, watch_read)
    if status is None:
        status = _kill_kernel(kernel)
    _kill_descendants(kernel)
    _tell(f"ended {status} {int(_count_oom_kills() > oom_kills)}")
    _remove(folder)


def _start(command: list[str]) -> int:
    """Fork and execute the kernel; return its process number."""
    guard = os.getpid()
    environment = {**os.environ, "JPY_PARENT_PID": str(guard)}
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (*_IGNORED, signal.SIGPIPE):  # Python ignores SIGPIPE
            signal.signal(number, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # it died before the line above
            os._exit(1)
        with (
            contextlib.suppress(OSError),
            open("/proc/self/oom_score_adj", "w") as file,
        ):
            file.write(str(_OOM_SCORE_ADJ))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(_LOG, 1)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(_LOG, f"cannot start {command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _serve(kernel: int, wake_read: int, watch_read: int) -> int | None:
    """Serve the runner; return the kernel's wait status, ``None`` to have it killed."""
    while True:
        ready, _, _ = select.select([_RUNNER_IN, wake_read, watch_read], [], [])
        if watch_read in ready:
            # Without a last word the runner knows that a guard was killed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), _RUNNER_OUT)
            return None
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            status = _reap(kernel)
            if status is not None:
                return status
        if _RUNNER_IN in ready:
            requests = os.read(_RUNNER_IN, 4096)
            if not requests or b"k" in requests:
                return None
            if b"i" in requests:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(kernel, signal.SIGINT)


def _reap(kernel: int) -> int | None:
    """Collect ended children; return the kernel's wait status if it is among them."""
    kernel_status = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return kernel_status
        if pid == 0:
            return kernel_status
        if pid == kernel:
            kernel_status = status


def _kill_kernel(kernel: int) -> int:
    """Kill the kernel, which is not reaped yet, and return its wait status."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(kernel, signal.SIGKILL)
    return os.waitpid(kernel, 0)[1]


def _kill_descendants(kernel: int) -> None:
    deadline = time.monotonic() + _KILL_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(kernel, signal.SIGKILL)  # all there is without /proc
    while (found := _descendants()) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap(kernel)
        time.sleep(0.002)


def _descendants() -> list[int]:
    """Return all living or unreaped processes below this one."""
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue
        parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    front = [os.getpid()]
    while front:
        front = [child for parent in front for child in children.get(parent, [])]
        found += front
    return found


def _count_oom_kills() -> int:
    """Return how many processes the out-of-memory killer has ended, as far as told.

    ``/proc/vmstat`` counts all of the machine; a container may see only its own
    control group (version 2 or 1).
    """
    paths = ["/proc/vmstat"]
    with contextlib.suppress(OSError), open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, group = line.rstrip("\n").split(":", 2)
            if not controllers:
                paths.append(f"/sys/fs/cgroup{group}/memory.events")
            elif "memory" in controllers.split(","):
                paths.append(f"/sys/fs/cgroup/memory{group}/memory.oom_control")
    count = 0
    for path in paths:
        with (
            contextlib.suppress(OSError, ValueError),
            open(path) as file,
        ):
            for line in file:
                if line.startswith("oom_kill "):
                    count += int(line.split()[1])
    return count


def _prctl(option: int, argument: int) -> None:
    """Call Linux's ``prctl``; other systems go on without."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # the runner may be dead
        os.write(_RUNNER_OUT, f"{line}\n".encode())


def _remove(folder: str) -> None:
    """Remove a folder with its content; what is gone already is fine."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(parent, name))
        for name in folders:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(parent, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
