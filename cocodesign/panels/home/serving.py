"""Who shows the page: a JupyterLab that can open other files, or something else."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir


def folder_in_lab(
    folder: Path, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Return a folder's place below the one that JupyterLab shows.

    A Jupyter server leaves a note on itself in its runtime folder. Voilà and the
    runner leave none: they open no other files.

    Args:
        folder: The folder.
        environment: The kernel's variables, which name the server's process.

    Returns:
        The place, ``None`` if no JupyterLab shows the folder.
    """
    server = environment.get("JPY_PARENT_PID", "none")
    note = Path(jupyter_runtime_dir()) / f"jpserver-{server}.json"
    if not note.is_file():
        return None
    root = Path(json.loads(note.read_text(encoding="utf-8"))["root_dir"]).resolve()
    folder = folder.resolve()
    return folder.relative_to(root) if folder.is_relative_to(root) else None
