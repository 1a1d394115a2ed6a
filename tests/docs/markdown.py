"""The pages as the tests read them: fenced blocks, commands, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cocodesign.project import find_project

ROOT = find_project(Path(__file__).parent).root
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)
_SETUP = re.compile(r"\A<!-- setup\n(?P<body>.*?)^-->", re.M | re.S)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        info: What stands behind the three marks: a language, a title.
        body: The text between the marks.
        line: The number of its first line in the page.
    """

    info: str
    body: str
    line: int


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [
        Block(
            found["info"].strip(),
            re.sub(rf"^{found['indent']}", "", found["body"], flags=re.M),
            text.count("\n", 0, found.start("body")) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def setup_of(text: str) -> Block | None:
    """Return what a page's comment at the top prepares for its examples."""
    found = _SETUP.match(text)
    return None if found is None else Block("python", found["body"], 2)


def prose_of(text: str) -> str:
    """Return a page without its fenced blocks, line by line as before."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)


def inline_code(text: str) -> Iterator[str]:
    """Yield what a page's prose marks as code; a table's bar is a bar."""
    for found in _CODE.finditer(prose_of(text)):
        yield found[1].replace("\\|", "|")


def links(text: str) -> Iterator[str]:
    """Yield the targets of a page's links and pictures."""
    for found in _LINK.finditer(prose_of(text)):
        yield found[1]


def shell_lines(text: str) -> Iterator[str]:
    """Yield the commands of a page's terminal sessions, continued lines joined."""
    for block in fenced_blocks(text):
        if block.info in ("console", "sh", "bash", ""):
            joined = block.body.replace("\\\n", " ")
            for line in joined.splitlines():
                if line.startswith("$ "):
                    yield line.removeprefix("$ ")
                elif line.startswith("cocodesign "):
                    yield line
