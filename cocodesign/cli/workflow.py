"""Snakemake as a process: started, shown, stopped."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cocodesign.project import Project

_GUARD = Path(__file__).parents[1] / "runner" / "guard.py"
_SHOWN_CHARACTERS = 2_000  # of Snakemake's log, where it could not start
_STOP_GRACE_S = 10.0  # the runner needs three seconds to save a stopped notebook


def run_workflow(
    project: "Project", *, profile: str, parts: Sequence[str], cluster: str
) -> int:
    """Run what is out of date, showing what the steps print.

    The steps print to Snakemake's standard output, Snakemake itself to its standard
    error, which goes to ``runs/logs/workflow.log`` and is shown only if no step came
    to print anything. If this process is asked to stop, Snakemake and all its jobs
    are stopped first; if it is killed, the guard kills them.

    Args:
        project: The clone.
        profile: The notebooks' profile.
        parts: Only these parts; all if empty.
        cluster: The folder of ``workflow/profiles`` that says where jobs run.

    Returns:
        Snakemake's exit status, 0 if every step is done.
    """
    command = _command(project, profile, parts, cluster)
    log = project.runs / "logs" / "workflow.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    num_lines = 0
    with tempfile.TemporaryDirectory() as folder:
        guarded = [sys.executable, "-I", "-S", str(_GUARD)]
        words_to_log = ["/bin/sh", "-c", 'exec "$@" 2>"$0"', str(log)]
        with (
            subprocess.Popen(
                [*guarded, folder, *words_to_log, *command],
                cwd=project.root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as guard,
            _cancelling(project, cluster),
            _stopping(guard),
        ):
            assert guard.stdout is not None
            assert guard.stderr is not None
            for line in guard.stderr:
                typer.echo(line.rstrip())
                num_lines += 1
            status = _exit_status(guard.stdout.read())
            guard.wait()
    if status and not num_lines:
        typer.echo(log.read_text(encoding="utf-8")[-_SHOWN_CHARACTERS:], err=True)
    return status


def describe_workflow(
    project: "Project", *, profile: str, parts: Sequence[str], cluster: str
) -> None:
    """Print which steps are out of date and why; run nothing.

    Args:
        project: The clone.
        profile: The notebooks' profile.
        parts: Only these parts; all if empty.
        cluster: The folder of ``workflow/profiles`` that says where jobs run.
    """
    command = [*_command(project, profile, parts, cluster), "--dry-run"]
    answer = subprocess.run(
        command, cwd=project.root, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        typer.echo(answer.stdout + answer.stderr, err=True)
        raise typer.Exit(answer.returncode)
    steps = _planned_steps(answer.stdout)
    for name, reason in steps:
        typer.echo(f"would run {name}: {reason}")
    typer.echo(f"{len(steps)} steps" if steps else "everything is up to date")


def notebook_parts(project: "Project", profile: str) -> dict[str, bool]:
    """Return the parts that have notebooks.

    Args:
        project: The clone.
        profile: A profile.

    Returns:
        By part, whether one of its notebooks runs at the profile.
    """
    found: dict[str, bool] = {}
    for path in sorted(project.notebooks.glob("*.ipynb")):
        facts = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        part = facts.get("cocodesign", {}).get("part")
        if part is None or path.stem.startswith("00_"):
            continue
        parameters = project.parameters / f"{path.stem}.{profile}.yaml"
        runs = profile == "smoke" or parameters.is_file()
        found[part] = found.get(part, False) or runs
    return found


def _command(
    project: "Project", profile: str, parts: Sequence[str], cluster: str
) -> list[str]:
    folder = project.workflow / "profiles" / cluster
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(project.workflow / "Snakefile"),
        "--profile",
        str(folder),
        *_submission(folder, profile),
        "--nolock",  # cocodesign reproduce holds a lock that dies with it
        "--config",
        f"profile={profile}",
        f"only={' '.join(parts)}",
    ]


def _submission(folder: Path, profile: str) -> list[str]:
    """Return Snakemake's options for sending jobs to a cluster, none for laptops."""
    from cocodesign.clusters import read_cluster, scheduler

    cluster = read_cluster(folder)
    if cluster is None:
        return []
    call = [sys.executable, "-m", "cocodesign.clusters"]
    of_job = "{wildcards.notebook} {resources.gpus}"  # Snakemake fills it in
    submit = shlex.join([*call, "submit", str(folder), profile])
    return [
        "--cluster-generic-submit-cmd",
        f"{submit} {of_job}",
        "--cluster-generic-status-cmd",
        shlex.join([*call, "status", str(folder)]),
        "--cluster-generic-cancel-cmd",
        *scheduler(cluster.scheduler, user="").cancel,
    ]


def _planned_steps(output: str) -> list[tuple[str, str]]:
    """Return name and reason of every step that a dry run announces."""
    steps: list[tuple[str, str]] = []
    for block in re.split(r"^(?:local)?rule ", output, flags=re.MULTILINE)[1:]:
        name = block.partition(":")[0]
        facts = dict(re.findall(r"^ +(wildcards|reason): (.+)$", block, re.MULTILINE))
        if "wildcards" in facts:  # "notebook=10_kfac_convergence"
            name += " " + facts["wildcards"].partition("=")[2]
        if name != "everything":
            steps.append((name, facts.get("reason", "no reason given")))
    return steps


def _exit_status(end: str) -> int:
    """Return Snakemake's exit status from what the guard says at the end."""
    found = re.match(r"ended (\d+)", end)
    if found is None:
        return 1  # the guard was killed
    code = os.waitstatus_to_exitcode(int(found.group(1)))
    return code if code >= 0 else 128 - code


@contextmanager
def _stopping(guard: "subprocess.Popen[str]") -> Iterator[None]:
    """Stop Snakemake and its jobs when this process is told to stop."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's form
        raise SystemExit(128 + number)

    former = {
        name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for name, action in former.items():
            signal.signal(name, action)
        _stop(guard)


@contextmanager
def _cancelling(project: "Project", cluster: str) -> Iterator[None]:
    """Cancel the jobs on a cluster when this process is told to stop.

    Snakemake does so as well, but gives the scheduler only two seconds to answer.
    """
    from cocodesign.clusters import read_cluster, workflow_jobs

    try:
        yield
    except SystemExit:
        settings = read_cluster(project.workflow / "profiles" / cluster)
        if settings is not None:
            workflow_jobs(settings, project.root).cancel_all()
        raise


def _stop(guard: "subprocess.Popen[str]") -> None:
    """Ask everything behind the guard to stop, then make it."""
    if guard.poll() is not None:
        return
    for request, patience_s in ((b"i", _STOP_GRACE_S), (b"k", _STOP_GRACE_S)):
        try:
            assert guard.stdin is not None
            os.write(guard.stdin.fileno(), request)  # past the buffer, to fail once
            guard.wait(patience_s)
        except BrokenPipeError:  # it ended just now
            guard.wait()
        except subprocess.TimeoutExpired:
            continue
        return
    guard.kill()
