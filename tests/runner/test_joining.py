"""Sharing the record of an attempt that another process makes."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cocodesign.errors import CellFailedError, RunStoppedError
from cocodesign.results import RunContext, RunRecord
from cocodesign.runner import run_notebook
from cocodesign.runner.joining import wait_for_record
from cocodesign.runner.lease import acquire_lease
from cocodesign.runner.stopping import StopRequests

WriteNotebook = Callable[..., Path]
CONTEXT = RunContext("run", "example", "smoke", {"seed": 0})


def hold(
    run_dir: Path, seconds: float, *, context: RunContext, record: RunRecord | None
) -> threading.Thread:
    """Hold a run folder for a while in another thread, as an attempt does."""
    lease = acquire_lease(
        run_dir, notebook="example", profile="smoke", on_loss=lambda _: None
    )

    def attempt() -> None:
        with lease:
            context.write(run_dir)
            time.sleep(seconds)
            if record is not None:
                (run_dir / "record.json").write_text(record.to_json())

    thread = threading.Thread(target=attempt)
    thread.start()
    return thread


@pytest.mark.slow
def test_the_record_of_the_same_run_is_shared(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    record = make_record(1.0)
    thread = hold(tmp_path, 1.0, context=CONTEXT, record=record)
    assert wait_for_record(tmp_path, CONTEXT, StopRequests()) == record
    thread.join()


@pytest.mark.slow
def test_another_run_s_record_and_a_missing_one_are_not_shared(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    other = RunContext("run", "example", "smoke", {"seed": 1})
    for context, record in ((other, make_record(1.0)), (CONTEXT, None)):
        thread = hold(tmp_path, 0.6, context=context, record=record)
        assert wait_for_record(tmp_path, CONTEXT, StopRequests()) is None
        thread.join()
        (tmp_path / "record.json").unlink(missing_ok=True)


def test_waiting_ends_when_asked_to_stop(tmp_path: Path) -> None:
    stops = StopRequests()
    stops.request("the machine goes down")
    thread = hold(tmp_path, 0.2, context=CONTEXT, record=None)
    with pytest.raises(RunStoppedError, match="while another attempt was running"):
        wait_for_record(tmp_path, CONTEXT, stops)
    thread.join()


@pytest.mark.slow
@pytest.mark.notebook
def test_a_run_waits_for_another_and_takes_its_place_when_that_fails(
    write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    path, run_dir = write_notebook("print('mine')"), tmp_path / "run"
    thread = hold(run_dir, 1.0, context=CONTEXT, record=None)
    record = run_notebook(path, run_dir=run_dir, join=True)
    thread.join()
    assert record.notebook == "example"
    assert json.loads((run_dir / "lease.json").read_text())["outcome"] == "finished"


COUNT = """\
from pathlib import Path
folder = Path(run_dir) / "checkpoints"
found = sorted(path.name for path in folder.glob("*")) if folder.exists() else []
folder.mkdir(exist_ok=True)
(folder / str(len(found))).touch()
print("found", found)
assert len(found) >= {enough}
"""


@pytest.mark.slow
@pytest.mark.notebook
def test_checkpoints_are_found_again_by_the_same_run_only(
    write_notebook: WriteNotebook,
    read_outputs: Callable[[Path], str],
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"

    def attempt(enough: int, **values: object) -> str:
        path = write_notebook(COUNT.format(enough=enough))
        with suppress(CellFailedError):
            run_notebook(path, run_dir=run_dir, parameters=values)
        return read_outputs(run_dir)

    assert "found []" in attempt(2)
    assert "found ['0']" in attempt(2)
    assert "found []" in attempt(2, seed=5)  # another run
    assert "found []" in attempt(1)  # another notebook
    assert "found ['0']" in attempt(1)  # which is enough: it finishes
    assert not (run_dir / "checkpoints").exists()
    assert "found []" in attempt(1)
