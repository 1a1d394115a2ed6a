"""``cocodesign run``: execute one notebook."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cocodesign.results import RunRecord
    from cocodesign.runner import Parameter

_SIGNAL_STATUS = 128  # what a shell reports for a program ended by signal n: 128 + n


def run(
    notebook: Annotated[
        str, typer.Argument(help="A path, or a name such as 10_kfac_convergence.")
    ],
    profile: Annotated[
        str, typer.Option("--profile", help="Whose values to take.")
    ] = "smoke",
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", metavar="NAME=VALUE", help="Set a parameter."
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the executed copy and the record; "
            "runs/<notebook>-<profile>-<time> by default."
        ),
    ] = None,
    cell_timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="Limit for each cell."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="Limit for all cells."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="File that gets a line for each cell.")
    ] = None,
    *,
    join: Annotated[
        bool,
        typer.Option(
            "--join",
            help="If another process runs this in the same folder, wait for it and "
            "share its record.",
        ),
    ] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="Show the parameters, run nothing.")
    ] = False,
) -> None:
    """Execute a notebook headless and keep what it finds.

    The exit status is 0 if it wrote its record, 1 if not, 130 or 143 if Ctrl-C or
    SIGTERM stopped it.
    """
    with without_iri_grammar():
        from cocodesign import runner
    from rich.console import Console

    from cocodesign.errors import CocodesignError, RunStoppedError

    path = find_notebook(notebook)
    declared = runner.read_parameters(path)
    console = Console()
    if list_only:
        _print_parameters(console, declared)
        return
    from cocodesign.runner.display import show_progress

    values = dict(runner.parse_assignment(text, declared) for text in parameter or ())
    folder = run_dir or _default_run_dir(path.stem, profile)
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") if log else nullcontext() as log_stream:
        try:
            with show_progress(console, log_stream) as report:
                record = runner.run_notebook(
                    path,
                    run_dir=folder,
                    profile=profile,
                    parameters=values,
                    cell_timeout_s=cell_timeout,
                    total_timeout_s=timeout,
                    report=report,
                    join=join,
                )
        except CocodesignError as error:
            if log_stream:
                print(f"error: {error}", file=log_stream)
            if isinstance(error, RunStoppedError) and error.signal_number:
                typer.secho(f"stopped: {error}", fg=typer.colors.YELLOW, err=True)
                raise typer.Exit(_SIGNAL_STATUS + error.signal_number) from error
            raise
    _print_record(console, folder, record)


def find_notebook(name: str) -> Path:
    """Return a notebook given by its path or its name in the project."""
    from cocodesign.errors import NotebookError
    from cocodesign.project import find_project

    path = Path(name)
    if path.is_file():
        return path
    if path.suffix == ".ipynb" or len(path.parts) > 1:
        raise NotebookError(f"there is no notebook {name}")
    folder = find_project().notebooks
    path = folder / f"{name}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.ipynb")))
        raise NotebookError(f"there is no notebook {name!r} in {folder}, only: {known}")
    return path


def _default_run_dir(stem: str, profile: str) -> Path:
    from cocodesign.project import find_project

    return find_project().runs / f"{stem}-{profile}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


@contextmanager
def without_iri_grammar() -> Iterator[None]:
    """Import nbformat in a tenth of the time.

    Its validator, jsonschema, builds the grammar of internationalized addresses where
    the optional package rfc3987_syntax is installed, which takes longer than all other
    imports together. No notebook needs it, and jsonschema does without.
    """
    name = "rfc3987_syntax"
    if name in sys.modules:
        yield
        return
    modules: dict[str, ModuleType | None] = sys.modules  # pyright: ignore[reportAssignmentType]
    modules[name] = None  # makes its import an ImportError
    try:
        yield
    finally:
        del sys.modules[name]


def _print_parameters(console: "Console", declared: "tuple[Parameter, ...]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("parameter", "type", "default", "meaning", box=None)
    for parameter in declared:
        row = (
            parameter.name,
            str(parameter.type),
            repr(parameter.default),
            parameter.help,
        )
        table.add_row(*map(Text, row))
    console.print(table)


def _print_record(console: "Console", run_dir: Path, record: "RunRecord") -> None:
    from rich.text import Text

    for name, metric in record.metrics.items():
        spread = f"  ({metric.low:.4g} to {metric.high:.4g})"
        text = f"{name} = {metric.median:.4g} {metric.unit}"
        console.print(Text(text + spread if len(metric.values) > 1 else text))
    console.print(Text(f"record: {run_dir / 'record.json'}"), soft_wrap=True)
