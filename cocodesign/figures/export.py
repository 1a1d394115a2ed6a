"""Figures to files, the same bytes every time.

HTML is always written and needs nothing. SVG, PDF and PNG are rendered by a Chrome
or Chromium through kaleido. What these programs put in at random or by the clock
(element ids, PDF dates) is replaced by fixed text, so that two runs over the same
records give the same files.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cocodesign.errors import FigureError
from cocodesign.figures.style import HEIGHT_PX, WIDTH_PX
from cocodesign.files import write_atomically

if TYPE_CHECKING:
    import plotly.graph_objects as go

IMAGE_FORMATS = ("svg", "pdf", "png")
CHROME_HINT = (
    "no Chrome or Chromium found, so SVG, PDF and PNG are left out: install one "
    "(Debian: apt-get install chromium) or name it in BROWSER_PATH"
)

_CHROMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PNG_SCALE = 2  # pixels per CSS pixel, sharp on dense screens


def find_chrome() -> str | None:
    """Return the path of a Chrome or Chromium, ``None`` if there is none.

    ``BROWSER_PATH`` wins, as in kaleido; then the usual names are looked up.
    """
    named = os.environ.get("BROWSER_PATH")
    if named:
        return named if Path(named).is_file() else None
    return next((path for name in _CHROMES if (path := shutil.which(name))), None)


def export_figure(
    figure: "go.Figure", name: str, folder: Path, formats: Sequence[str] = IMAGE_FORMATS
) -> list[Path]:
    """Write a figure as HTML and as images.

    Args:
        figure: The figure.
        name: The files' name without suffix; it also seeds the elements' ids.
        folder: Where the files go; made if missing.
        formats: The image formats, of ``svg``, ``pdf`` and ``png``. They are left
            out where no Chrome is found; ``find_chrome`` tells.

    Returns:
        The written files, HTML first.

    Raises:
        ValueError: If a format is unknown.
        FigureError: If Chrome fails to render the figure.
    """
    unknown = set(formats) - set(IMAGE_FORMATS)
    if unknown:
        raise ValueError(f"unknown formats {sorted(unknown)}, know {IMAGE_FORMATS}")
    html = figure.to_html(include_plotlyjs=True, full_html=True, div_id=name)
    written = [folder / f"{name}.html"]
    write_atomically(written[0], html)
    if find_chrome():
        for suffix in formats:
            written.append(folder / f"{name}.{suffix}")
            write_atomically(written[-1], _rendered(figure, name, suffix))
    return written


@contextmanager
def shared_browser() -> Iterator[None]:
    """Keep one browser for all exports inside a ``with`` block.

    A browser takes two seconds to start; a figure then takes a fifth of one.

    Yields:
        Nothing.
    """
    if not find_chrome():
        yield
        return
    import kaleido

    kaleido.start_sync_server(n=1, silence_warnings=True)
    try:
        yield
    finally:
        kaleido.stop_sync_server(silence_warnings=True)


def _rendered(figure: "go.Figure", name: str, suffix: str) -> bytes:
    # kaleido itself, since plotly's to_image warns beside a shared browser
    import kaleido

    fixed = _with_trace_ids(figure, name)
    options = {
        "format": suffix,
        "width": figure.layout.width or WIDTH_PX,
        "height": figure.layout.height or HEIGHT_PX,
        "scale": _PNG_SCALE if suffix == "png" else 1,
    }
    try:
        image: bytes = kaleido.calc_fig_sync(fixed.to_dict(), opts=options)
    except (RuntimeError, OSError, ValueError) as error:
        raise FigureError(f"{name}.{suffix} could not be rendered: {error}") from error
    if suffix == "svg":
        return _with_fixed_ids(image.decode(), name).encode()
    if suffix == "pdf":
        return _with_fixed_dates(image)
    return image


def _with_trace_ids(figure: "go.Figure", name: str) -> "go.Figure":
    """Return a copy whose traces carry their place as id instead of a random one."""
    import plotly.graph_objects as go

    fields = figure.to_dict()
    for index, trace in enumerate(fields["data"]):
        trace["uid"] = f"{name}-{index}"
    return go.Figure(fields)


def _with_fixed_ids(svg: str, name: str) -> str:
    """Replace the random layout id that plotly.js draws for each SVG."""
    found = re.search(r'id="defs-([0-9a-f]{6})"', svg)
    if found is None:
        raise FigureError(f"{name}.svg: plotly's layout id is not where it used to be")
    return svg.replace(found.group(1), "cocode")


def _with_fixed_dates(pdf: bytes) -> bytes:
    """Replace creation and modification date by dates of the same length."""
    pattern = rb"(/(?:CreationDate|ModDate) \(D:)\d{14}"
    return re.sub(pattern, rb"\g<1>20190331000000", pdf)
