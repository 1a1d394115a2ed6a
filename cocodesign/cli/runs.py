"""``cocodesign runs``: what became of the runs."""

from pathlib import Path
from typing import Annotated

import typer

_STYLES = {"running": "cyan", "finished": "green", "failed": "red", "dead": "magenta"}


def runs(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of the run folders; the project's runs by default."
        ),
    ] = None,
) -> None:
    """List the runs: running, finished, failed, or dead (killed without a word)."""
    from cocodesign.cli.run import without_iri_grammar

    with without_iri_grammar():
        from cocodesign.runner import list_runs
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cocodesign.project import find_project

    folder = folder or find_project().runs
    table = Table(
        "run", "status", "started (UTC)", "heartbeat", "process", "", box=None
    )
    for state in list_runs(folder):
        started = datetime.fromtimestamp(state.started, UTC)
        is_over = state.status in ("finished", "failed")
        table.add_row(
            Text(state.run_dir.name),
            Text(state.status, style=_STYLES[state.status]),
            Text(f"{started:%Y-%m-%d %H:%M:%S}"),
            Text("" if is_over else f"{state.heartbeat_age_s:.0f} s ago"),
            Text(f"{state.pid} on {state.host}"),
            Text(state.message.partition("\n")[0]),
        )
    if table.row_count:
        Console().print(table)
    else:
        typer.echo(f"no runs in {folder}")
