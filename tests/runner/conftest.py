"""Notebooks that the tests build, and a look at the processes they start."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

_PARAMETERS = """\
seed = 0  # the seed
run_dir = "runs/example"  # the run folder
rate = 0.1  # step size
label = "a"
limit: int | None = None
"""
_RECORD = """\
from pathlib import Path
from cocodesign.provenance import collect_provenance
from cocodesign.results import Measurement, write_record
write_record(
    run_dir,
    notebook="example",
    parameters={"seed": seed, "rate": rate},
    metrics={"rate": Measurement((rate,), "x")},
    tables={},
    provenance=collect_provenance(Path()),
    duration_s=0.0,
)
"""

WriteNotebook = Callable[..., Path]


@pytest.fixture
def write_notebook(tmp_path: Path) -> WriteNotebook:
    """Return a function that writes ``notebooks/example.ipynb``."""

    def write(
        *sources: str, parameters: str | None = _PARAMETERS, record: bool = True
    ) -> Path:
        cells = [new_code_cell(source) for source in sources]
        if parameters is not None:
            declaration = new_code_cell(parameters)
            declaration.metadata.tags = ["parameters"]
            cells.insert(0, declaration)
        if record:
            cells.append(new_code_cell(_RECORD))
        notebook = new_notebook(cells=cells)
        notebook.metadata.kernelspec = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        path = tmp_path / "notebooks" / "example.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture
def read_outputs() -> Callable[[Path], str]:
    """Return a function that joins all texts that an executed notebook shows."""

    def read(run_dir: Path) -> str:
        notebook = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
        nbformat.validate(notebook)
        return "".join(
            output.get("text", "")
            + str(output.get("data", ""))
            + output.get("evalue", "")
            for cell in notebook.cells
            if cell.cell_type == "code"
            for output in cell.outputs
        )

    return read


@pytest.fixture
def living_processes() -> Callable[[], set[int]]:
    """Return a function that lists what runs guarded kernels now, on all of Linux."""

    def look() -> set[int]:
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            mine = f"PYTEST_CURRENT_TEST={os.environ['PYTEST_CURRENT_TEST']}"
            if b"COCODESIGN_ATTEMPT=" in environment and mine.encode() in environment:
                found |= {int(folder.name)} if state not in "ZX" else set()
        return found

    return look
