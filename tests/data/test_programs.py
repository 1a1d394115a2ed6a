"""Programs that are missing, fail, hang or fill the disk."""

import errno
import os
import time
from pathlib import Path

import pytest

from cocodesign.data.programs import require_programs, run_program
from cocodesign.errors import DataUnavailableError


def test_a_missing_program_is_named():
    with pytest.raises(DataUnavailableError, match="no program no-such-program here"):
        require_programs("sh", "no-such-program")


def test_writes_what_the_program_prints(tmp_path):
    run_program(
        ["sh", "-c", "pwd; echo $TMPDIR"],
        folder=tmp_path,
        timeout_s=5,
        output=tmp_path / "said",
    )
    assert (tmp_path / "said").read_text().split() == [str(tmp_path)] * 2


def test_quotes_the_last_words_of_a_program_that_failed(tmp_path):
    command = ["sh", "-c", "echo boring >&2; echo; echo 'no such host' >&2; exit 7"]
    with pytest.raises(
        DataUnavailableError, match=r"sh ended with status 7: .*no such"
    ):
        run_program(command, folder=tmp_path, timeout_s=5)


def test_a_full_disk_is_not_blamed_on_the_source(tmp_path):
    command = ["sh", "-c", "echo 'E: write: No space left on device' >&2; exit 1"]
    with pytest.raises(OSError, match="No space left") as caught:
        run_program(command, folder=tmp_path, timeout_s=5)
    assert caught.value.errno == errno.ENOSPC


def test_a_program_that_hangs_is_stopped_with_all_that_it_started(tmp_path):
    command = ["sh", "-c", "sleep 60 & echo $! > child; wait"]
    started = time.monotonic()
    with pytest.raises(DataUnavailableError, match=r"did not end within 0\.3 s"):
        run_program(command, folder=tmp_path, timeout_s=0.3)
    assert time.monotonic() - started < 5
    assert _is_gone(int((tmp_path / "child").read_text()))


def _is_gone(process_id):
    """Wait a moment for the system to reap an orphan."""
    for _ in range(100):
        try:
            os.kill(process_id, 0)
            state = Path(f"/proc/{process_id}/stat").read_text().split()[2]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
