"""A figure's script draws; it neither trains nor reads data."""

import ast
from pathlib import Path

import pytest

from cocodesign.claims import load_claims
from cocodesign.figures import load_figures
from cocodesign.project import find_project
from cocodesign.results import find_records

PROJECT = find_project(Path(__file__).parent)
ALLOWED = ("plotly", "cocodesign.figures", "cocodesign.results", "collections", "math")
SCRIPTS = sorted(PROJECT.figure_scripts.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_imports_only_plotly_figures_and_results(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        assert all(module.startswith(ALLOWED) for module in modules), modules


def test_every_figure_shows_notebooks_that_exist() -> None:
    notebooks = {path.stem for path in PROJECT.notebooks.glob("*.ipynb")}
    for figure in load_figures(PROJECT):
        assert set(figure.notebooks) <= notebooks, figure.name


def test_every_judgement_names_a_notebook_that_exists() -> None:
    notebooks = {path.stem for path in PROJECT.notebooks.glob("*.ipynb")}
    for claim in load_claims():
        assert {each.notebook for each in claim.judgements} <= notebooks, claim.id


def test_committed_records_are_clean_reproductions() -> None:
    for path, record in find_records(PROJECT.committed_records):
        assert path.name == f"{record.notebook}.{record.profile}.json"
        assert record.profile in ("laptop", "gpu", "paper")
        assert record.provenance.commit, path
