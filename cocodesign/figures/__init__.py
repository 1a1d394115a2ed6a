"""Figures: records in, plotly figures and files out.

* ``PaperFigure``: a figure of the paper, its records and the function that draws it;
* ``load_figures``: all figures of a clone, one per script in ``paper_figures``;
* ``draw_figure``, ``export_figure``: to a plotly figure, to files;
* ``figure_main``: what a figure's script calls when it is run by itself;
* ``styled``, ``colour_of``: the one look of all figures and notebooks.
"""

from cocodesign.figures.export import export_figure
from cocodesign.figures.paper import (
    PaperFigure,
    draw_figure,
    figure_main,
    load_figures,
)
from cocodesign.figures.style import colour_of, styled

__all__ = [
    "PaperFigure",
    "colour_of",
    "draw_figure",
    "export_figure",
    "figure_main",
    "load_figures",
    "styled",
]
