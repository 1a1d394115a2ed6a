"""The claims with their verdicts, written into ``claims.md`` when the site is built.

The ledger is judged by the committed records alone, whatever was run in this clone: the
page says the same wherever it is built.
"""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig

from cocodesign.claims import Claim, Verdict, judge, load_claims
from cocodesign.project import find_project
from cocodesign.results import find_records

MARK = "<!-- verdicts: written when the site is built -->"
STATUSES = ("PASS", "DRIFT", "FAIL", "NOT RUN")


def on_page_markdown(markdown: str, config: MkDocsConfig, **_context: Any) -> str:
    """Put the verdicts where the page asks for them."""
    if MARK not in markdown:
        return markdown
    project = find_project(Path(config.config_file_path).parent)
    records = [record for _, record in find_records(project.committed_records)]
    return markdown.replace(MARK, verdicts_page(judge(load_claims(), records)))


def verdicts_page(verdicts: Iterable[Verdict]) -> str:
    """Return a table of all verdicts, and a section for each claim, as Markdown.

    Args:
        verdicts: In the ledger's order.

    Returns:
        Markdown without a title.
    """
    found = list(verdicts)
    counts = Counter(each.status for each in found)
    total = ", ".join(f"{counts[name]} {name}" for name in STATUSES if counts[name])
    rows = [
        f"| [{each.claim.id}](#{each.claim.id}) | {_cell(each.claim.paper)} "
        f"| {_cell(_measured(each))} | {each.profile or ''} | {_badge(each)} |"
        for each in found
    ]
    head = [
        "| claim | paper | measured here | profile | verdict |",
        "|---|---|---|---|---|",
    ]
    sections = [_section(each) for each in found]
    return "\n".join(
        [f"{len(found)} claims: {total}.", "", *head, *rows, "", *sections]
    )


def _section(verdict: Verdict) -> str:
    """Return what is known of one claim."""
    claim = verdict.claim
    lines = [
        f"### {claim.id} {{ #{claim.id} }}",
        "",
        claim.sentence,
        "",
        f"* **Verdict**: {_badge(verdict)}",
        f"* **Paper**: {claim.paper} ({claim.source})",
    ]
    if verdict.measurement is not None:
        lines += [
            f"* **Measured**: {_measured(verdict)}, run `{verdict.run_id}`",
            f"* **Judged**: {verdict.reason}",
        ]
    lines += [
        f"* **Expected at `{each.profile}`**: `{each.metric}` of notebook "
        f"`{each.notebook}` {_sign(each.direction)} {each.expected:g}, drifts within "
        f"{each.tolerance:.0%}; {each.basis}"
        for each in claim.judgements
    ]
    return "\n".join([*lines, *_missing(claim), ""])


def _missing(claim: Claim) -> list[str]:
    return [f"* **Missing**: {claim.missing}"] if claim.missing else []


def _sign(direction: str) -> str:
    return "≥" if direction == "at_least" else "≤"


def _measured(verdict: Verdict) -> str:
    """Return median, spread and unit, and whether it was simulated."""
    found = verdict.measurement
    if found is None:
        return ""
    text = f"{_number(found.median)} {found.unit}"
    if found.low != found.high:
        text += f" ({_number(found.low)} to {_number(found.high)})"
    return f"{text}, simulated" if found.simulated else text


def _number(value: float) -> str:
    """Return three digits, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _badge(verdict: Verdict) -> str:
    kind = verdict.status.lower().replace(" ", "-")
    return f'<span class="verdict verdict-{kind}">{verdict.status}</span>'


def _cell(text: str) -> str:
    """Return text that does not end a table's cell."""
    return escape(text, quote=False).replace("|", "\\|")
