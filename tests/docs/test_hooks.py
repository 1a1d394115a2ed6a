"""What the site is made of when it is built."""

import doctest
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer

from cocodesign.claims import judge, load_claims
from cocodesign.cli.main import app
from cocodesign.data.manifest import dataset_names, read_manifest
from cocodesign.results import RunRecord

pytest.importorskip("mkdocs", reason="the site's tools are in the extra dev")
pytest.importorskip("latex2mathml", reason="the site's tools are in the extra dev")
pytest.importorskip("griffe", reason="the site's tools are in the extra dev")

from tests.docs.hooks import load_hook
from tests.docs.markdown import ROOT

datasets = load_hook("datasets")
layers = load_hook("layers")
markup = load_hook("markup")
reference = load_hook("reference")
verdicts = load_hook("verdicts")

LEDGER = """
[[claim]]
id = "fast"
part = "kfac"
sentence = "It is fast."
source = "report §1"
paper = "3x | 4x"
unit = "x"
missing = "a cluster"

[[claim.judgement]]
profile = "laptop"
notebook = "10_example"
metric = "ratio"
direction = "at_least"
expected = 2.0
tolerance = 0.1
basis = "a task of our own"

[[claim]]
id = "small"
part = "kfac"
sentence = "It is small."
source = "report §2"
paper = "tiny"
unit = "x"
missing = "everything"
"""


def test_the_examples_in_the_docstrings_of_a_hook_hold() -> None:
    found = doctest.testmod(markup)
    assert found.attempted
    assert not found.failed


def test_a_verdict_is_shown_with_its_spread_basis_and_what_is_missing(
    make_record: Callable[..., RunRecord],
) -> None:
    judged = judge(load_claims(LEDGER), [make_record(2.5, 1234.5, 2.25)])
    page = verdicts.verdicts_page(judged)
    assert "2 claims: 1 PASS, 1 NOT RUN." in page
    row = next(line for line in page.splitlines() if line.startswith("| [fast]"))
    assert "3x \\| 4x" in row  # a bar would end the cell
    assert "2.5 x (2.25 to 1,234)" in row
    assert "a task of our own" in page
    assert "**Missing**: everything" in page
    assert "### small { #small }" in page


def test_a_page_without_the_mark_stays_what_it_is() -> None:
    assert verdicts.on_page_markdown("# A page", None) == "# A page"
    assert datasets.on_page_markdown("# A page") == "# A page"
    assert layers.on_page_markdown("# A page", None) == "# A page"


@pytest.mark.parametrize(
    ("hook", "page"),
    [
        (verdicts, "claims.md"),
        (datasets, "data.md"),
        (layers, "design.md"),
        (reference, "reference/index.md"),
    ],
)
def test_the_page_of_a_hook_has_its_mark(hook: ModuleType, page: str) -> None:
    assert hook.MARK in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_every_data_set_has_a_row_with_size_licence_and_sources() -> None:
    manifests = [read_manifest(name) for name in dataset_names()]
    table = datasets.datasets_table(manifests)
    assert len(table.splitlines()) == 2 + len(manifests)
    row = next(line for line in table.splitlines() if "`fashion_mnist`" in line)
    assert "55.0 MB" in row
    assert row.endswith("| MIT | Url, Debian |")


def test_the_picture_shows_the_layers_that_the_linter_checks() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    rule = next(each["layers"] for each in contracts if each["type"] == "layers")
    present = {path.stem for path in (ROOT / "cocodesign").iterdir()}
    expected = [line.translate(str.maketrans("|():", "    ")).split() for line in rule]
    shown = layers.read_layers(text, present)
    assert [list(names) for names, _ in shown] == [
        kept for line in expected if (kept := [n for n in line if n in present])
    ]
    picture = layers.layers_picture(shown)
    assert "\n" not in picture  # Markdown would take it for text
    assert all(f">{name}</text>" in picture for names, _ in shown for name in names)


def test_docstrings_become_markdown() -> None:
    text = "\n".join(
        [
            "Sum of :math:`x`, as::",
            "",
            "    a    ``b``",
            "",
            ".. math::",
            "    x^2",
            "",
            "Example:",
            "    >>> 1",
        ]
    )
    found = markup.as_markdown(text)
    assert "::" not in found
    assert ":math:" not in found
    assert "<math" in found
    assert "    a    b" in found
    assert "<msup>" in found
    assert "\nExamples:\n    >>> 1" in found


def test_a_table_of_a_docstring_becomes_a_block_of_code() -> None:
    table = "===  ===\na    b\n===  ==="
    found = markup.as_markdown(f"Formats:\n\n{table}\n")
    assert found == "Formats:\n\n    ===  ===\n    a    b\n    ===  ===\n"


def test_a_docstring_that_is_markdown_already_stays_what_it_is() -> None:
    text = "One line.\n\nArgs:\n    x: A number; ``None`` for none.\n"
    assert markup.as_markdown(text) == text


def test_a_formula_is_markup_without_a_script() -> None:
    html = markup.format_fence(r"\frac{1}{2}", "math", "formula", {}, None)
    assert html.startswith('<div class="formula"><math')
    assert "<mfrac>" in html
    assert "script" not in html


def test_the_reference_has_a_page_for_all_that_may_be_imported(tmp_path: Path) -> None:
    for name, text in {
        "kfac/__init__.py": '__all__ = ["KFAC"]',
        "planned/__init__.py": "",
        "panels/__init__.py": '__all__ = ["Panel"]',
        "results.py": "",
        "_private.py": "",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "__init__.py").write_text("")
    assert reference.module_names(tmp_path) == ["kfac", "results"]


def test_the_reference_says_of_every_package_how_its_docstring_begins() -> None:
    table = reference.modules_table(ROOT / "cocodesign")
    row = next(line for line in table.splitlines() if "`cocodesign.kfac`" in line)
    assert row == (
        "| [`cocodesign.kfac`](kfac.md) "
        "| Second-order training: K-FAC as a drop-in `torch.optim.Optimizer`. |"
    )


def test_every_command_is_on_its_page_with_its_options() -> None:
    page = reference.commands_page(typer.main.get_command(app))
    assert "## `cocodesign data fetch`" in page
    assert "| `-p, --parameter NAME=VALUE` | Set a parameter. |  |" in page
    assert "| `NOTEBOOK` |" in page
