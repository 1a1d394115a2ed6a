"""The one look of all figures: colours, fonts, sizes.

The colours are Okabe and Ito's (2008), which readers with any colour vision can
tell apart; a method keeps its colour in every figure.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH_PX = 900
HEIGHT_PX = 460  # without the caption's lines

_AXIS_PX = 60  # an axis's numbers and title
_LINE_PX = 17  # a line of the caption
_CAPTION_CHARACTERS = 120  # in a line

_BLUE = "#0072B2"
_ORANGE = "#D55E00"
_PALETTE = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_METHODS = {"K-FAC": _BLUE, "SGD": _ORANGE}

_INK = "#222222"
_GRID = "#E5E5E5"
_FONT = "DejaVu Sans, Verdana, sans-serif"


def colour_of(method: str, index: int = 0) -> str:
    """Return a method's colour.

    Args:
        method: The method's name as the legend shows it.
        index: Which colour of the palette a method without its own takes.

    Returns:
        A colour as ``#RRGGBB``.

    Example:
        >>> colour_of("K-FAC")
        '#0072B2'
    """
    return _METHODS.get(method, _PALETTE[index % len(_PALETTE)])


def translucent(colour: str, opacity: float) -> str:
    """Return a colour with an opacity, for bands behind a line.

    Args:
        colour: A colour as ``#RRGGBB``.
        opacity: From 0, invisible, to 1.

    Returns:
        A colour as plotly reads it.

    Example:
        >>> translucent("#0072B2", 0.2)
        'rgba(0,114,178,0.2)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def styled(figure: "go.Figure", *, title: str, caption: str = "") -> "go.Figure":
    """Give a figure the common look.

    Args:
        figure: The figure; it is changed.
        title: One line above the figure.
        caption: Small print below it: scale, data, run ids. Long lines are wrapped.

    Returns:
        The same figure.
    """
    lines = _wrapped(caption, _CAPTION_CHARACTERS)
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 17}},
        font={"family": _FONT, "size": 13, "color": _INK},
        width=WIDTH_PX,
        height=HEIGHT_PX + len(lines) * _LINE_PX,
        margin={"l": 70, "r": 30, "t": 80, "b": _AXIS_PX + len(lines) * _LINE_PX},
        legend={  # in the title's line, clear of the panels' own titles
            "orientation": "h",
            "yref": "container",
            "y": 0.98,
            "yanchor": "top",
            "x": 1.0,
            "xanchor": "right",
        },
        hovermode="x unified",
        uirevision="keep",  # a redraw keeps the reader's zoom
    )
    figure.update_xaxes(
        gridcolor=_GRID, linecolor=_INK, ticks="outside", zeroline=False
    )
    figure.update_yaxes(
        gridcolor=_GRID, linecolor=_INK, ticks="outside", zeroline=False
    )
    if lines:
        figure.add_annotation(
            text="<br>".join(lines),
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            yshift=-_AXIS_PX,  # below the axis with its title, however high the figure
            xanchor="left",
            yanchor="top",
            align="left",
            showarrow=False,
            font={"size": 11, "color": "#555555"},
        )
    return figure


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return [line for part in text.split("\n") for line in textwrap.wrap(part, width)]
