"""The layers as a picture, drawn into ``design.md`` from the rule that checks them."""

import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig

from cocodesign.project import find_project

MARK = "<!-- layers: drawn when the site is built -->"

Layer = tuple[tuple[str, ...], str]  # names on one line, what they are

_BLOCK = re.compile(r"^layers = \[.*?\n(.*?)^\]", re.M | re.S)
_LINE = re.compile(r'^ *"([^"]+)",(?: *# *(.*))?$', re.M)

# Pixels; text is measured by its characters, as no browser is at hand.
_ROW, _BOX, _LEFT, _GAP, _PAD = 40, 28, 36, 8, 9
_CHARACTER, _CAPTION_CHARACTER = 7.9, 7.0


def on_page_markdown(markdown: str, config: MkDocsConfig, **_context: Any) -> str:
    """Put the picture where the page asks for it."""
    if MARK not in markdown:
        return markdown
    project = find_project(Path(config.config_file_path).parent)
    text = (project.root / "pyproject.toml").read_text(encoding="utf-8")
    present = {path.stem for path in (project.root / "cocodesign").iterdir()}
    return markdown.replace(MARK, layers_picture(read_layers(text, present)))


def read_layers(pyproject: str, present: set[str]) -> list[Layer]:
    """Return the layers of the package from the rule for import-linter.

    Args:
        pyproject: The text of ``pyproject.toml``: its comments say what a layer is.
        present: The modules that there are; others may be planned.

    Returns:
        The layers from the top down, each with the names on its line and its comment.
    """
    block = _BLOCK.search(pyproject)
    assert block is not None, "pyproject.toml has no layers"
    layers = []
    for line, comment in _LINE.findall(block[1]):
        names = [name.strip(" ()") for name in re.split(r"[|:]", line)]
        if found := tuple(name for name in names if name in present):
            layers.append((found, comment))
    return layers


def layers_picture(layers: list[Layer]) -> str:
    """Return the layers as SVG, in the colours of the page around it.

    Args:
        layers: From the top down.

    Returns:
        One element without empty lines, which Markdown leaves as it is.
    """
    shapes: list[str] = []
    widest = 0.0
    for row, (names, caption) in enumerate(layers):
        x, y = float(_LEFT), row * _ROW + 4
        for name in names:
            width = _CHARACTER * len(name) + 2 * _PAD
            shapes.append(_box(name, x, y, width))
            x += width + _GAP
        shapes.append(_caption(caption, x, y))
        widest = max(widest, x + _CAPTION_CHARACTER * len(caption))
    height = len(layers) * _ROW
    arrow = (
        f'<path d="M12 6 V{height - 10} m-5 -8 l5 8 l5 -8" fill="none" '
        'stroke="currentColor" stroke-width="1.5"/>'
    )
    return (
        f'<svg viewBox="0 0 {widest:.0f} {height}" role="img" '
        'aria-label="The layers of the package; imports go down only" '
        f'style="width:100%;max-width:{widest:.0f}px">{arrow}{"".join(shapes)}</svg>'
    )


def _box(name: str, x: float, y: float, width: float) -> str:
    middle = x + width / 2
    return (
        f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_BOX}" rx="5" '
        'fill="currentColor" fill-opacity="0.07" stroke="currentColor" '
        'stroke-opacity="0.45"/>'
        f'<text x="{middle:.0f}" y="{y + 19}" text-anchor="middle" font-size="13" '
        f'font-family="monospace" fill="currentColor">{escape(name)}</text>'
    )


def _caption(text: str, x: float, y: float) -> str:
    return (
        f'<text x="{x:.0f}" y="{y + 19}" font-size="12" fill="currentColor" '
        f'fill-opacity="0.7">{escape(text)}</text>'
    )
