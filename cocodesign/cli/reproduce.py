"""``cocodesign reproduce``: data, notebooks, figures and the verdict, in one go."""

import sys
import time
from contextlib import nullcontext
from typing import Annotated

import typer


def reproduce(
    *,
    profile: Annotated[
        str,
        typer.Option(
            help="smoke: a minute each on a CPU; laptop: six minutes each on two "
            "cores; gpu: one GPU; paper: the programme's scale, on your data."
        ),
    ] = "laptop",
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this part, such as kfac; may be given again."),
    ] = None,
    cluster: Annotated[
        str,
        typer.Option(
            help="Where the notebooks run: a folder of workflow/profiles, such as "
            "slurm, pbs, age, kubernetes; this machine by default."
        ),
    ] = "laptop",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would run, run nothing.")
    ] = False,
) -> None:
    """Fetch the data, run the notebooks, draw the figures, judge the claims.

    What is up to date is left alone: a second call with nothing changed runs nothing,
    and after an interruption the call goes on with what is missing.
    """
    from filelock import FileLock, Timeout

    from cocodesign.cli.following import following
    from cocodesign.cli.verdict import current_verdicts, print_verdicts
    from cocodesign.cli.workflow import (
        describe_workflow,
        notebook_parts,
        run_workflow,
    )
    from cocodesign.clusters import read_cluster
    from cocodesign.errors import WorkflowError
    from cocodesign.project import find_project
    from cocodesign.results import PROFILES

    if profile not in PROFILES:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}")
    project = find_project()
    clusters = sorted(path.name for path in (project.workflow / "profiles").iterdir())
    if cluster not in clusters:
        raise typer.BadParameter(f"{cluster!r} is none of {', '.join(clusters)}")
    parts = only or []
    _check_parts(notebook_parts(project, profile), parts, profile)
    if dry_run:
        describe_workflow(project, profile=profile, parts=parts, cluster=cluster)
        return
    is_far = read_cluster(project.workflow / "profiles" / cluster) is not None
    started = time.monotonic()
    project.runs.mkdir(exist_ok=True)
    try:
        with (
            FileLock(project.runs / ".reproduce.lock", timeout=0),
            following(project.runs, f"-{profile}") if is_far else nullcontext(),
        ):
            status = run_workflow(
                project, profile=profile, parts=parts, cluster=cluster
            )
    except Timeout as error:
        raise WorkflowError(
            f"another cocodesign reproduce is at work in {project.root}: wait for it, "
            "or stop it first"
        ) from error
    print_verdicts(current_verdicts(), reasons=False)
    typer.echo(f"figures: {project.figures}")
    typer.echo(f"profile {profile}, {time.monotonic() - started:.0f} s")
    if status:
        typer.secho(
            f"error: some steps did not finish, see {project.runs / 'logs'}",
            fg=typer.colors.RED,
            err=True,
        )
        sys.exit(status)


def _check_parts(known: dict[str, bool], parts: list[str], profile: str) -> None:
    """Refuse a part that has no notebook, or none at the profile."""
    for part in parts:
        if part not in known:
            raise typer.BadParameter(
                f"no notebook is of the part {part!r}; there are {', '.join(known)}"
            )
    chosen = parts or list(known)
    if not any(known[part] for part in chosen):
        raise typer.BadParameter(
            f"no notebook of {', '.join(parts) or 'any part'} has parameters for the "
            f"profile {profile}"
        )
