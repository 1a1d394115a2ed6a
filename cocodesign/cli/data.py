"""``cocodesign data``: which data sets there are, and bringing them here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cocodesign.data.progress import FetchEvent, Progress

app = typer.Typer(
    help="List, fetch and verify data sets.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_STATE_COLOURS = {"ready": "green", "incomplete": "yellow", "absent": "dim"}

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…")]
All = Annotated[bool, typer.Option("--all", help="Every data set.")]


@app.command("list")
def list_datasets() -> None:
    """List the data sets, and which of them are here."""
    from rich.console import Console
    from rich.table import Table

    from cocodesign.data.cache import dataset_state
    from cocodesign.data.manifest import dataset_names, read_manifest

    table = Table()
    for heading in ("name", "state", "size", "licence"):
        table.add_column(heading, no_wrap=True)
    table.add_column("title", overflow="fold")
    for manifest in map(read_manifest, dataset_names()):
        state = dataset_state(manifest)
        table.add_row(
            manifest.name,
            f"[{_STATE_COLOURS[state]}]{state}[/]",
            f"{manifest.size_bytes / 1e6:.1f} MB",
            manifest.licence,
            manifest.title,
        )
    Console().print(table)


@app.command()
def fetch(
    names: Names = None,
    *,
    every: All = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all files that are here already.")
    ] = False,
    stamp: Annotated[
        Path | None,
        typer.Option(help="Write the digests there; untouched if nothing changed."),
    ] = None,
) -> None:
    """Fetch data sets; what is here already is left alone."""
    from cocodesign.data import data_digests, fetch_dataset

    chosen = _chosen(names, every=every)
    digests = dict[str, str]()
    for name in chosen:
        with _shown_progress() as progress:
            folder = fetch_dataset(name, verify=verify, progress=progress)
        digests |= data_digests(name)
        typer.echo(f"{name}: ready in {folder}")
    if stamp is not None:
        _write_if_changed(stamp, json.dumps(digests, indent=1) + "\n")


@app.command()
def verify(names: Names = None, *, every: All = False) -> None:
    """Compare the content of data sets that are here with their manifests."""
    from cocodesign.data.fetching import verify_dataset
    from cocodesign.errors import DataUnavailableError

    for name in _chosen(names, every=every):
        try:
            folder = verify_dataset(name)
        except DataUnavailableError:
            if not every:
                raise
            typer.echo(f"{name}: not here")
            continue
        typer.echo(f"{name}: all files in {folder} are right")


@app.command()
def where() -> None:
    """Print the folder that keeps the data sets; COCODESIGN_DATA changes it."""
    from cocodesign.data import data_home

    typer.echo(data_home())


def _chosen(names: list[str] | None, *, every: bool) -> list[str]:
    """Return the data sets that are meant, all of them known."""
    from cocodesign.data.manifest import dataset_names, read_manifest

    if every == bool(names):
        raise typer.BadParameter("give the names of data sets, or --all")
    chosen = list(dataset_names()) if every else list(names or ())
    for name in chosen:
        try:
            read_manifest(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return chosen


@contextmanager
def _shown_progress() -> "Iterator[Progress]":
    """Show a fetch on stderr: a bar on a terminal, a line for each step in a log."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _print_step
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn

    columns = (SpinnerColumn(), "{task.description}", BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=None)

        def show(event: "FetchEvent") -> None:
            if event.done_bytes is None:
                line = f"{event.dataset}: {event.message}"
                bars.console.print(line, markup=False, highlight=False)
            bars.update(
                bar,
                description=event.message,
                completed=event.done_bytes or 0,
                total=event.total_bytes,
            )

        yield show


def _print_step(event: "FetchEvent") -> None:
    if event.done_bytes is None:
        typer.echo(f"{event.dataset}: {event.message}", err=True)


def _write_if_changed(path: Path, text: str) -> None:
    """Keep a file's time stamp, which the workflow looks at, if the text is old."""
    from cocodesign.files import write_atomically

    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text)
