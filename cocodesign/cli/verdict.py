"""``cocodesign verdict``: does the programme's claim hold here?"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from cocodesign.claims import Verdict

_COLOURS = {"PASS": "green", "DRIFT": "yellow", "FAIL": "red", "NOT RUN": "dim"}


def verdict(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list instead of the table.")
    ] = False,
    part: Annotated[
        str | None, typer.Option("--only", help="Judge only this part's claims.")
    ] = None,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Print the reason of every verdict.")
    ] = False,
) -> None:
    """Judge every claim by the records at hand; status 1 if one of them fails."""
    found = current_verdicts(part)
    if as_json:
        typer.echo(json.dumps([each.to_dict() for each in found], indent=1))
    else:
        print_verdicts(found, reasons=reasons)
    if any(each.status == "FAIL" for each in found):
        raise typer.Exit(1)


def current_verdicts(part: str | None = None) -> "list[Verdict]":
    """Judge the ledger by the clone's runs and its committed records.

    Args:
        part: Judge only this part's claims; all if ``None``.

    Returns:
        The verdicts, in the ledger's order.

    Raises:
        ValueError: If no claim belongs to ``part``.
    """
    from cocodesign.claims import judge, load_claims
    from cocodesign.project import find_project
    from cocodesign.results import find_records

    project = find_project()
    claims = load_claims()
    if part is not None:
        parts = sorted({claim.part for claim in claims})
        if part not in parts:
            raise typer.BadParameter(f"{part!r} is none of {', '.join(parts)}")
        claims = tuple(claim for claim in claims if claim.part == part)
    folders = (project.committed_records, project.runs)
    records = [record for _, record in find_records(*folders)]
    return judge(claims, records)


def print_verdicts(verdicts: "list[Verdict]", *, reasons: bool) -> None:
    """Print verdicts as a table, with a count of each status below it."""
    from collections import Counter

    from rich.console import Console

    console = Console()
    console.print(_table(verdicts))
    if reasons:
        for each in verdicts:
            console.print(f"[bold]{each.claim.id}[/]: {each.claim.sentence}")
            console.print(f"  {each.reason}", style="dim", highlight=False)
    counts = Counter(each.status for each in verdicts)
    total = ", ".join(f"{counts[name]} {name}" for name in _COLOURS if counts[name])
    console.print(f"{len(verdicts)} claims: {total}", highlight=False)


def _table(verdicts: "list[Verdict]") -> "Table":
    from rich.table import Table

    table = Table(title="Claims and verdicts", title_justify="left")
    table.add_column("claim", no_wrap=True)
    for heading in ("paper", "measured here", "profile"):
        table.add_column(heading, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for each in verdicts:
        table.add_row(
            each.claim.id,
            each.claim.paper,
            _measured(each),
            each.profile or "",
            f"[{_COLOURS[each.status]}]{each.status}[/]",
        )
    return table


def _measured(verdict: "Verdict") -> str:
    """Return median and spread as text, nothing where nothing was measured."""
    found = verdict.measurement
    if found is None:
        return ""
    spread = f" ({found.low:.3g} to {found.high:.3g})" if len(found.values) > 1 else ""
    simulated = ", simulated" if found.simulated else ""
    return f"{found.median:.3g} {found.unit}{spread}{simulated}"
