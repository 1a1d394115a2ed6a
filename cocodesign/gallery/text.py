"""Markdown, code and outputs as HTML that needs no script: formulas are MathML."""

import re
from html import escape
from typing import cast

import mistune
from latex2mathml.converter import convert
from mistune.plugins.math import math
from mistune.plugins.table import table
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_FIRST_LINES, _LAST_LINES = 30, 30


class _Renderer(mistune.HTMLRenderer):
    """Shows formulas as MathML, which browsers draw by themselves."""

    def inline_math(self, text: str) -> str:
        return convert(text)

    def block_math(self, text: str) -> str:
        return convert(text, display="block")


def markdown_html(text: str) -> str:
    r"""Return Markdown as HTML.

    Args:
        text: The Markdown, with formulas between dollar signs.

    Returns:
        Its HTML.

    Example:
        >>> markdown_html("a *small* step")
        '<p>a <em>small</em> step</p>\n'
    """
    render = mistune.create_markdown(
        renderer=_Renderer(escape=True), plugins=[math, table]
    )
    return cast("str", render(text))


def code_html(source: str) -> str:
    """Return Python code as HTML; ``code_style`` colours it.

    Args:
        source: The code.

    Returns:
        Its HTML.
    """
    return highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))


def code_style() -> str:
    """Return the style sheet of ``code_html``."""
    return HtmlFormatter(style="default").get_style_defs(".code")


def printed_html(text: str) -> str:
    """Return what a cell printed, the middle of a long text left out.

    Args:
        text: The text, perhaps with a terminal's colours.

    Returns:
        Its HTML.

    Example:
        >>> printed_html("1 < 2")
        '<pre class="printed">1 &lt; 2</pre>'
    """
    # A progress bar draws its line again and again after a carriage return.
    lines = [
        line.rpartition("\r")[2] for line in _ANSI.sub("", text).rstrip().split("\n")
    ]
    left_out = len(lines) - _FIRST_LINES - _LAST_LINES
    if left_out > 0:
        note = f"… {left_out:,} lines …"
        lines = [*lines[:_FIRST_LINES], note, *lines[-_LAST_LINES:]]
    return f'<pre class="printed">{escape(chr(10).join(lines))}</pre>'
