"""A small process that keeps a command running as long as its input is open.

It is started as ``python -I -S keeper.py COMMAND…`` and needs nothing but the standard
library. Whoever started it holds the other end of its standard input: the end of the
input, wanted or because that process is gone, ends the command. The command also ends
when the keeper is killed. So a run that was started from a notebook never outlives the
notebook's kernel, however the kernel ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_SIGNALLED = 128  # what a shell reports for a program ended by signal n: 128 + n
# A second SIGTERM tells the runner not to be patient.
_STEPS = ((signal.SIGTERM, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def main(command: list[str]) -> int:
    """Run a command until it ends or the standard input does.

    Args:
        command: Program and arguments.

    Returns:
        Its exit status as a shell reports it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the input alone decides
    keeper = os.getpid()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: _end_with(keeper),  # noqa: PLW1509 - there are no threads yet
    )
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else _SIGNALLED - status


def _end_with(keeper: int) -> None:
    """Run in the child: have it stopped when the keeper dies."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # an ignored signal stays ignored
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != keeper:  # it died before the line above
        os._exit(1)


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    """Run in a thread: stop the command at the input's end, with rising force."""
    while os.read(0, 4096):
        pass
    for number, patience_s in _STEPS:
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
