import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cocodesign.runner.processes import (
    kill_marked,
    machine_identity,
    private_folder,
    process_start,
)


def test_a_process_is_known_by_number_and_start():
    first = process_start(os.getpid())
    assert first == process_start(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_start(child.pid) >= first
    child.communicate(b"\n")
    assert process_start(child.pid) is None


def test_a_zombie_is_gone():
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 5
    while process_start(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()


def test_an_identity_begins_with_the_host_and_does_not_change():
    assert machine_identity() == machine_identity()
    assert machine_identity().startswith(os.uname().nodename)


def test_only_processes_with_the_marker_are_killed():
    marked, other = (
        subprocess.Popen(
            ["sleep", "60"],
            env={**os.environ, "COCODESIGN_ATTEMPT": attempt},
            start_new_session=True,
        )
        for attempt in ("abc", "abcd")
    )
    kill_marked("abc")
    assert marked.wait(timeout=5) == -9
    assert other.poll() is None
    other.kill()
    other.wait()


def test_sockets_fit_into_their_addresses_below_a_long_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(tempfile, "tempdir", "/short")
    assert private_folder("0123456789abcdef").parent == Path("/short")
    monkeypatch.setattr(tempfile, "tempdir", "/long" * 30)
    assert len(str(private_folder("0123456789abcdef") / "k-5")) < 108
