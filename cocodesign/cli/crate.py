"""``cocodesign crate``: runs packed for others, and such a package checked."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def crate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…", help="Run folders, or their names in the project's runs."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The crate's folder; runs/crates/<time> by default."),
    ] = None,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Judge the claims again from a crate; nothing is run."
        ),
    ] = False,
) -> None:
    """Pack runs, their records and verdicts as an RO-Crate (Process Run Crate).

    With --check, read a crate instead: compare its files with their digests, judge the
    claims by its records, and compare with the verdicts that it states; status 1 if
    they differ or a claim fails.
    """
    from cocodesign.cli.run import without_iri_grammar
    from cocodesign.cli.verdict import print_verdicts

    with without_iri_grammar():
        from cocodesign.crates import check_crate, write_crate

    if check:
        if len(paths) != 1 or out is not None:
            raise typer.BadParameter("--check takes one crate, and writes none")
        verdicts = check_crate(paths[0])
        typer.echo(f"{paths[0]}: all files are what it says, all verdicts follow")
    else:
        folder = out or _default_folder()
        verdicts = write_crate([_find_run(path) for path in paths], folder)
        typer.echo(f"crate: {folder}")
    print_verdicts(verdicts, reasons=check)
    if check and any(verdict.status == "FAIL" for verdict in verdicts):
        raise typer.Exit(1)


def _find_run(path: Path) -> Path:
    """Return a run folder given by its path or its name in the project."""
    from cocodesign.errors import CrateError
    from cocodesign.project import find_project

    if path.is_dir():
        return path.resolve()
    run = find_project().runs / path
    if not run.is_dir():
        raise CrateError(f"there is no run {path}; cocodesign runs lists them")
    return run


def _default_folder() -> Path:
    from cocodesign.project import find_project

    return find_project().runs / "crates" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
