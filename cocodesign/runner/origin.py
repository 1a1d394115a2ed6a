"""What a run's result comes from, as one digest.

A checkpoint may be continued only by the same notebook with the same values, the same
package and the same libraries: else a run would mix two programs' halves.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from nbformat import NotebookNode

from cocodesign.runner.parameters import Value

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "numba")


def origin_digest(notebook: NotebookNode, values: Mapping[str, Value]) -> str:
    """Return a digest of all that a run's result depends on, but its data.

    Args:
        notebook: The notebook, without this run's values.
        values: This run's values, except those that only say where it happens.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    facts = {
        "cells": [cell.source for cell in notebook.cells if cell.cell_type == "code"],
        "values": {name: value for name, value in values.items() if name != "run_dir"},
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
