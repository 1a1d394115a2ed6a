"""The claims with their verdicts, and what is shown of them."""

from collections import Counter
from collections.abc import Iterable
from html import escape

import ipywidgets as widgets

from cocodesign.claims import Status, Verdict
from cocodesign.gallery.pages import measured_html
from cocodesign.panels.home.choices import offer
from cocodesign.panels.home.markup import badge, look, styled, table, warning

_COLOURS: dict[Status, str] = {
    "PASS": "#1B7F4B",
    "DRIFT": "#9A5B00",
    "FAIL": "#B3261E",
    "NOT RUN": "#616161",
}
_ALL = "all"


class VerdictsPanel(widgets.VBox):
    """A count of the verdicts, and a table that can be narrowed.

    Attributes:
        status: Which verdicts are shown.
        part: Which part's claims are shown.
        problems: Names the records that cannot be read; empty if all can.
    """

    def __init__(self) -> None:
        self._verdicts: tuple[Verdict, ...] = ()
        self.status = widgets.Dropdown(
            options=[_ALL, *_COLOURS],
            description="verdict",
            tooltip="Show only the claims with this verdict",
            layout=widgets.Layout(width="190px"),
        )
        self.part = widgets.Dropdown(
            options=[(_ALL, _ALL)],
            description="part",
            tooltip="Show only the claims about this part",
            layout=widgets.Layout(width="220px"),
        )
        self.problems = widgets.HTML()
        self.counts = widgets.HTML()
        self.table = widgets.HTML()
        for control in (self.status, self.part):
            control.observe(self._draw, names="value")
        head = widgets.HBox(
            [self.counts, self.status, self.part],
            layout=widgets.Layout(flex_flow="row wrap", align_items="center"),
        )
        super().__init__([look(), self.problems, head, self.table])

    def show(self, verdicts: Iterable[Verdict], problems: Iterable[str]) -> None:
        """Show other verdicts; what is chosen stays chosen.

        Args:
            verdicts: The verdicts, in the order of the table.
            problems: Why they may be wrong: records that cannot be read.
        """
        self.problems.value = styled("".join(map(warning, problems)))
        self._verdicts = tuple(verdicts)
        parts = [_ALL, *dict.fromkeys(each.claim.part for each in self._verdicts)]
        offer(self.part, [(part, part) for part in parts])
        counts = Counter(each.status for each in self._verdicts)
        self.counts.value = styled(
            "".join(
                badge(f"{counts[status]} {status}", colour)
                for status, colour in _COLOURS.items()
            )
        )
        self._draw()

    def _draw(self, _change: object = None) -> None:
        self.table.value = verdict_table(
            each
            for each in self._verdicts
            if self.status.value in (_ALL, each.status)
            and self.part.value in (_ALL, each.claim.part)
        )


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """Return verdicts as a table; each reason opens below its claim.

    Args:
        verdicts: What to show.

    Returns:
        Its HTML.
    """
    rows = [
        (
            f"<details><summary>{escape(each.claim.sentence)}</summary>"
            f"<small>{escape(each.reason)}.<br>Source: "
            f"{escape(each.claim.source)}</small></details>",
            escape(each.claim.paper),
            measured_html(each),
            escape(each.profile or ""),
            badge(each.status, _COLOURS[each.status]),
        )
        for each in verdicts
    ]
    if not rows:
        return styled("<p>No claim is of this part and has this verdict.</p>")
    headings = ("claim", "as published", "measured here", "profile", "verdict")
    return styled(table(headings, rows, widths=("40%", "22%", "18%", "9%", "11%")))
