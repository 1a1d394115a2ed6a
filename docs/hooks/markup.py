"""What Markdown lacks: formulas in pages, and the marks of our docstrings.

Formulas become MathML, which browsers draw without a script: fenced blocks ``math`` in
pages, as GitHub knows them, by a hook of MkDocs; ``.. math::`` and ``:math:`` in
docstrings by an extension of griffe, which reads them for the reference. There literal
blocks (``::``) and tables become blocks of code as well, and a section ``Example`` is
called what griffe calls it, ``Examples``.
"""

import re
import textwrap
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig

_DISPLAY = re.compile(
    r"^(?P<indent> *)\.\. math::(?P<body>.*\n(?:(?P=indent) +\S.*\n|\n)*)", re.M
)
_INLINE = re.compile(r":math:`([^`]+)`")
_LITERAL = re.compile(r"^(?P<lead>.*)::\n\n(?P<block>(?:(?: {4}.*)?\n)*)", re.M)
_TABLE = re.compile(r"^ *=+( +=+)+\n(?: *\S.*\n)+^ *=+( +=+)+$", re.M)
_EXAMPLE = re.compile(r"^Example:$", re.M)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have fenced blocks ``math`` drawn as formulas."""
    settings = config.mdx_configs.setdefault("pymdownx.superfences", {})
    settings.setdefault("custom_fences", []).append(
        {"name": "math", "class": "formula", "format": format_fence}
    )
    return config


def format_fence(source: str, *_details: Any, **_more: Any) -> str:
    """Return the HTML of a fenced block.

    Args:
        source: The formula in LaTeX.
        _details: Language, class, options and the Markdown instance, not looked at.
        _more: Identifiers and attributes, not looked at.

    Returns:
        A block of MathML.
    """
    return display_formula(source)


class MarkdownDocstrings(griffe.Extension):
    """Translates every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_details: Any) -> None:
        """Replace an object's docstring by its Markdown."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    r"""Return a docstring as Markdown.

    Args:
        text: The docstring without the indentation of its code.

    Returns:
        The same text; MathML for formulas, a colon for a double one, tables as code,
        no marks of code inside of code.

    Example:
        >>> as_markdown("As in::\n\n    x = 1\n")
        'As in:\n\n    x = 1\n'
    """
    text = _DISPLAY.sub(_formula, text + "\n")[:-1]
    text = _INLINE.sub(lambda found: convert(found[1]), text)
    text = _LITERAL.sub(_block, text + "\n")[:-1]
    text = _TABLE.sub(lambda found: textwrap.indent(found[0], "    "), text)
    return _EXAMPLE.sub("Examples:", text)


def display_formula(latex: str) -> str:
    """Return a formula on lines of its own, as HTML without an empty line.

    Args:
        latex: The formula.

    Returns:
        One element of a page.

    Example:
        >>> display_formula("x^2")[:21]
        '<div class="formula">'
    """
    formula = convert(latex.strip(), display="block")
    return f'<div class="formula">{formula}</div>'


def _formula(found: re.Match[str]) -> str:
    """Return a display formula as HTML, with the indentation of its paragraph."""
    html = display_formula(textwrap.dedent(found["body"]))
    return f"\n{found['indent']}{html}\n\n"


def _block(found: re.Match[str]) -> str:
    """Return a literal block, introduced by a colon unless nothing stands before it."""
    lead = f"{found['lead']}:" if found["lead"].strip() else ""
    return f"{lead}\n\n{found['block'].replace('``', '')}"
