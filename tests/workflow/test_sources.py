import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cocodesign.project import find_project

PROJECT = find_project(Path(__file__).parent)


@pytest.fixture(scope="module")
def sources() -> ModuleType:
    """Load the Snakefile's neighbour as the Snakefile does."""
    path = PROJECT.workflow / "sources.py"
    specification = importlib.util.spec_from_file_location("sources", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["sources"] = module
    specification.loader.exec_module(module)
    return module


def save_notebook(folder: Path, name: str, code: str, **facts: object) -> None:
    cell = {"cell_type": "code", "source": code.splitlines(keepends=True)}
    notebook = {"cells": [cell], "metadata": {"cocodesign": facts}}
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook))


def test_a_module_s_files_include_what_it_imports_and_its_packages(
    sources: ModuleType,
) -> None:
    files = sources.module_files({"cocodesign.claims"})
    assert "cocodesign/claims.py" in files
    assert "cocodesign/results.py" in files  # imported
    assert "cocodesign/files.py" in files  # imported by what is imported
    assert "cocodesign/__init__.py" in files
    assert "cocodesign/seeding.py" not in files


def test_finds_what_a_notebook_depends_on(sources: ModuleType, tmp_path: Path) -> None:
    code = "import torch\nfrom cocodesign import seeding\nimport cocodesign.claims\n"
    save_notebook(tmp_path, "10_a", code, part="kfac", datasets=["fashion_mnist"])
    save_notebook(tmp_path, "00_overview", "", part="all", datasets=[])
    (notebook,) = sources.find_notebooks(str(tmp_path), "smoke")
    assert notebook.name == "10_a"
    assert notebook.datasets == ("fashion_mnist",)
    assert {"cocodesign.seeding", "cocodesign.claims"} <= notebook.imports
    assert notebook.num_gpus == 0


def test_a_notebook_runs_only_at_profiles_it_has_values_for(
    sources: ModuleType, tmp_path: Path
) -> None:
    save_notebook(tmp_path, "10_a", "", part="kfac", datasets=[], gpus={"gpu": 1})
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters" / "10_a.gpu.yaml").write_text("seed: 1\n")
    assert sources.find_notebooks(str(tmp_path), "laptop") == []
    (notebook,) = sources.find_notebooks(str(tmp_path), "gpu")
    assert notebook.num_gpus == 1
    assert len(notebook.files) == 2


def test_a_notebook_without_facts_is_named(sources: ModuleType, tmp_path: Path) -> None:
    save_notebook(tmp_path, "10_a", "")
    with pytest.raises(ValueError, match=r"10_a\.ipynb.*part"):
        sources.find_notebooks(str(tmp_path), "smoke")
