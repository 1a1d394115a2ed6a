"""How the home page looks where it is not a widget: tables, badges, links."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

_STYLE = """
<style>
.cocodesign {font-size: var(--jp-ui-font-size1, 13px); line-height: 1.4;}
.cocodesign table {border-collapse: collapse; width: 100%; margin: 0;}
.cocodesign td, .cocodesign th {
  text-align: left; vertical-align: top; padding: 4px 8px; line-height: 1.4;
  white-space: normal; overflow-wrap: break-word;
  border-bottom: 1px solid var(--jp-border-color2, #DDD);
}
.cocodesign th {font-weight: 600; color: var(--jp-ui-font-color2, #666);}
.cocodesign summary {cursor: pointer;}
.cocodesign .badge {
  display: inline-block; color: white; border-radius: 3px; padding: 0 7px;
  font-weight: 600; white-space: nowrap; margin: 0 4px 2px 0;
}
.cocodesign .badge.quiet {
  color: var(--jp-ui-font-color2, #666); background: none; font-weight: 400;
  box-shadow: inset 0 0 0 1px var(--jp-border-color2, #CCC);
}
.cocodesign a {color: var(--jp-content-link-color, #1565C0);}
.cocodesign small {color: var(--jp-ui-font-color2, #666);}
.cocodesign .warning {
  border-left: 4px solid #B26A00; padding: 4px 10px; margin: 4px 0;
}
.cocodesign .differs {background: rgba(230, 159, 0, 0.18);}
.cocodesign pre.log {
  margin: 0; padding: 6px 10px; max-height: 140px; overflow: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px;
  background: var(--jp-layout-color2, #F4F4F4);
}
</style>
"""


def look() -> widgets.HTML:
    """Return what a panel needs among its children for its HTML to look right."""
    return widgets.HTML(_STYLE, layout=widgets.Layout(display="none"))


def styled(body: str) -> str:
    """Return a piece of HTML that takes the page's look.

    Args:
        body: The piece.

    Returns:
        Its HTML.
    """
    return f'<div class="cocodesign">{body}</div>'


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    widths: Sequence[str] = (),
) -> str:
    """Return a table.

    Args:
        headings: The columns' headings, plain text.
        rows: The cells, HTML already.
        widths: The columns' widths in CSS; the browser's choice if empty.

    Returns:
        Its HTML.
    """
    columns = "".join(f'<col style="width:{width}">' for width in widths)
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{columns}<tr>{head}</tr>{body}</table>"


def badge(text: str, colour: str | None, *, title: str = "") -> str:
    """Return a word on a coloured ground.

    Args:
        text: The word; it says all, the colour only repeats it.
        colour: The ground as ``#RRGGBB``; an outline if ``None``.
        title: What a pointer that rests on it is told.

    Returns:
        Its HTML.
    """
    hint = f' title="{escape(title)}"' if title else ""
    if colour is None:
        return f'<span class="badge quiet"{hint}>{escape(text)}</span>'
    ground = f'style="background:{colour}"'
    return f'<span class="badge" {ground}{hint}>{escape(text)}</span>'


def warning(text: str) -> str:
    """Return a sentence that should not be overlooked.

    Args:
        text: The sentence, plain text.

    Returns:
        Its HTML.
    """
    return f'<div class="warning" role="alert">⚠ {escape(text)}</div>'


def notebook_link(name: str, folder: Path) -> str:
    """Return a notebook's name as a link.

    In JupyterLab it opens a tab beside the page. The address is for everything else,
    such as a click with the middle button.

    Args:
        name: The notebook's name without folder and suffix; it lies beside the page.
        folder: The page's folder, seen from the folder that JupyterLab shows.

    Returns:
        Its HTML.
    """
    file = f"{name}.ipynb"
    arguments = json.dumps({"path": (folder / file).as_posix()})
    return (
        f'<a href="{escape(file)}" data-commandlinker-command="docmanager:open" '
        f'data-commandlinker-args="{escape(arguments)}"><b>{escape(name)}</b></a>'
    )
