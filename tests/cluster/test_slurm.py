"""Jobs on a real Slurm: GPUs, arrays, preemption, cancelling."""

import json
import os
import signal

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.local_slurm import LocalSlurm
from cocodesign.clusters import Jobs, read_cluster, task_key, workflow_jobs
from cocodesign.sweeps import plan_sweep, run_on_cluster, sweep_table
from tests.cluster.clone import (
    COCODESIGN,
    LONG_WORK,
    PATIENCE_S,
    Clone,
    processes_in,
    until,
)

pytestmark = [pytest.mark.slow]

# A training that a signal may interrupt anywhere: it saves itself every four steps.
TRAINING = """
import hashlib, os, time
from pathlib import Path
import torch
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
from cocodesign.training import BatchStream, load_checkpoint, save_checkpoint, train

generator = torch.Generator().manual_seed(seed)
examples, labels = torch.randn(64, 8, generator=generator), torch.arange(64) % 3
torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
model = torch.nn.Sequential(
    torch.nn.Linear(8, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
batches = BatchStream(examples, labels, 16, generator)
checkpoints = Path(run_dir) / "checkpoints"
num_steps = 0
for path in sorted(checkpoints.glob("*.pt"))[-1:]:
    load_checkpoint(path, model, optimizer, batches)
    num_steps = int(path.stem)
    (Path(run_dir) / "resumed").write_text(str(num_steps))
while num_steps < 40:
    num_steps += train(model, optimizer, batches, num_steps=4)
    save_checkpoint(checkpoints / f"{num_steps:04}.pt", model, optimizer, batches)
    time.sleep(pause_s)
weights = b"".join(each.detach().numpy().tobytes() for each in model.parameters())
digest = float(int(hashlib.sha256(weights).hexdigest()[:12], 16))
write_record(run_dir, notebook="training", parameters={"seed": seed},
    metrics={"weights": Measurement((digest,), "")}, tables={}, duration_s=0.0,
    provenance=Provenance("c", False, {}, "3", "L", "p", 1))
"""


@pytest.fixture
def jobs(slurm: LocalSlurm, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    del slurm
    monkeypatch.setattr("cocodesign.clusters.jobs._LIST_AGE_S", 1.0)
    monkeypatch.setattr("cocodesign.clusters.jobs._LOST_AFTER_S", 8.0)
    cluster = read_cluster(clone.root / "workflow" / "profiles" / "slurm")
    assert cluster
    return workflow_jobs(cluster, clone.root)


def submit(jobs: Jobs, command: str, num_tasks: int = 1) -> str:
    return jobs.submit(
        command, name="test", gpus=1, profile="smoke", num_tasks=num_tasks
    )


def run_command(notebook: str, run: str) -> str:
    words = [*COCODESIGN, "run", f"notebooks/{notebook}.ipynb", "--join"]
    return " ".join([*words, "--run-dir", f"runs/{run}"])


def add_training(clone: Clone, pause_s: float) -> None:
    source = f"seed = 0\nrun_dir = ''\npause_s = {pause_s}"
    parameters = new_code_cell(source)
    parameters.metadata["tags"] = ["parameters"]
    nbformat.write(
        new_notebook(cells=[parameters, new_code_cell(TRAINING)]),
        clone.root / "notebooks" / "training.ipynb",
    )


def weights(clone: Clone, run: str) -> list[float]:
    record = json.loads((clone.root / "runs" / run / "record.json").read_text())
    return record["metrics"]["weights"]["values"]


def test_an_array_is_one_submission_and_every_task_has_a_gpu_of_its_own(
    jobs: Jobs, clone: Clone, slurm: LocalSlurm
) -> None:
    note = 'echo "$CUDA_VISIBLE_DEVICES $(date +%s.%N)" > task$COCODESIGN_TASK'
    command = f'{note}; sleep 1; [ "$COCODESIGN_TASK" != 3 ]'
    number = submit(jobs, command, num_tasks=4)
    keys = [task_key(number, task, 4) for task in range(1, 5)]
    until(lambda: all(jobs.status(key) != "running" for key in keys))
    assert [jobs.status(key) for key in keys] == [
        *("success", "success", "failed", "success")
    ]
    lines = [(clone.root / f"task{task}").read_text().split() for task in range(1, 5)]
    assert {gpu for gpu, _ in lines} == {"0", "1"}
    starts = sorted(float(start) for _, start in lines)
    assert starts[2] - starts[0] >= 1.0  # two at a time, no more than there are GPUs
    assert {job.partition("_")[0] for job in slurm.job_states()} >= {number}


def test_a_cancelled_job_has_failed_and_leaves_no_process(
    jobs: Jobs, clone: Clone, slurm: LocalSlurm
) -> None:
    clone.add_notebook("11_first", "import time\ntime.sleep(60)")
    key = submit(jobs, run_command("11_first", "first"))
    until((clone.root / "runs/first/notebook.ipynb").exists)
    slurm.call("scancel", key)
    until(lambda: not processes_in(clone.root), patience_s=10)
    until(lambda: jobs.status(key) == "failed")
    lease = clone.lease("first")
    assert lease
    assert not lease.is_alive()


def test_a_preempted_training_goes_on_from_its_checkpoint_to_the_same_bits(
    jobs: Jobs, clone: Clone, slurm: LocalSlurm
) -> None:
    add_training(clone, pause_s=0.5)
    undisturbed = submit(jobs, run_command("training", "undisturbed"))
    preempted = submit(jobs, run_command("training", "preempted"))
    checkpoints = clone.root / "runs" / "preempted" / "checkpoints"
    until((checkpoints / "0008.pt").exists)
    slurm.call("scontrol", "requeue", preempted)
    until(lambda: slurm.job_states()[preempted] == "PENDING")
    assert jobs.status(preempted) == "running"
    # Slurm itself begins it again after two minutes. Within the second in which it was
    # stopped its credential counts as revoked.
    slurm.call("scontrol", "update", f"JobId={preempted}", "StartTime=now+2")
    until(lambda: jobs.status(preempted) != "running")
    until(lambda: jobs.status(undisturbed) != "running")
    assert jobs.status(preempted) == "success", clone.log()
    resumed = clone.root / "runs" / "preempted" / "resumed"
    assert int(resumed.read_text()) >= 8
    assert not (clone.root / "runs" / "undisturbed" / "resumed").exists()
    assert weights(clone, "preempted") == weights(clone, "undisturbed")
    assert not checkpoints.exists()


def test_two_jobs_of_one_run_share_its_record(jobs: Jobs, clone: Clone) -> None:
    clone.add_notebook("11_first", LONG_WORK)
    first = submit(jobs, run_command("11_first", "first"))
    second = submit(jobs, run_command("11_first", "first"))
    until(lambda: jobs.status(first) == "success")
    until(lambda: jobs.status(second) == "success")
    assert (clone.root / "runs" / "first" / "ends").read_text() == "x"


def test_reproduce_sends_every_notebook_and_tries_a_failed_one_again(
    clone: Clone, slurm: LocalSlurm
) -> None:
    first_time = (
        "from pathlib import Path\n"
        "mark = Path(run_dir).parent / 'tried'\n"
        "tried = mark.exists()\n"
        "mark.touch()\n"
        "assert tried, 'the first time'\n"
    )
    clone.add_notebook("11_first", first_time)
    clone.add_notebook("12_second")
    before = set(slurm.job_states())
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output + clone.log()
    assert len(set(slurm.job_states()) - before) == 3
    for name in ("11_first", "12_second"):
        record = json.loads((clone.root / f"runs/{name}-smoke/record.json").read_text())
        assert record["metrics"]["gpu"]["values"][0] in (0.0, 1.0)
    assert "11_first: failed" in output
    assert "12_second: finished" in output
    again = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    again.communicate(timeout=PATIENCE_S)
    assert len(set(slurm.job_states()) - before) == 3


@pytest.mark.notebook
def test_a_sweep_is_one_array_and_its_failures_another(
    jobs: Jobs, clone: Clone, slurm: LocalSlurm
) -> None:
    bad_once = (
        "from pathlib import Path\n"
        "mark = Path(run_dir).parent / f'tried-{seed}'\n"
        "is_first = not mark.exists()\n"
        "mark.touch()\n"
        "assert seed not in (1, 3) or not is_first, 'the first time'\n"
    )
    clone.add_notebook("11_first", bad_once)
    sweep = plan_sweep(
        clone.root / "notebooks" / "11_first.ipynb",
        ["seed=0..3"],
        profile="smoke",
        folder=clone.root / "runs" / "sweep",
    )
    before = set(slurm.job_states())
    lines: list[str] = []
    run_on_cluster(sweep, jobs, retries=1, tell=lines.append)
    assert not sweep.missing(), clone.log()
    new = set(slurm.job_states()) - before
    arrays = sorted(job.partition("_")[0] for job in new)
    assert [arrays.count(each) for each in sorted(set(arrays))] == [4, 2]
    assert lines[0].endswith("4 points as one array")
    assert "2 failed, 2 success" in lines
    assert set(sweep_table(sweep)["gpu"].to_pylist()) == {0.0, 1.0}


def test_stopping_reproduce_cancels_its_jobs(clone: Clone, slurm: LocalSlurm) -> None:
    clone.add_notebook("11_first", "import time\ntime.sleep(60)")
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    until((clone.root / "runs/11_first-smoke/notebook.ipynb").exists)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    until(lambda: not processes_in(clone.root), patience_s=20)
    until(lambda: "RUNNING" not in slurm.job_states().values(), patience_s=20)


def test_a_killed_reproduce_finds_its_jobs_again(
    clone: Clone, slurm: LocalSlurm
) -> None:
    wait = clone.root / "notebooks" / "wait"
    wait.touch()
    work = (
        "import time\nfrom pathlib import Path\n"
        "while Path('wait').exists():\n    time.sleep(0.1)\n"
    )
    clone.add_notebook("11_first", work)
    before = set(slurm.job_states())
    process = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    until((clone.root / "runs/11_first-smoke/notebook.ipynb").exists)
    process.kill()
    process.communicate()
    again = clone.start("reproduce", "--profile", "smoke", "--cluster", "slurm")
    wait.unlink()
    output, _ = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, output + clone.log()
    assert len(set(slurm.job_states()) - before) == 1
