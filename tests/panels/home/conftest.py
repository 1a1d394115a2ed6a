"""A clone with a notebook that takes a second, for the home page."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cocodesign.project import Project

_PARAMETERS = """\
seed = 0  # the seed
run_dir = "../runs/10_example-interactive"  # the run folder
wait_s = 0.0  # how long the second cell takes
fails = False  # whether the second cell raises
"""
_WORK = """\
import time
print("first line", flush=True)
time.sleep(wait_s)
assert not fails, "it was told to fail"
"""
_RECORD = """\
from pathlib import Path
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
_ = write_record(run_dir, notebook="10_example", parameters={"seed": seed},
    metrics={"one": Measurement((1.0,), "x")}, tables={},
    provenance=Provenance("c", False, {}, "3", "L", "p", 1), duration_s=1.0)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """Return a clone whose notebook waits at ``laptop`` and fails at ``gpu``."""
    project = Project(tmp_path / "clone")
    for folder in (project.parameters, project.figure_scripts):
        folder.mkdir(parents=True)
    (project.root / "pyproject.toml").write_text('[project]\nname = "cocodesign"\n')
    declaration = new_code_cell(_PARAMETERS)
    declaration.metadata.tags = ["parameters"]
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Does it run?\n\nIt should."),
            declaration,
            new_code_cell(_WORK),
            new_code_cell(_RECORD),
        ]
    )
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, project.notebooks / "10_example.ipynb")
    nbformat.write(new_notebook(), project.notebooks / "00_overview.ipynb")
    for profile, line in (("laptop", "wait_s: 60.0"), ("gpu", "fails: true")):
        (project.parameters / f"10_example.{profile}.yaml").write_text(f"{line}\n")
    return project


@pytest.fixture
def living_processes() -> Callable[[str], list[int]]:
    """Return a function that lists the processes whose command line has a text."""

    def look(text: str) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if text.encode() in line and state not in "ZX":
                found.append(int(folder.name))
        return found

    return look
