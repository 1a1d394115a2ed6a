"""``cocodesign reproduce``: data, notebooks, figures and the verdict, in one go."""

import sys
import time
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
    site: Annotated[
        str,
        typer.Option(help="Where it runs: a folder of workflow/profiles."),
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

    from cocodesign.cli.verdict import current_verdicts, print_verdicts
    from cocodesign.cli.workflow import describe_workflow, run_workflow
    from cocodesign.errors import WorkflowError
    from cocodesign.project import find_project
    from cocodesign.results import PROFILES

    if profile not in PROFILES:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}")
    project = find_project()
    sites = sorted(path.name for path in (project.workflow / "profiles").iterdir())
    if site not in sites:
        raise typer.BadParameter(f"{site!r} is none of {', '.join(sites)}")
    parts = only or []
    if dry_run:
        describe_workflow(project, profile=profile, parts=parts, site=site)
        return
    started = time.monotonic()
    project.runs.mkdir(exist_ok=True)
    try:
        with FileLock(project.runs / ".reproduce.lock", timeout=0):
            status = run_workflow(project, profile=profile, parts=parts, site=site)
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
