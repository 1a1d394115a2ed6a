"""What the schedulers are told and how their answers are read."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from cocodesign.clusters import read_cluster, scheduler
from cocodesign.clusters.scheduler import SchedulerName
from cocodesign.clusters.script import job_script
from cocodesign.errors import ClusterError
from cocodesign.project import find_project
from tests.cluster.clone import until

PROFILES = find_project(Path(__file__).parent).workflow / "profiles"

SQUEUE = "12 PENDING\n13_1 RUNNING\n13_2 COMPLETED\n14 CANCELLED\n15 COMPLETING\n"
QSTAT_JSON = json.dumps(
    {
        "Jobs": {
            "7.server": {"job_state": "Q"},
            "8.server": {"job_state": "F"},
            "9[].server": {"job_state": "B"},
            "9[1].server": {"job_state": "X"},
            "9[2].server": {"job_state": "R"},
        }
    }
)
QSTAT_XML = """<?xml version='1.0'?>
<job_info>
  <queue_info>
    <job_list state="running"><JB_job_number>21</JB_job_number><state>r</state>
    </job_list>
    <job_list state="running"><JB_job_number>22</JB_job_number><state>r</state>
      <tasks>3</tasks></job_list>
  </queue_info>
  <job_info>
    <job_list state="pending"><JB_job_number>22</JB_job_number><state>qw</state>
      <tasks>4-8:2,9</tasks></job_list>
    <job_list state="pending"><JB_job_number>23</JB_job_number><state>Eqw</state>
    </job_list>
  </job_info>
</job_info>
"""


@pytest.mark.parametrize(
    ("name", "answer", "active"),
    [
        ("slurm", SQUEUE, {"12", "13_1", "15"}),
        ("slurm", "", set()),
        ("pbs", QSTAT_JSON, {"7", "9", "9_2"}),
        ("pbs", "", set()),
        ("age", QSTAT_XML, {"21", "22_3", "22_4", "22_6", "22_8", "22_9"}),
        ("age", "<job_info><queue_info/><job_info/></job_info>", set()),
    ],
)
def test_jobs_that_wait_or_run_are_read_from_the_list(
    name: SchedulerName, answer: str, active: set[str]
) -> None:
    assert scheduler(name, user="me").read_active(answer) == active


@pytest.mark.parametrize(
    ("name", "answer", "number"),
    [
        ("slurm", "123\n", "123"),
        ("slurm", "123;cluster\n", "123"),
        ("slurm", "sbatch: lua: welcome\n123\n", "123"),
        ("pbs", "123.server\n", "123"),
        ("pbs", "123[].server\n", "123"),
        ("age", 'Your job 123 ("n") has been submitted\n', "123"),
        ("age", 'Your job-array 123.1-9:1 ("n") has been submitted\n', "123"),
    ],
)
def test_a_submission_s_answer_names_the_job(
    name: SchedulerName, answer: str, number: str
) -> None:
    found = scheduler(name, user="me").job_number.search(answer)
    assert found
    assert found.group(1) == number


@pytest.mark.parametrize(
    ("name", "environment", "key", "task"),
    [
        ("slurm", {"SLURM_JOB_ID": "5"}, "5", "1"),
        (
            "slurm",
            {
                "SLURM_JOB_ID": "9",
                "SLURM_ARRAY_JOB_ID": "5",
                "SLURM_ARRAY_TASK_ID": "3",
            },
            "5_3",
            "3",
        ),
        ("pbs", {"PBS_JOBID": "5.server"}, "5", "1"),
        ("pbs", {"PBS_JOBID": "5[3].server", "PBS_ARRAY_INDEX": "3"}, "5_3", "3"),
        ("age", {"JOB_ID": "5", "SGE_TASK_ID": "undefined"}, "5", "1"),
        ("age", {"JOB_ID": "5", "SGE_TASK_ID": "3"}, "5_3", "3"),
    ],
)
def test_a_script_runs_its_command_and_notes_the_end_under_its_key(
    tmp_path: Path,
    name: SchedulerName,
    environment: dict[str, str],
    key: str,
    task: str,
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    script = job_script(
        scheduler(name, user="me"),
        "echo \"'$COCODESIGN_TASK' $WORD\" >> out; exit 3",
        folder=folder,
        notes=folder / "notes",
        token="t0",
        prefix=("env", "WORD=it's"),
    )
    subprocess.run(["/bin/sh"], input=script, text=True, check=False, env=environment)
    assert (folder / "out").read_text() == f"'{task}' it's\n"
    assert (folder / "notes" / key).read_text() == "3 t0\n"


def test_a_job_that_has_succeeded_is_not_done_again(tmp_path: Path) -> None:
    dialect = scheduler("slurm", user="me")
    for token in ("t0", "t0", "t1"):
        script = job_script(
            dialect, "echo x >> out", folder=tmp_path, notes=tmp_path / "n", token=token
        )
        environment = {"SLURM_JOB_ID": "5", "PATH": "/usr/bin:/bin"}
        subprocess.run(
            ["/bin/sh"], input=script, text=True, check=True, env=environment
        )
    assert (tmp_path / "out").read_text() == "x\nx\n"  # the third is another job 5


@pytest.mark.slow
@pytest.mark.parametrize(("end", "status"), [("exit 1", 143), ("exit 0", 0)])
def test_a_job_that_is_asked_to_stop_waits_for_its_command_and_says_so(
    tmp_path: Path, end: str, status: int
) -> None:
    script = job_script(
        scheduler("pbs", user="me"),
        f"touch begun; sleep 0.5; {end}",
        folder=tmp_path,
        notes=tmp_path / "notes",
        token="t0",
    )
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"PBS_JOBID": "5.server", "PATH": "/usr/bin:/bin"},
    )
    until((tmp_path / "begun").exists)
    process.terminate()
    assert process.wait(10) == status
    assert (tmp_path / "notes" / "5").read_text() == f"{status} t0\n"


@pytest.mark.parametrize("name", ["slurm", "pbs", "age"])
def test_every_site_asks_for_the_gpus_and_the_time_that_a_notebook_needs(
    name: str,
) -> None:
    cluster = read_cluster(PROFILES / name)
    assert cluster
    assert cluster.scheduler == name
    words = shlex.join(cluster.submit_options(gpus=1, profile="laptop"))
    time = {"slurm": "--time=30", "pbs": "walltime=00:30:00", "age": "h_rt=00:30:00"}
    gpu = {"slurm": "--gres=gpu:1", "pbs": "rt_HG", "age": "gpu_1=1"}
    assert time[name] in words
    assert gpu[name] in words


def test_this_machine_is_no_cluster() -> None:
    assert read_cluster(PROFILES / "laptop") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "scheduler = 'lsf'",
            "scheduler must be one of slurm, pbs, age, kub.*, got 'lsf'",
        ),
        ("scheduler = 'pbs'\nqueue = 'x'", "unknown queue; known are least_gpus"),
        ("scheduler = 'pbs'\noptions = '-q x'", "options must be a list of texts"),
        ("scheduler = 'pbs'\noptions = ['{gpu}']", "placeholder .* gpus, hms, minutes"),
        ("scheduler = 'pbs'\noptions = ['{']", "option '{'"),
        ("scheduler = 'pbs'\n[minutes]\nsmoke = 1", "a limit for each of smoke, lap"),
        (
            "scheduler = 'pbs'\nminutes = {smoke=1, laptop=1, gpu=1, paper=-1}",
            "minutes.paper must be an integer ≥ 0, got -1",
        ),
        ("scheduler", "cannot be read"),
    ],
)
def test_malformed_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "cluster.toml").write_text(text)
    with pytest.raises(ClusterError, match=words):
        read_cluster(tmp_path)
