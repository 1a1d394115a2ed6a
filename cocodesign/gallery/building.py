"""From executed notebooks and records to a folder of web pages."""

import json
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path

import plotly.graph_objects as go

from cocodesign.claims import judge, load_claims
from cocodesign.errors import FigureError
from cocodesign.figures import export_figure
from cocodesign.figures.export import CHROME_HINT, find_chrome, shared_browser
from cocodesign.files import write_atomically
from cocodesign.gallery.cells import cells_html
from cocodesign.gallery.executed import ExecutedNotebook, choose_executed
from cocodesign.gallery.pages import STYLE_NAME, index_page, notebook_page, style_sheet
from cocodesign.project import Project
from cocodesign.results import RunRecord, find_records

_INDEX_NOTEBOOKS = ("00_overview",)  # the index is its page


def build_gallery(project: Project, folder: Path) -> list[Path]:
    """Write the gallery of a clone.

    Args:
        project: The clone; its runs are shown.
        folder: Where the pages go; made if missing. Pages and pictures of notebooks
            that have no run any more are removed.

    Returns:
        The written files, the index first.

    Raises:
        FigureError: If there is no Chrome to draw the pictures with.
        RecordError: If a record cannot be read.
    """
    if find_chrome() is None:
        raise FigureError(f"the gallery's figures are pictures: {CHROME_HINT}")
    chosen = choose_executed(project.runs, without=_INDEX_NOTEBOOKS)
    written: list[Path] = []
    shown: list[tuple[RunRecord, str]] = []
    with shared_browser():
        for executed in chosen:
            question, files = _write_page(executed, project.root, folder)
            shown.append((executed.record, question))
            written += files
    records = [
        record for _, record in find_records(project.committed_records, project.runs)
    ]
    index = folder / "index.html"
    write_atomically(index, index_page(shown, judge(load_claims(), records)))
    style = folder / STYLE_NAME
    write_atomically(style, style_sheet())
    _remove_others(folder, {index, style, *written})
    return [index, style, *written]


@dataclass
class _Pictures:
    """Draws a page's figures into files beside it.

    Attributes:
        folder: Where the files go.
        stem: What their names begin with.
        written: The files so far.
    """

    folder: Path
    stem: str
    written: list[Path]

    def draw(self, figure: go.Figure) -> str:
        name = f"{self.stem}-{len(self.written) + 1}"
        with tempfile.TemporaryDirectory() as exported:
            svg = export_figure(figure, name, Path(exported), ("svg",))[-1]
            path = self.folder / svg.name
            write_atomically(path, svg.read_bytes())
        self.written.append(path)
        title = figure.to_dict()["layout"].get("title", {}).get("text", "a figure")
        return f'<img src="{path.name}" alt="{escape(title)}">'


def _write_page(
    executed: ExecutedNotebook, root: Path, folder: Path
) -> tuple[str, list[Path]]:
    """Write a notebook's page and pictures; return its first heading and the files."""
    text = executed.path.read_text(encoding="utf-8")
    notebook = json.loads(
        text.replace(f"{root}/", "")
    )  # where the clone lay is nobody's
    pictures = _Pictures(folder, executed.record.notebook, [])
    body = cells_html(notebook, pictures.draw)
    page = folder / f"{executed.record.notebook}.html"
    write_atomically(page, notebook_page(executed.record, body))
    heading = "".join(notebook["cells"][0]["source"]).partition("\n")[0]
    return heading.lstrip("# "), [page, *pictures.written]


def _remove_others(folder: Path, kept: set[Path]) -> None:
    for suffix in ("html", "svg"):
        for path in folder.glob(f"*.{suffix}"):
            if path not in kept:
                path.unlink()
