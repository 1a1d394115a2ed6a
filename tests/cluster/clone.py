"""A copy of the clone for jobs to run in, with notebooks of the test's own."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from cocodesign.project import find_project
from cocodesign.runner.lease import LeaseState, read_lease

PATIENCE_S = 120.0
COCODESIGN = [sys.executable, "-m", "cocodesign.cli.main"]

_PROJECT = find_project(Path(__file__).parent)
_PARTS_OF_A_CLONE = ("cocodesign", "workflow")
_RECORD = """
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
write_record(run_dir, notebook={name!r}, parameters={{"seed": seed}},
    metrics={{"gpu": Measurement((float(gpu),), "")}}, tables={{}}, duration_s=0.0,
    provenance=Provenance("c", False, {{}}, "3", "L", "p", 1))
"""

# Work of some seconds that marks its begin and its end.
LONG_WORK = """
import os, time
open(os.path.join(run_dir, "begun"), "a").close()
time.sleep(6)
with open(os.path.join(run_dir, "ends"), "a") as ends:
    _ = ends.write("x")
"""


@dataclass(frozen=True)
class Clone:
    """A copy of the clone without its notebooks."""

    root: Path

    def add_notebook(self, name: str, work: str = "") -> None:
        """Write a notebook that does some work and records the GPU that it saw."""
        parameters = new_code_cell("seed = 0\nrun_dir = ''")
        parameters.metadata["tags"] = ["parameters"]
        gpu = "import os\ngpu = os.environ.get('CUDA_VISIBLE_DEVICES') or -1\n"
        cells = [parameters, new_code_cell(gpu + work + _RECORD.format(name=name))]
        facts = {"part": "example", "datasets": []}
        nbformat.write(
            new_notebook(cells=cells, metadata={"cocodesign": facts}),
            self.root / "notebooks" / f"{name}.ipynb",
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start ``cocodesign`` in the clone."""
        return subprocess.Popen(
            [*COCODESIGN, *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def lease(self, run: str) -> LeaseState | None:
        """Return what a run's lease says."""
        return read_lease(self.root / "runs" / run)

    def log(self) -> str:
        """Return all logs, for the message of a failed test."""
        paths = sorted(self.root.glob("runs/**/*.log"))
        return "\n".join(f"--- {path}\n{path.read_text()}" for path in paths)


def copy_clone(folder: Path) -> Clone:
    """Copy what jobs need, without notebooks and figures."""
    ignored = shutil.ignore_patterns("__pycache__", ".snakemake")
    for name in _PARTS_OF_A_CLONE:
        shutil.copytree(_PROJECT.root / name, folder / name, ignore=ignored)
    for name in ("notebooks", "paper_figures"):
        (folder / name).mkdir()
    shutil.copy(_PROJECT.root / "pyproject.toml", folder)
    return Clone(folder)


def until(condition: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that work in a folder."""
    assert sys.platform == "linux"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended meanwhile
            continue
    return found
