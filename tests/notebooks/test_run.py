"""Every notebook at its defaults, through the real runner."""

import json
from pathlib import Path

import pytest

from cocodesign.data import fetch_dataset
from cocodesign.errors import DataUnavailableError
from cocodesign.project import find_project
from cocodesign.runner import run_notebook

PROJECT = find_project(Path(__file__).parent)
NOTEBOOKS = sorted(PROJECT.notebooks.glob("*.ipynb"))
LIMIT_S = 180.0  # thrice what the profile promises, for a machine that is busy


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_at_its_defaults_and_writes_a_record(path: Path, tmp_path: Path) -> None:
    facts = json.loads(path.read_text(encoding="utf-8"))["metadata"]["cocodesign"]
    try:
        for name in facts["datasets"]:
            fetch_dataset(name)
    except DataUnavailableError as error:
        pytest.skip(f"no source of the data is in reach: {error}")
    record = run_notebook(path, run_dir=tmp_path, total_timeout_s=LIMIT_S)
    assert record.notebook == path.stem
    assert record.profile == "smoke"
    assert record.metrics
    assert record.provenance.commit
