"""``cocodesign gallery``: executed notebooks as web pages."""

from pathlib import Path
from typing import Annotated

import typer


def gallery(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pages [docs/gallery].")
    ] = None,
) -> None:
    """Write executed notebooks and verdicts as light web pages without scripts."""
    from cocodesign.cli.run import without_iri_grammar

    with without_iri_grammar():
        from cocodesign.gallery import build_gallery
    from cocodesign.project import find_project

    project = find_project()
    files = build_gallery(project, out or project.root / "docs" / "gallery")
    num_bytes = sum(path.stat().st_size for path in files)
    typer.echo(f"{len(files)} files, {num_bytes / 1000:,.0f} kB: {files[0]}")
