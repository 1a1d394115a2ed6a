# pyright: strict
"""The dialects of batch schedulers: how to submit, ask and cancel. All of it is pure.

A job is known by its *key*, ``"123"``, or ``"123_4"`` for the fourth task of an array,
whatever a scheduler makes of it: Slurm writes ``123_4``, PBS ``123[4].server``, Grid
Engine ``123`` and ``4`` in two columns; Kubernetes has names for numbers.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from xml.etree import ElementTree

SchedulerName = Literal["slurm", "pbs", "age", "kubernetes"]

SCHEDULER_NAMES: tuple[SchedulerName, ...] = get_args(SchedulerName)

_SLURM_ACTIVE = {
    *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED"),
    *("RESIZING", "SIGNALING", "STAGE_OUT", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"),
}
_PBS_ENDED = {"F", "X"}

KUBERNETES_LABEL = "app=cocodesign"
_KUBECTL = ("kubectl", "--request-timeout=30s")


@dataclass(frozen=True)
class Scheduler:
    """One scheduler's dialect.

    Attributes:
        name: Its name.
        setup: Shell code that a job's script begins with.
        job_key: Shell code that expands to the running job's key.
        task_variable: The variable that holds the running task's number, from 1.
        submit: From the job's name, its log file and its number of tasks, the command
            that submits a script, to which options and the script's path are added.
        job_number: Finds the job's number, or its name, in what that command prints.
        active: The command that lists the user's jobs.
        read_active: From that list, the keys of the jobs that wait or run. A job whose
            tasks are not listed one by one stands for all of them under its number.
        cancel: The command that cancels the jobs with the numbers added to it.
    """

    name: SchedulerName
    setup: str
    job_key: str
    task_variable: str
    submit: Callable[[str, str, int], list[str]]
    job_number: re.Pattern[str]
    active: tuple[str, ...]
    read_active: Callable[[str], set[str]]
    cancel: tuple[str, ...]


def scheduler(name: SchedulerName, *, user: str) -> Scheduler:
    """Return a scheduler's dialect.

    Args:
        name: ``slurm``; ``pbs`` for PBS Professional and OpenPBS; ``age`` for Altair,
            Univa and other Grid Engines; ``kubernetes``.
        user: Whose jobs to look at.

    Returns:
        The dialect.
    """
    match name:
        case "slurm":
            return Scheduler(
                name=name,
                setup="",
                job_key=(
                    "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"
                    "${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
                ),
                task_variable="SLURM_ARRAY_TASK_ID",
                submit=_slurm_submit,
                job_number=re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE),
                active=("squeue", "-h", "-r", "-t", "all", "-u", user, "-o", "%i %T"),
                read_active=_slurm_active,
                cancel=("scancel",),
            )
        case "pbs":
            return Scheduler(
                name=name,
                setup="",
                job_key="${PBS_JOBID%%[.[]*}${PBS_ARRAY_INDEX:+_$PBS_ARRAY_INDEX}",
                task_variable="PBS_ARRAY_INDEX",
                submit=_pbs_submit,
                job_number=re.compile(r"^(\d+)(?:\[\])?(?:\.\S+)?$", re.MULTILINE),
                active=("qstat", "-t", "-f", "-F", "json"),
                read_active=_pbs_active,
                cancel=("qdel",),
            )
        case "age":
            return Scheduler(
                name=name,
                setup='[ "${SGE_TASK_ID-}" = undefined ] && unset SGE_TASK_ID\n',
                job_key="$JOB_ID${SGE_TASK_ID:+_$SGE_TASK_ID}",
                task_variable="SGE_TASK_ID",
                submit=_age_submit,
                # "Your job 12 ("name") has been submitted", or "job-array 12.1-9:1"
                job_number=re.compile(r"[Yy]our job(?:-array)? (\d+)"),
                active=("qstat", "-u", user, "-xml"),
                read_active=_age_active,
                cancel=("qdel",),
            )
        case "kubernetes":
            return Scheduler(
                name=name,
                setup=(
                    '[ -n "${JOB_COMPLETION_INDEX-}" ] && '
                    "TASK=$((JOB_COMPLETION_INDEX + 1))\n"
                ),
                job_key="$COCODESIGN_JOB${TASK:+_$TASK}",
                task_variable="TASK",
                submit=_kubernetes_submit,
                job_number=re.compile(r"^job\.batch/(\S+)", re.MULTILINE),
                active=(*_KUBECTL, "get", "jobs", "-l", KUBERNETES_LABEL, "-o", "json"),
                read_active=_kubernetes_active,
                cancel=(*_KUBECTL, "delete", "job", "--wait=false"),
            )


def job_number(key: str) -> str:
    """Return the number of the job, or of the array, that a key belongs to.

    Example:
        >>> job_number("123_4")
        '123'
    """
    return key.partition("_")[0]


def _slurm_submit(name: str, log: str, num_tasks: int) -> list[str]:
    array = [f"--array=1-{num_tasks}"] if num_tasks > 1 else []
    # A job that is preempted and comes back must not erase its first life's log.
    of_job = [f"--job-name={name}", f"--output={log}", "--open-mode=append"]
    return ["sbatch", "--parsable", *of_job, *array]


def _pbs_submit(name: str, log: str, num_tasks: int) -> list[str]:
    array = ["-J", f"1-{num_tasks}"] if num_tasks > 1 else []
    return ["qsub", "-N", name, "-j", "oe", "-o", log, *array]


def _age_submit(name: str, log: str, num_tasks: int) -> list[str]:
    array = ["-t", f"1-{num_tasks}"] if num_tasks > 1 else []
    return ["qsub", "-N", name, "-j", "y", "-o", log, "-S", "/bin/sh", *array]


def _kubernetes_submit(name: str, log: str, num_tasks: int) -> list[str]:
    del name, log, num_tasks  # they stand in the manifest
    return [*_KUBECTL, "create", "-o", "name", "-f"]


def _slurm_active(text: str) -> set[str]:
    rows = (line.split() for line in text.splitlines())
    return {row[0] for row in rows if len(row) == 2 and row[1] in _SLURM_ACTIVE}


def _pbs_active(text: str) -> set[str]:
    jobs: dict[str, Any] = json.loads(text or "{}").get("Jobs", {})
    found: set[str] = set()
    for name, facts in jobs.items():
        match = re.match(r"(\d+)(?:\[(\d*)\])?", name)
        if match and facts.get("job_state") not in _PBS_ENDED:
            number, task = match.groups()
            found.add(f"{number}_{task}" if task else number)
    return found


def _age_active(text: str) -> set[str]:
    found: set[str] = set()
    for job in ElementTree.fromstring(text).iter("job_list"):
        number = job.findtext("JB_job_number", "")
        if "E" in job.findtext("state", ""):  # an error: it waits for an operator
            continue
        tasks = job.findtext("tasks", "")
        found |= {f"{number}_{task}" for task in _age_tasks(tasks)} or {number}
    return found


def _kubernetes_active(text: str) -> set[str]:
    found: set[str] = set()
    for job in json.loads(text)["items"]:
        conditions: list[dict[str, str]] = job.get("status", {}).get("conditions", [])
        ends = {each["type"] for each in conditions if each["status"] == "True"}
        if not ends & {"Complete", "Failed"}:
            found.add(job["metadata"]["name"])
    return found


def _age_tasks(text: str) -> Sequence[int]:
    """Read ``7``, ``2,5`` or ``3-9:2``, as Grid Engine lists tasks."""
    tasks: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, rest = part.partition("-")
        last, _, step = rest.partition(":")
        tasks += range(int(first), int(last or first) + 1, int(step or 1))
    return tasks
