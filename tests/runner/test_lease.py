import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cocodesign.errors import RunInProgressError
from cocodesign.runner import list_runs
from cocodesign.runner.lease import Lease, acquire_lease, read_lease

COMPETITOR = """
import sys, time
sys.modules["rfc3987_syntax"] = None  # a second of import
from pathlib import Path
from cocodesign.errors import RunInProgressError
from cocodesign.runner.lease import acquire_lease
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()  # all start at once, when the test says so
try:
    with acquire_lease(folder, notebook="n", profile="smoke", on_loss=print) as lease:
        print("won", lease.attempt, flush=True)
        time.sleep(float(sys.argv[2]))
except RunInProgressError as error:
    print("refused", flush=True)
"""


def acquire(run_dir: Path) -> Lease:
    return acquire_lease(run_dir, notebook="n", profile="smoke", on_loss=lambda _: None)


def rewrite(run_dir: Path, **changes: object) -> None:
    """Change a lease as if somebody else had written it."""
    path = run_dir / "lease.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def competitors() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(run_dir: Path, hold_s: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMPETITOR, str(run_dir), str(hold_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def test_a_second_attempt_is_refused_with_owner_and_age(tmp_path: Path):
    with acquire(tmp_path), pytest.raises(RunInProgressError) as caught:
        acquire(tmp_path)
    assert f"process {os.getpid()}" in str(caught.value)
    assert os.uname().nodename in str(caught.value)
    assert "last sign of life 0 s ago" in str(caught.value)


def test_an_ended_attempt_leaves_its_outcome_and_the_folder_free(tmp_path: Path):
    with acquire(tmp_path) as first:
        pass
    assert read_lease(tmp_path).outcome == "finished"
    with pytest.raises(KeyError), acquire(tmp_path) as second:
        raise KeyError("why")
    state = read_lease(tmp_path)
    assert (state.outcome, state.message) == ("failed", "'why'")
    assert state.attempt == second.attempt != first.attempt


def test_a_dead_process_on_this_machine_loses_its_lease_at_once(
    tmp_path: Path, dead_pid: int
):
    with acquire(tmp_path):
        rewrite(tmp_path, pid=dead_pid)
        with acquire(tmp_path) as taken:
            assert read_lease(tmp_path).attempt == taken.attempt


def test_a_later_process_with_the_same_number_is_not_the_owner(tmp_path: Path):
    with acquire(tmp_path):
        rewrite(tmp_path, process_start=1)
        assert not read_lease(tmp_path).is_alive()


def test_a_busy_owner_on_this_machine_keeps_its_lease_without_heartbeat(tmp_path: Path):
    with acquire(tmp_path):
        rewrite(tmp_path, heartbeat=time.time() - 60)
        assert read_lease(tmp_path).is_alive()


def test_another_machine_is_alive_for_8_s_after_its_heartbeat(tmp_path: Path):
    with acquire(tmp_path):
        rewrite(tmp_path, machine="elsewhere/x", heartbeat=time.time() - 7)
        assert read_lease(tmp_path).is_alive()
        rewrite(tmp_path, machine="elsewhere/x", heartbeat=time.time() - 9)
        assert not read_lease(tmp_path).is_alive()


def test_a_damaged_lease_belongs_to_nobody(tmp_path: Path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "lease.json").write_text("{")
    assert list_runs(tmp_path) == []
    with acquire(run_dir) as lease:
        assert read_lease(run_dir).attempt == lease.attempt


def test_a_file_is_written_only_while_the_lease_is_held(tmp_path: Path):
    with acquire(tmp_path) as lease:
        lease.write(tmp_path / "file", "mine")
        rewrite(tmp_path, attempt="another")
        with pytest.raises(RunInProgressError, match="another attempt took over"):
            lease.write(tmp_path / "file", "mine, too")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow
def test_the_heartbeat_goes_on_every_second(tmp_path: Path):
    with acquire(tmp_path):
        first = read_lease(tmp_path).heartbeat
        time.sleep(2.5)
        assert 1.5 < read_lease(tmp_path).heartbeat - first < 2.6


@pytest.mark.slow
def test_an_owner_that_lost_its_lease_is_told_and_leaves_the_new_one_alone(
    tmp_path: Path,
):
    losses: list[str] = []
    with acquire_lease(tmp_path, notebook="n", profile="smoke", on_loss=losses.append):
        rewrite(tmp_path, attempt="another", machine="elsewhere/x")
        time.sleep(1.5)
        assert len(losses) == 1
        assert "another attempt" in losses[0]
    assert read_lease(tmp_path).attempt == "another"
    assert read_lease(tmp_path).outcome is None


@pytest.mark.slow
def test_of_many_simultaneous_attempts_exactly_one_takes_over_a_dead_run(
    tmp_path: Path, competitors: list[subprocess.Popen[str]]
):
    run_dir = tmp_path / "run"
    competitors += [start(run_dir, hold_s=600)]
    go(competitors[0])
    assert competitors[0].stdout.readline().startswith("won")
    competitors[0].send_signal(signal.SIGKILL)
    competitors[0].wait()
    competitors += [start(run_dir, hold_s=3) for _ in range(6)]
    for process in competitors[1:]:
        go(process)
    answers = [process.stdout.readline().split() for process in competitors[1:]]
    winners = [answer[1] for answer in answers if answer[0] == "won"]
    assert winners == [read_lease(run_dir).attempt]
    assert sum(answer[0] == "refused" for answer in answers) == 5


@pytest.mark.slow
def test_a_killed_owner_is_shown_as_dead(
    tmp_path: Path, competitors: list[subprocess.Popen[str]]
):
    competitors.append(start(tmp_path / "run", hold_s=600))
    go(competitors[0])
    competitors[0].stdout.readline()
    [state] = list_runs(tmp_path)
    assert (state.status, state.pid) == ("running", competitors[0].pid)
    competitors[0].kill()  # not reaped: a zombie is dead as well
    deadline = time.monotonic() + 10
    while list_runs(tmp_path)[0].status != "dead":
        assert time.monotonic() < deadline
        time.sleep(0.05)
