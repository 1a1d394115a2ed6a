"""Records side by side: what differs in their settings, and in what they measured."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

import ipywidgets as widgets

from cocodesign.panels.home.choices import offer
from cocodesign.panels.home.markup import look, styled, table
from cocodesign.results import Measurement, RunRecord

_MOST = 4  # columns on a laptop's screen
_SHORT = 10  # digits of a commit


@dataclass(frozen=True)
class ComparedLine:
    """One line of a comparison.

    Attributes:
        section: ``run``, ``parameters`` or ``measurements``.
        name: What is compared.
        texts: As each record has it; empty where it has none.
        differs: Whether the records disagree.
    """

    section: str
    name: str
    texts: tuple[str, ...]
    differs: bool


class RecordsPanel(widgets.VBox):
    """A notebook, its records to choose from, and a table of what they say.

    Attributes:
        notebook: Whose records are compared.
        chosen: The records, at most four are shown.
        only_differences: Whether lines that agree are left out.
    """

    def __init__(self) -> None:
        self._records: tuple[RunRecord, ...] = ()
        self.notebook = widgets.Dropdown(
            options=[],
            description="notebook",
            tooltip="Whose records are compared",
            layout=widgets.Layout(width="330px"),
        )
        self.only_differences = widgets.Checkbox(
            value=True,
            indent=False,
            description="only what differs",
            tooltip="Leave out the lines on which the records agree",
            layout=widgets.Layout(width="180px"),
        )
        self.chosen = widgets.SelectMultiple(
            options=[],
            description="records",
            tooltip=f"Up to {_MOST}; Shift or Ctrl with the arrow keys takes several",
            rows=5,
            layout=widgets.Layout(width="100%"),
        )
        self.table = widgets.HTML()
        self.notebook.observe(self._offer_records, names="value")
        self.chosen.observe(self._draw, names="value")
        self.only_differences.observe(self._draw, names="value")
        super().__init__(
            [
                look(),
                widgets.HBox([self.notebook, self.only_differences]),
                self.chosen,
                self.table,
            ]
        )

    def show(self, records: Iterable[RunRecord]) -> None:
        """Offer other records; what is chosen stays chosen as long as it is there.

        Args:
            records: The records.
        """
        self._records = tuple(
            sorted(records, key=lambda each: each.finished, reverse=True)
        )
        names = sorted({each.notebook for each in self._records})
        offer(self.notebook, [(name, name) for name in names])
        self._offer_records()

    def _offer_records(self, _change: object = None) -> None:
        before = set(self.chosen.value)
        labels = [
            _label(each)
            for each in self._records
            if each.notebook == self.notebook.value
        ]
        labels = list(dict.fromkeys(labels))  # a committed record may lie in runs too
        self.chosen.options = labels
        kept = [label for label in labels if label in before]
        self.chosen.value = kept or labels[:2]
        self._draw()

    def _draw(self, _change: object = None) -> None:
        labels = set(self.chosen.value)
        by_label = {
            _label(each): each for each in self._records if _label(each) in labels
        }
        records = list(by_label.values())[:_MOST]
        self.table.value = comparison_table(
            records, only_differences=bool(self.only_differences.value)
        )


def compare(records: Sequence[RunRecord]) -> list[ComparedLine]:
    """Compare records line by line.

    Args:
        records: The records, in the order of the columns.

    Returns:
        The lines: about the runs, then parameters, then metrics, in the order in which
        the records first name them. A measurement differs if its values do.
    """
    lines = [
        _line("run", name, [text(each) for each in records])
        for name, text in _FACTS.items()
    ]
    for name in _names(each.parameters for each in records):
        texts = [
            _text(each.parameters[name]) if name in each.parameters else ""
            for each in records
        ]
        lines.append(_line("parameters", name, texts))
    for name in _names(each.metrics for each in records):
        found = [each.metrics.get(name) for each in records]
        line = _line("measurements", name, [_measurement(each) for each in found])
        values = {each.values if each else None for each in found}
        lines.append(ComparedLine(line.section, line.name, line.texts, len(values) > 1))
    return lines


def comparison_table(records: Sequence[RunRecord], *, only_differences: bool) -> str:
    """Return a comparison as a table.

    Args:
        records: The records, one column each.
        only_differences: Whether lines that agree are left out.

    Returns:
        Its HTML.
    """
    if not records:
        return styled("<p>No record is chosen.</p>")
    shown = [
        line
        for line in compare(records)
        if line.differs or not only_differences or len(records) == 1
    ]
    if not shown:
        return styled("<p>The records agree in everything.</p>")
    headings = ["", *(each.run_id for each in records)]
    rows: list[list[str]] = []
    for section, lines in groupby(shown, key=lambda line: line.section):
        rows.append([f"<b>{escape(section)}</b>", *[""] * len(records)])
        rows += [[escape(line.name), *_cells(line)] for line in lines]
    share = f"{75 / len(records):.0f}%"
    return styled(table(headings, rows, widths=["25%", *[share] * len(records)]))


def _cells(line: ComparedLine) -> list[str]:
    if not line.differs:
        return [escape(text) for text in line.texts]
    return [f'<span class="differs">{escape(text)}</span>' for text in line.texts]


def _line(section: str, name: str, texts: Sequence[str]) -> ComparedLine:
    return ComparedLine(section, name, tuple(texts), len(set(texts)) > 1)


def _names(mappings: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _label(record: RunRecord) -> str:
    return (
        f"{record.finished[:16].replace('T', ' ')}  {record.profile}  {record.run_id}"
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _measurement(found: Measurement | None) -> str:
    if found is None:
        return ""
    text = f"{found.median:.4g} {found.unit}"
    if len(found.values) > 1:
        text += f" ({found.low:.4g} to {found.high:.4g})"
    return text + (", simulated" if found.simulated else "")


def _commit(record: RunRecord) -> str:
    commit = (record.provenance.commit or "unknown")[:_SHORT]
    return f"{commit} with changes" if record.provenance.dirty else commit


_FACTS: dict[str, Callable[[RunRecord], str]] = {
    "profile": lambda record: record.profile,
    "finished": lambda record: f"{record.finished[:16].replace('T', ' ')} UTC",
    "seconds measured": lambda record: f"{record.duration_s:.1f}",
    "commit": _commit,
    "machine": lambda record: (
        f"{record.provenance.processor}, {record.provenance.num_cores} cores, "
        f"{record.provenance.device}"
    ),
    "torch": lambda record: record.provenance.versions.get("torch", ""),
    "notes": lambda record: " ".join(record.notes),
}
