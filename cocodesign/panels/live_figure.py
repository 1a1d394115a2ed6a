"""A plotly figure that a panel changes while it is shown."""

import plotly.graph_objects as go


class LiveFigure(go.FigureWidget):
    """A ``FigureWidget`` that is never shown empty, and as wide as the page.

    Plotly's own announces itself to the browser before it has its traces and sends them
    after. A browser that draws in between, as a busy one does, keeps an empty plot.
    This one announces itself when it is complete.

    Args:
        figure: What it shows first.
    """

    def __init__(self, figure: go.Figure) -> None:
        self._is_complete = False
        super().__init__(figure)
        self._config = {"responsive": True}
        self._is_complete = True
        self.open()

    def open(self) -> None:
        """Announce the figure to the browser; called by the base classes as well."""
        if self._is_complete:
            super().open()
