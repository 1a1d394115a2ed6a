"""Jobs on PBS and Grid Engine, whose commands a script stands for."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from cocodesign.clusters import Jobs, read_cluster, task_key, workflow_jobs
from cocodesign.clusters.__main__ import main
from cocodesign.errors import ClusterError
from cocodesign.sweeps import plan_sweep, run_on_cluster
from tests.cluster.clone import PATIENCE_S, Clone, processes_in, until
from tests.cluster.scripted_qsub import is_alive

DIALECTS = ["pbs", "age"]
SCRIPT = Path(__file__).with_name("scripted_qsub.py")


@pytest.fixture
def scheduler_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the script under its three names; return the folder of its state."""
    programs, state = tmp_path / "programs", tmp_path / "state"
    programs.mkdir()
    state.mkdir()
    for name in ("qsub", "qstat", "qdel"):
        path = programs / name
        path.write_text(f"#!{sys.executable} -S\n{SCRIPT.read_text()}")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SCRIPTED_QSUB_STATE", str(state))
    return state


@pytest.fixture
def jobs(
    request: pytest.FixtureRequest,
    clone: Clone,
    scheduler_state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Jobs:
    del scheduler_state
    monkeypatch.setenv("SCRIPTED_QSUB_DIALECT", request.param)
    cluster = read_cluster(clone.root / "workflow" / "profiles" / request.param)
    assert cluster
    return workflow_jobs(cluster, clone.root)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", DIALECTS, indirect=True)
def test_jobs_and_arrays_succeed_fail_and_vanish(
    jobs: Jobs, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cocodesign.clusters.jobs._LIST_AGE_S", 0.2)
    monkeypatch.setattr("cocodesign.clusters.jobs._LOST_AFTER_S", 0.5)

    def submit(command: str, num_tasks: int = 1) -> str:
        return jobs.submit(
            command, name="1", gpus=1, profile="gpu", num_tasks=num_tasks
        )

    array = submit('pwd > "t$COCODESIGN_TASK"; [ "$COCODESIGN_TASK" != 2 ]', 3)
    one = submit('pwd > "one$COCODESIGN_TASK"')
    vanishing = submit("kill -9 0")
    keys = [*(task_key(array, task, 3) for task in (1, 2, 3)), one, vanishing]
    until(lambda: all(jobs.status(key) != "running" for key in keys))
    assert [jobs.status(key) for key in keys] == [
        *("success", "failed", "success"),
        *("success", "failed"),
    ]
    for name in ("t1", "t2", "t3", "one1"):
        assert (clone.root / name).read_text().strip() == str(clone.root)
    cancelled = submit("sleep 60")
    assert jobs.status(cancelled) == "running"
    jobs.cancel([cancelled])
    until(lambda: jobs.status(cancelled) == "failed")


@pytest.mark.parametrize("jobs", ["pbs"], indirect=True)
def test_a_note_of_an_earlier_job_with_the_same_number_does_not_count(
    jobs: Jobs, scheduler_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cocodesign.clusters.jobs._LIST_AGE_S", 0.0)

    def submit(command: str) -> str:
        return jobs.submit(command, name="x", gpus=0, profile="gpu")

    first = submit("true")
    until(lambda: jobs.status(first) == "success")
    for path in scheduler_state.iterdir():  # the scheduler is set up anew
        path.unlink()
    second = submit("sleep 30")
    assert second == first
    assert jobs.status(second) == "running"
    jobs.cancel_all()
    until(lambda: not any(map(is_alive, scheduler_state.glob("*.pid"))))


@pytest.mark.parametrize("jobs", ["pbs"], indirect=True)
def test_a_scheduler_that_does_not_answer_ends_no_job(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cocodesign.clusters.jobs._LIST_AGE_S", 0.0)
    monkeypatch.setattr("cocodesign.clusters.jobs._LOST_AFTER_S", 0.0)
    key = jobs.submit("sleep 30", name="x", gpus=0, profile="gpu")
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", "")
    assert jobs.status(key) == "running"
    monkeypatch.setenv("PATH", path)
    jobs.cancel([key])


@pytest.mark.parametrize("jobs", ["pbs"], indirect=True)
def test_a_scheduler_s_refusal_is_told(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTED_QSUB_DIALECT", "age")  # which knows no -q
    with pytest.raises(ClusterError, match="qsub failed: qsub: illegal option -q"):
        jobs.submit("true", name="x", gpus=1, profile="gpu")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ClusterError, match=r"no qsub here: .* login node"):
        jobs.submit("true", name="x", gpus=1, profile="gpu")


@pytest.mark.parametrize("jobs", ["age"], indirect=True)
def test_a_container_s_python_takes_the_place_of_ours(
    jobs: Jobs, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone.root)
    profile = clone.root / "workflow" / "profiles" / "age"
    settings = profile / "cluster.toml"
    settings.write_text(
        settings.read_text().replace(
            "[minutes]", 'prefix = ["env"]\npython = "py"\n[minutes]'
        )
    )
    script = clone.root / "snakejob.sh"
    script.write_text(f"cd . && {sys.executable} -m snakemake\n")
    key = main(["submit", str(profile), "smoke", "11_first", "0", str(script)])
    assert key == "1"
    (text,) = (path.read_text() for path in jobs.folder.glob("*.sh"))
    assert "env /bin/sh -c 'cd . && py -m snakemake" in text
    until(lambda: main(["status", str(profile), key]) == "failed")
    with pytest.raises(ClusterError, match=r"has no cluster\.toml"):
        main(["status", str(clone.root), key])


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("jobs", ["age"], indirect=True)
def test_a_sweep_whose_caller_was_killed_is_waited_for_and_not_sent_again(
    jobs: Jobs, clone: Clone, scheduler_state: Path
) -> None:
    clone.add_notebook("11_first", "import time\ntime.sleep(5)\n")
    notebook, folder = clone.root / "notebooks/11_first.ipynb", clone.root / "s"
    sweep = plan_sweep(notebook, ["seed=0..1"], profile="smoke", folder=folder)
    lines: list[str] = []
    caller = os.fork()
    if caller == 0:
        run_on_cluster(sweep, jobs, retries=0, tell=lines.append)
        os._exit(0)
    until((folder / "submission.json").exists)
    os.kill(caller, signal.SIGKILL)
    os.waitpid(caller, 0)
    run_on_cluster(sweep, jobs, retries=0, tell=lines.append)
    assert lines[-1] == "2 success"
    assert not sweep.missing()
    assert len(list(scheduler_state.glob("*.job"))) == 1


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("jobs", DIALECTS, indirect=True)
def test_reproduce_runs_every_notebook_as_a_job(
    jobs: Jobs, clone: Clone, scheduler_state: Path
) -> None:
    clone.add_notebook("11_first")
    name = jobs.cluster.scheduler
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", name)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output + clone.log()
    assert (clone.root / "runs" / "11_first-smoke" / "record.json").exists()
    (job,) = scheduler_state.glob("*.job")
    options = json.loads(job.read_text())
    assert options["-N"] == "cd-11-first"
    clone.add_notebook("11_first", "import time\ntime.sleep(60)\n")
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", name)
    until(lambda: (lease := clone.lease("11_first-smoke")) and lease.is_alive())
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    until(lambda: not processes_in(clone.root), patience_s=20)
