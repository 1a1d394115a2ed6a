"""The table of data sets, written into ``data.md`` when the site is built."""

from collections.abc import Iterable
from typing import Any

from cocodesign.data.manifest import DatasetManifest, dataset_names, read_manifest

MARK = "<!-- data sets: written when the site is built -->"


def on_page_markdown(markdown: str, **_context: Any) -> str:
    """Put the table where the page asks for it."""
    if MARK not in markdown:
        return markdown
    return markdown.replace(MARK, datasets_table(map(read_manifest, dataset_names())))


def datasets_table(manifests: Iterable[DatasetManifest]) -> str:
    """Return a row for each data set, as Markdown.

    Args:
        manifests: In the order of the rows.

    Returns:
        A table with name, content, size, licence and sources.
    """
    rows = [
        f"| `{each.name}` | [{each.title}]({each.homepage}) "
        f"| {each.size_bytes / 1e6:,.1f} MB | {each.licence} | {_sources(each)} |"
        for each in manifests
    ]
    head = ["| name | what | size | licence | from |", "|---|---|---:|---|---|"]
    return "\n".join([*head, *rows])


def _sources(manifest: DatasetManifest) -> str:
    """Return the kinds of a set's sources, in the order they are asked."""
    kinds = [type(each).__name__.removesuffix("Source") for each in manifest.sources]
    return ", ".join(dict.fromkeys(kinds)) or "you"
