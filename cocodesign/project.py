"""Where a clone of the project keeps its notebooks, runs and figures.

The library needs no clone; the notebooks, the workflow and the figures do.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from cocodesign.errors import ProjectNotFoundError


@dataclass(frozen=True)
class Project:
    """A clone of the project.

    Attributes:
        root: The folder that holds ``pyproject.toml``.
    """

    root: Path

    @property
    def notebooks(self) -> Path:
        """The notebooks."""
        return self.root / "notebooks"

    @property
    def parameters(self) -> Path:
        """The notebooks' values by profile, ``<notebook>.<profile>.yaml``."""
        return self.notebooks / "parameters"

    @property
    def runs(self) -> Path:
        """Executed notebooks and their records, one folder a run; not committed."""
        return self.root / "runs"

    @property
    def workflow(self) -> Path:
        """The Snakefile and its profiles."""
        return self.root / "workflow"

    @property
    def figure_scripts(self) -> Path:
        """One script per figure."""
        return self.root / "paper_figures"

    @property
    def committed_records(self) -> Path:
        """The records that the figures show on a fresh clone."""
        return self.figure_scripts / "records"

    @property
    def figures(self) -> Path:
        """The exported figures; not committed."""
        return self.figure_scripts / "out"


def find_project(start: Path | None = None) -> Project:
    """Find the clone that a folder lies in.

    Args:
        start: Where to look first; the current folder if ``None``. Its parents
            follow, then the folder that this package was installed from.

    Returns:
        The innermost clone.

    Raises:
        ProjectNotFoundError: If there is none.
    """
    here = (start or Path.cwd()).resolve()
    installed_from = Path(__file__).resolve().parent.parent
    for folder in (here, *here.parents, installed_from):
        if _is_root(folder):
            return Project(folder)
    raise ProjectNotFoundError(
        f"no clone of cocodesign in {here} or above it: notebooks, workflow and "
        "figures live in the clone, so change into one and try again"
    )


def _is_root(folder: Path) -> bool:
    settings = folder / "pyproject.toml"
    if not settings.is_file() or not (folder / "notebooks").is_dir():
        return False
    try:
        project = tomllib.loads(settings.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError:
        return False
    return project.get("name") == "cocodesign"
