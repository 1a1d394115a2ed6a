"""The gallery's pages, around what the notebooks and the claims say."""

from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from cocodesign.claims import Verdict
from cocodesign.gallery.text import code_style
from cocodesign.results import RunRecord

STYLE_NAME = "style.css"

_LARGE = 1000  # from here on three digits would need an exponent

_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="stylesheet" href="style.css">
<body>
$body
</body>
</html>
""")
_STYLE = """\
body {
  max-width: 940px; margin: 0 auto; padding: 1.5em; line-height: 1.55; color: #222;
  font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 15px;
}
a {color: #1565C0;}
small, .facts, .panel {color: #666;}
img {max-width: 100%; height: auto; display: block; margin: 0.8em 0;}
pre {overflow-x: auto; font-size: 13px; line-height: 1.4; margin: 0;}
.printed {background: #F6F6F6; padding: 0.6em 0.9em; margin: 0.6em 0;}
.code {border-left: 3px solid #DDD; padding-left: 0.8em; margin: 0.6em 0;}
.code summary {cursor: pointer; color: #666; overflow-wrap: anywhere;}
.code pre {padding: 0.6em 0;}
table {border-collapse: collapse; width: 100%; font-size: 14px;}
td, th {
  text-align: left; vertical-align: top; padding: 5px 10px;
  border-bottom: 1px solid #DDD;
}
.PASS {color: #1B7F4B;} .DRIFT {color: #9A5B00;} .FAIL {color: #B3261E;}
.day {white-space: nowrap;}
.verdict {font-weight: 600; white-space: nowrap;}
"""


def style_sheet() -> str:
    """Return the one style sheet of all pages."""
    return f"{_STYLE}{code_style()}\n"


def notebook_page(record: RunRecord, body: str) -> str:
    """Return a notebook's page.

    Args:
        record: What its run found.
        body: Its cells as HTML.

    Returns:
        The page.
    """
    commit = (record.provenance.commit or "unknown")[:10]
    facts = (
        f"Executed copy of <code>{escape(record.notebook)}</code>, run "
        f"<code>{escape(record.run_id)}</code> at profile {escape(record.profile)}, "
        f"{_day(record)}, {record.duration_s:.0f} s on "
        f"{escape(record.provenance.processor)}, {record.provenance.num_cores} cores, "
        f"{escape(record.provenance.device)}; commit {commit}."
    )
    head = f'<p class="facts"><a href="index.html">Gallery</a> · {facts}</p>'
    return _PAGE.substitute(title=escape(record.notebook), body=f"{head}\n{body}")


def index_page(
    records: Iterable[tuple[RunRecord, str]], verdicts: Sequence[Verdict]
) -> str:
    """Return the page that lists the others, and the verdicts.

    Args:
        records: Each page's record, and its notebook's first heading.
        verdicts: The verdicts.

    Returns:
        The page.
    """
    pages = _table(
        ("notebook", "question", "profile", "run on"),
        (
            (
                _link(record.notebook),
                escape(question),
                escape(record.profile),
                _day(record),
            )
            for record, question in records
        ),
    )
    claims = _table(
        ("claim", "as published", "measured here", "profile", "verdict"),
        (
            (
                f"{escape(each.claim.sentence)}<br><small>{escape(each.reason)}</small>",
                escape(each.claim.paper),
                measured_html(each),
                escape(each.profile or ""),
                f'<span class="verdict {each.status}">{each.status}</span>',
            )
            for each in verdicts
        ),
    )
    body = (
        "<h1>Executed notebooks</h1>\n"
        "<p>Written by <code>make gallery</code> from the newest run of each notebook "
        "at the largest profile. Figures are pictures here; the notebooks themselves "
        f"are interactive.</p>\n{pages}\n<h2>Claims and verdicts</h2>\n{claims}"
    )
    return _PAGE.substitute(title="Executed notebooks", body=body)


def measured_html(verdict: Verdict) -> str:
    """Return what was measured for a claim, with its spread, as a table's cell.

    Args:
        verdict: The verdict.

    Returns:
        Its HTML, empty if nothing was measured.
    """
    found = verdict.measurement
    if found is None:
        return ""
    text = f"<b>{_number(found.median)}</b> {escape(found.unit)}"
    if len(found.values) > 1:
        text += f"<br><small>{_number(found.low)} to {_number(found.high)}</small>"
    return text + ("<br><small>simulated</small>" if found.simulated else "")


def _number(value: float) -> str:
    """Return a number with three digits, large ones in full."""
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _link(notebook: str) -> str:
    return f'<a href="{escape(notebook)}.html">{escape(notebook)}</a>'


def _day(record: RunRecord) -> str:
    return f'<span class="day">{record.finished[:10]}</span>'
