"""Acting on jobs: submitting, looking, cancelling.

Whoever waits for many jobs asks for each of them every few seconds. The scheduler
itself is asked at most once in ten seconds, by whoever comes first; its answer is kept
in a file beside the notes that jobs write when they end.
"""

import getpass
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cocodesign.clusters.cluster import Cluster
from cocodesign.clusters.manifest import job_manifest
from cocodesign.clusters.scheduler import Scheduler, job_number, scheduler
from cocodesign.clusters.script import STOPPED, job_script
from cocodesign.errors import ClusterError
from cocodesign.files import write_atomically

JobStatus = Literal["running", "success", "failed"]

_LIST_NAME = "active.json"
_SUBMISSION_SUFFIX = ".submission"
_LIST_AGE_S = 10.0
_LOST_AFTER_S = 20.0  # two looks: a controller that restarts shows no jobs for a moment
_CALL_S = 60.0
_KEPT_VARIABLES = ("COCODESIGN_DATA",)  # the rest is the site's own on each node


@dataclass(frozen=True)
class Jobs:
    """Jobs of one cluster that belong together.

    Attributes:
        cluster: The site.
        root: The clone, on a file system that all nodes share; jobs run in it.
        folder: Where scripts, logs and notes are, on such a one.
    """

    cluster: Cluster
    root: Path
    folder: Path

    @property
    def python(self) -> str:
        """The Python that jobs call."""
        return self.cluster.python or sys.executable

    def submit(
        self, command: str, *, name: str, gpus: int, profile: str, num_tasks: int = 1
    ) -> str:
        """Submit a job, or an array of them.

        Args:
            command: Shell code, run in the clone; in an array it finds its task's
                number, from 1, in ``$COCODESIGN_TASK``.
            name: A name for people.
            gpus: The GPUs that it needs.
            profile: The notebooks' profile, which says how long it may take.
            num_tasks: How often to run the command.

        Returns:
            The job's number, which is its key; an array's tasks have the keys that
            ``task_key`` gives.

        Raises:
            ClusterError: If the scheduler refuses.
        """
        dialect = self._dialect
        token = secrets.token_hex(4)
        # Grid Engine takes no name that begins with a digit, Kubernetes no long one.
        plain = "cd-" + re.sub(r"[^A-Za-z0-9-]", "-", name)[:40]
        unique = f"{plain}-{token}".lower()
        log = self.folder / f"{unique}.log"
        options = self.cluster.submit_options(gpus=gpus, profile=profile)
        words = [*dialect.submit(plain, str(log), num_tasks), *options]
        path = self._write_script(command, unique, token)
        if self.cluster.manifest:
            text = job_manifest(
                self.cluster.manifest,
                name=unique,
                script=path,
                log=log,
                num_tasks=num_tasks,
                gpus=max(gpus, self.cluster.least_gpus),
                minutes=self.cluster.minutes[profile],
            )
            path = self.folder / f"{unique}.yaml"
            write_atomically(path, text)
        answer = _call([*words, str(path)])
        found = dialect.job_number.search(answer)
        if found is None:
            raise ClusterError(
                f"{words[0]} answered {answer.strip()!r}, which names no job"
            )
        number = found.group(1)
        for stale in (f"{number}.missing", f"{number}_*.missing"):  # of a namesake
            for file in self.folder.glob(stale):
                file.unlink(missing_ok=True)
        write_atomically(self._submission(number), token)
        return number

    def status(self, key: str) -> JobStatus:
        """Return how a job does.

        Args:
            key: The job's key.

        Returns:
            ``running`` also while it waits, and while the scheduler does not answer;
            ``failed`` also if it was stopped, or vanished with its node, and does not
            come back within 20 s.
        """
        if self._noted(key) == 0:
            return "success"
        active = self._active()
        if active is None or key in active or job_number(key) in active:
            self._missing(key).unlink(missing_ok=True)
            return "running"  # with a note of failure: preempted, and to begin again
        noted = self._noted(key)  # it may have ended since the first look
        if noted in (None, STOPPED) and not self._is_lost(key):
            return "running"
        return "success" if noted == 0 else "failed"

    def cancel(self, keys: Sequence[str]) -> None:
        """Cancel jobs, whole arrays for keys of tasks; ended ones are left alone.

        Args:
            keys: The jobs' keys.
        """
        numbers = sorted({job_number(key) for key in keys})
        with suppress(ClusterError):  # they complain about jobs that have ended
            if numbers:
                _call([*self._dialect.cancel, *numbers])

    def cancel_all(self) -> None:
        """Cancel every job of the folder that waits or runs."""
        numbers = {path.stem for path in self.folder.glob(f"*{_SUBMISSION_SUFFIX}")}
        (self.folder / _LIST_NAME).unlink(missing_ok=True)  # it may be too old
        active = self._active() or set()
        self.cancel([key for key in active if job_number(key) in numbers])

    @property
    def _dialect(self) -> Scheduler:
        return scheduler(self.cluster.scheduler, user=getpass.getuser())

    def _write_script(self, command: str, name: str, token: str) -> Path:
        kept = {name: os.environ.get(name) for name in _KEPT_VARIABLES}
        text = job_script(
            self._dialect,
            command,
            folder=self.root,
            notes=self.folder,
            token=token,
            prefix=self.cluster.prefix,
            environment={name: value for name, value in kept.items() if value},
        )
        path = self.folder / f"{name}.sh"
        write_atomically(path, text)
        return path

    def _noted(self, key: str) -> int | None:
        """Return the exit status that a job noted, ``None`` before its end."""
        try:
            status, token = (self.folder / key).read_text(encoding="utf-8").split()
            submission = self._submission(job_number(key)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return int(status) if token == submission else None

    def _submission(self, number: str) -> Path:
        """Return the file with the token of a job's submission."""
        return self.folder / f"{number}{_SUBMISSION_SUFFIX}"

    def _active(self) -> set[str] | None:
        """Return the keys of the jobs that wait or run; ``None`` if nobody knows."""
        path = self.folder / _LIST_NAME
        # Times stand in the files: a file server's clock may differ from this one.
        with suppress(FileNotFoundError):
            asked, active = json.loads(path.read_text(encoding="utf-8"))
            if 0 <= time.time() - asked < _LIST_AGE_S:
                return set(active)
        try:
            found = self._dialect.read_active(_call(self._dialect.active))
        except (ClusterError, ValueError, SyntaxError):  # no answer, or half of one
            return None
        write_atomically(path, json.dumps([time.time(), sorted(found)]))
        return found

    def _missing(self, key: str) -> Path:
        return self.folder / f"{key}.missing"

    def _is_lost(self, key: str) -> bool:
        """Return whether a job without a note has been off the list for a while."""
        path = self._missing(key)
        try:
            since = float(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            write_atomically(path, str(time.time()))
            return False
        return time.time() - since > _LOST_AFTER_S


def workflow_jobs(cluster: Cluster, root: Path) -> Jobs:
    """Return the jobs of a clone's workflow, one a notebook."""
    return Jobs(cluster, root, root / "runs" / "jobs")


def task_key(number: str, task: int, num_tasks: int) -> str:
    """Return the key of an array's task.

    Args:
        number: What ``Jobs.submit`` gave.
        task: The task's number, from 1.
        num_tasks: As submitted; a single task is no array.

    Returns:
        The key.

    Example:
        >>> task_key("123", 4, 9), task_key("123", 1, 1)
        ('123_4', '123')
    """
    return f"{number}_{task}" if num_tasks > 1 else number


def _call(command: Sequence[str]) -> str:
    """Run a scheduler's command and return what it prints."""
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_CALL_S, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError(
            f"there is no {command[0]} here: run this on the cluster's login node"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{command[0]} did not answer in {_CALL_S:.0f} s") from error
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip()
        raise ClusterError(f"{command[0]} failed: {said}")
    return answer.stdout
