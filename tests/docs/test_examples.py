"""The examples of every page run, in order, as a reader would type them."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.docs.markdown import PAGES, ROOT, Block, fenced_blocks, setup_of

# Blocks that a page shows but a test cannot run, by their titles: why they stay out.
NOT_RUN = {
    "on 8 processes, under torchrun": "torchrun starts the ranks",
    "starts two processes": "held by tests/training",
    "needs a data set of your own": "licensed, or the reader's",
    "needs data that are fetched": "tests reach no network",
    "needs a crate": "held by tests/crates",
    "in a notebook": "names what the notebook's other cells define",
    "needs a sweep that has run": "reads its table",
}

# What stands around the examples of pages that have no comment for it.
AROUND = {
    "README.md": """\
import torch
from torch.nn.functional import cross_entropy

model = torch.nn.Linear(4, 3)
batches = [(torch.randn(8, 4), torch.randint(3, (8,)))] * 2
""",
    "docs/compression.md": """\
import torch
from torch.nn.functional import cross_entropy


def build_model():
    return torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Linear(32, 10))


model = build_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
batches = [(torch.randn(8, 64), torch.randint(10, (8,)))] * 2
""",
}

WITH_EXAMPLES = [
    name
    for name, path in PAGES.items()
    if any(block.info.startswith("python") for block in fenced_blocks(path.read_text()))
]


def examples(name: str) -> list[Block]:
    text = PAGES[name].read_text(encoding="utf-8")
    blocks = [block for block in fenced_blocks(text) if block.info == "python"]
    before = setup_of(text)
    if before is None and name in AROUND:
        before = Block("python", AROUND[name], 1)
    return [before, *blocks] if before else blocks


@pytest.fixture
def _as_before(tmp_path: Path) -> Iterator[None]:
    """Run in an empty folder, and give torch its threads and random state back."""
    folder, num_threads = Path.cwd(), torch.get_num_threads()
    state = torch.get_rng_state()
    torch.set_num_threads(1)  # the examples are small
    os.chdir(tmp_path)
    try:
        yield
    finally:
        os.chdir(folder)
        torch.set_num_threads(num_threads)
        torch.set_rng_state(state)


@pytest.mark.slow
@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_page_run_in_order(name: str) -> None:
    namespace = {"__name__": "__page__"}
    for block in examples(name):
        # As many lines before it as in the page: a traceback names the right one.
        code = "\n" * (block.line - 1) + block.body
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, ROOT / name, "exec"), namespace)  # noqa: S102 - examples


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_a_block_that_does_not_run_says_why_in_its_title(name: str) -> None:
    for block in fenced_blocks(PAGES[name].read_text(encoding="utf-8")):
        language, _, title = block.info.partition(" ")
        if language == "python" and title:
            assert title.removeprefix('title="').removesuffix('"') in NOT_RUN, title


def test_every_reason_is_still_used() -> None:
    titles = {
        block.info.removeprefix('python title="').removesuffix('"')
        for path in PAGES.values()
        for block in fenced_blocks(path.read_text(encoding="utf-8"))
    }
    assert set(NOT_RUN) <= titles
