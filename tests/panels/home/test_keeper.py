import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cocodesign.panels.home import keeper

# Ends in order when it is asked to, as the runner does, and says so.
_COMMAND = """\
import signal, sys, time
def end(number, frame):
    open(sys.argv[1], "w").write("asked")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
# A stand-in for the kernel: it holds the keeper's input and waits to be killed.
_OWNER = """\
import subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks at /proc"
)


def kept(*command: str) -> list[str]:
    return [sys.executable, "-I", "-S", keeper.__file__, *command]


def waiting_command(note: Path) -> list[str]:
    return kept(sys.executable, "-I", "-S", "-c", _COMMAND, str(note))


def gone(look: Callable[[str], list[int]], text: str) -> bool:
    deadline = time.monotonic() + 5
    while look(text) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not look(text)


def test_returns_the_commands_status() -> None:
    command = kept(sys.executable, "-I", "-S", "-c", "import sys; sys.exit(3)")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(10) == 3


def test_a_command_that_a_signal_ends_counts_as_in_a_shell() -> None:
    command = kept("sh", "-c", "kill -9 $$")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(10) == 128 + signal.SIGKILL


def test_the_end_of_the_input_asks_the_command_to_end(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with subprocess.Popen(
        waiting_command(note), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.stdin.close()
        assert process.wait(10) == 7
    assert note.read_text() == "asked"


def test_an_interrupt_does_not_reach_the_command(tmp_path: Path) -> None:
    with subprocess.Popen(
        waiting_command(tmp_path / "note"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.stdin.close()
        assert process.wait(10) == 7


def test_nothing_is_left_when_the_owner_is_killed(
    tmp_path: Path, living_processes: Callable[[str], list[int]]
) -> None:
    note = tmp_path / "note"
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, *waiting_command(note)], stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"ready\n"
        owner.kill()
    assert gone(living_processes, str(note))
    assert note.read_text() == "asked"


def test_nothing_is_left_when_the_keeper_is_killed(
    tmp_path: Path, living_processes: Callable[[str], list[int]]
) -> None:
    note = tmp_path / "note"
    with subprocess.Popen(
        waiting_command(note), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        assert gone(living_processes, str(note))
