"""``cocodesign sweep``: a notebook over a grid of parameters."""

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cocodesign.sweeps import Sweep

_SIGNAL_STATUS = 128


def sweep(
    notebook: Annotated[
        str, typer.Argument(help="A path, or a name such as 10_kfac_convergence.")
    ],
    axis: Annotated[
        list[str],
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME=VALUE,VALUE",
            help="An axis of the grid, such as damping=1e-3,1e-2 or seed=0..4.",
        ),
    ],
    profile: Annotated[
        str, typer.Option(help="Whose values hold for all other parameters.")
    ] = "smoke",
    cluster: Annotated[
        str,
        typer.Option(
            help="Where it runs: a folder of workflow/profiles, such as slurm, where "
            "the grid is one array; this machine by default."
        ),
    ] = "laptop",
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the runs, the table and the picture; "
            "runs/sweeps/<notebook>-<profile> by default."
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a failed point is tried again.")
    ] = 1,
    colour_by: Annotated[
        str | None, typer.Option(help="The metric that colours the picture's lines.")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="List the points, run nothing.")
    ] = False,
) -> None:
    """Run a notebook over a grid of parameters and tabulate what it measures.

    Points that have their record are left alone, so an interrupted sweep goes on and a
    longer axis adds its new points. The exit status is 1 if a point has no record.
    """
    from cocodesign.cli.run import find_notebook, without_iri_grammar

    with without_iri_grammar():
        from cocodesign.sweeps import plan_sweep
    from cocodesign.clusters import Jobs, read_cluster
    from cocodesign.data import fetch_dataset
    from cocodesign.project import find_project
    from cocodesign.sweeps import run_here, run_on_cluster

    path, project = find_notebook(notebook).resolve(), find_project()
    settings = project.workflow / "profiles" / cluster
    if not settings.is_dir():
        known = sorted(each.name for each in settings.parent.iterdir())
        raise typer.BadParameter(f"{cluster!r} is none of {', '.join(known)}")
    place = folder or project.runs / "sweeps" / f"{path.stem}-{profile}"
    plan = plan_sweep(path, axis, profile=profile, folder=place.resolve())
    missing = plan.missing()
    if dry_run:
        for point in missing:
            typer.echo(f"would run {point.name}")
    typer.echo(f"{len(plan.points)} points, {len(missing)} without a record")
    if dry_run:
        return
    plan.write()
    for name in plan.datasets:
        fetch_dataset(name)
    site = read_cluster(settings)
    if site is None:
        run_here(plan, retries=retries, tell=typer.echo)
    else:
        signal.signal(signal.SIGTERM, _stop)
        jobs = Jobs(site, project.root, plan.folder / "jobs")
        run_on_cluster(plan, jobs, retries=retries, tell=typer.echo)
    _show(plan, colour_by)


def _show(plan: "Sweep", colour_by: str | None) -> None:
    """Write table and picture; status 1 if a point is missing."""
    from cocodesign.figures import export_figure
    from cocodesign.sweeps import draw_sweep, sweep_table, write_table

    table = sweep_table(plan)
    typer.echo(f"table: {write_table(table, plan.folder)}")
    num_missing = len(plan.missing())
    if num_missing < len(plan.points):
        names = [axis.name for axis in plan.axes]
        figure = draw_sweep(table, names, colour_by=colour_by)
        for path in export_figure(figure, "sweep", plan.folder, formats=()):
            typer.echo(f"picture: {path}")
    if num_missing:
        text = f"error: {num_missing} of {len(plan.points)} points have no record"
        typer.secho(f"{text}, see cocodesign runs {plan.folder}", fg="red", err=True)
        raise typer.Exit(1)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's form
    raise SystemExit(_SIGNAL_STATUS + number)
