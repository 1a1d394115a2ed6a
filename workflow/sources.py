"""What a notebook depends on: its files, its data sets, the modules it imports."""

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp

PACKAGE = "cocodesign"


@dataclass(frozen=True)
class Notebook:
    """A notebook as the workflow sees it.

    Attributes:
        name: The file's name without suffix.
        part: The part of the project that it reproduces.
        files: The notebook and the profile's parameters, if it has any.
        datasets: The data sets that it reads.
        imports: The modules of the package that its cells import.
        num_gpus: The GPUs that it wants at this profile.
    """

    name: str
    part: str
    files: tuple[str, ...]
    datasets: tuple[str, ...]
    imports: frozenset[str]
    num_gpus: int


def find_notebooks(folder: str, profile: str) -> list[Notebook]:
    """Find the notebooks that run at a profile.

    A notebook says in its metadata, under ``cocodesign``, which part it belongs to
    and which data sets it reads. It runs at the profile ``smoke``, which is its
    defaults, and at every other profile that it has parameters for.

    Args:
        folder: The folder of the notebooks.
        profile: The profile.

    Returns:
        The notebooks, by name; the overview, which shows verdicts, is left out.
    """
    found = []
    for path in sorted(Path(folder).glob("*.ipynb")):
        parameters = path.parent / "parameters" / f"{path.stem}.{profile}.yaml"
        runs_here = profile == "smoke" or parameters.is_file()
        if runs_here and not path.stem.startswith("00_"):
            found.append(_read(path, parameters, profile))
    return found


def module_files(roots: Iterable[str]) -> list[str]:
    """List the package's files that some modules import, directly or not.

    Args:
        roots: Names of modules.

    Returns:
        The files of the modules and of everything that importing them runs, sorted.
    """
    graph = _import_graph()
    modules = set(roots)
    for root in roots:
        modules |= graph.find_upstream_modules(root)
    for module in tuple(modules):  # importing a module runs its packages as well
        parts = module.split(".")
        modules |= {".".join(parts[:length]) for length in range(1, len(parts))}
    return sorted(_file_of(module) for module in modules)


def _read(path: Path, parameters: Path, profile: str) -> Notebook:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    try:
        facts = notebook["metadata"][PACKAGE]
        part, datasets = facts["part"], facts["datasets"]
    except KeyError as error:
        raise ValueError(
            f"{path}: the metadata under {PACKAGE!r} must name 'part' and 'datasets'"
        ) from error
    code = (
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    )
    files = [path] + ([parameters] if parameters.is_file() else [])
    return Notebook(
        name=path.stem,
        part=part,
        files=tuple(str(file) for file in files),
        datasets=tuple(datasets),
        imports=frozenset(_imported("\n".join(code))),
        num_gpus=facts.get("gpus", {}).get(profile, 0),
    )


def _imported(code: str) -> Iterable[str]:
    """Yield the package's modules that some code imports."""
    known = _import_graph().modules
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *below]
        else:
            continue
        yield from (name for name in names if name in known)


@cache
def _import_graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE)


def _file_of(module: str) -> str:
    path = Path(*module.split("."))
    return str(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
