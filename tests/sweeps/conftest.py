"""A notebook that measures what its parameters say."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

_PARAMETERS = """\
seed = 0  # the seed
run_dir = ""
rate = 0.1  # step size
label = "a"
"""
_WORK = """\
from pathlib import Path
from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, write_record
assert rate > 0 or Path(run_dir).with_name("mended").exists(), "a bad rate"
write_record(run_dir, notebook="20_example",
    parameters={"seed": seed, "rate": rate, "label": label},
    metrics={"loss": Measurement((rate + seed, rate + seed + 1, rate), "nats"),
             "speed": Measurement((10.0 ** seed,), "x")},
    tables={}, duration_s=2.0,
    provenance=Provenance("c0ffee", False, {}, "3", "L", "p", 1))
"""


@pytest.fixture
def write_notebook() -> Callable[[Path], Path]:
    """Return a function that writes ``20_example.ipynb`` into a folder."""

    def write(folder: Path) -> Path:
        parameters = new_code_cell(_PARAMETERS)
        parameters.metadata["tags"] = ["parameters"]
        facts = {"part": "example", "datasets": [], "gpus": {"gpu": 1}}
        document = new_notebook(
            cells=[parameters, new_code_cell(_WORK)], metadata={"cocodesign": facts}
        )
        path = folder / "20_example.ipynb"
        nbformat.write(document, path)
        return path

    return write


@pytest.fixture
def notebook(write_notebook: Callable[[Path], Path], tmp_path: Path) -> Path:
    return write_notebook(tmp_path)
