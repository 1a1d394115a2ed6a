"""A notebook is parameters, a few calls and one record; it is committed stripped."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cocodesign.project import find_project
from cocodesign.runner import read_parameters

PROJECT = find_project(Path(__file__).parent)
NOTEBOOKS = sorted(PROJECT.notebooks.glob("*.ipynb"))
PARAMETERS = sorted(PROJECT.parameters.glob("*.yaml"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(notebook: dict[str, Any]) -> str:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@each_notebook
def test_is_stripped(path: Path) -> None:
    notebook = load(path)
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert "papermill" not in cell["metadata"]
        assert "injected-parameters" not in cell["metadata"].get("tags", [])
    assert "papermill" not in notebook["metadata"]
    assert "widgets" not in notebook["metadata"]


@each_notebook
def test_defines_nothing_and_reaches_outside_by_nothing(path: Path) -> None:
    code = code_of(load(path))
    for node in ast.walk(ast.parse(code)):  # magics and ! would not parse
        assert not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        )
    assert "sys.path" not in code
    assert "environ" not in code


@each_notebook
def test_imports_only_public_names_of_pillars(path: Path) -> None:
    for node in ast.walk(ast.parse(code_of(load(path)))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "cocodesign"
        ):
            depth = node.module.count(".")
            assert depth <= 1 or node.module.startswith("cocodesign.panels")


@each_notebook
def test_declares_seed_and_run_dir_with_a_help_for_every_parameter(path: Path) -> None:
    parameters = {each.name: each for each in read_parameters(path)}
    assert {"seed", "run_dir"} <= parameters.keys()
    assert [name for name, each in parameters.items() if not each.help] == []
    # Where verdicts and the overview look for records, one level below runs.
    assert parameters["run_dir"].default == f"../runs/{path.stem}-interactive"


@each_notebook
def test_reads_every_parameter_and_records_it(path: Path) -> None:
    code = code_of(load(path))
    for parameter in read_parameters(path):
        assert len(re.findall(rf"\b{parameter.name}\b", code)) > 1, parameter.name
        if parameter.name != "run_dir":
            assert f'"{parameter.name}": {parameter.name}' in code


@pytest.mark.parametrize("path", PARAMETERS, ids=lambda path: path.stem)
def test_a_profile_sets_only_declared_parameters(path: Path) -> None:
    notebook = PROJECT.notebooks / f"{path.name.split('.')[0]}.ipynb"
    declared = {parameter.name for parameter in read_parameters(notebook)}
    values = YAML(typ="safe", pure=True).load(path)
    assert set(values) <= declared - {"run_dir"}
