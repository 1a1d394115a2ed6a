"""A notebook file: loading it, its parameters cell, its profiles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cocodesign.errors import NotebookError, ParameterError
from cocodesign.runner.parameters import (
    Parameter,
    Value,
    injected_source,
    parse_parameters,
)

SMOKE = "smoke"
PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_REQUIRED = {"run_dir": "str", "seed": "int"}


def load_notebook(path: Path) -> NotebookNode:
    """Read a notebook as format 4.

    Args:
        path: The file.

    Returns:
        The notebook, upgraded in memory if it was older; cells have identifiers.

    Raises:
        NotebookError: If the file is missing, no notebook, or not for Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.v4.upgrade(nbformat.reads(text, as_version=4))
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookError(f"{path}: {error}") from error
    except (nbformat.ValidationError, ValueError, TypeError, AttributeError) as error:
        # All but the first come from JSON that is not shaped like a notebook.
        raise NotebookError(f"{path} is no notebook: {error}") from error
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise NotebookError(f"{path} is written in {language!r}; only Python is run")
    return notebook


def read_parameters(notebook: Path) -> tuple[Parameter, ...]:
    """Return what a notebook declares in its cell tagged ``parameters``.

    Args:
        notebook: The notebook's file.

    Returns:
        The parameters in the order of their lines.

    Raises:
        NotebookError: If the file is no notebook, has no such cell or more than one,
            declares no ``seed`` or ``run_dir``, or a line is no declaration.
    """
    return declared_parameters(load_notebook(notebook), notebook)


def declared_parameters(notebook: NotebookNode, path: Path) -> tuple[Parameter, ...]:
    """Return what a loaded notebook declares.

    Args:
        notebook: The notebook.
        path: Its file, for messages.

    Returns:
        The parameters in the order of their lines.

    Raises:
        NotebookError: As ``read_parameters``.
    """
    indices = _tagged(notebook, PARAMETERS_TAG)
    if len(indices) != 1:
        raise NotebookError(
            f"{path}: expected one cell tagged {PARAMETERS_TAG!r}, found {len(indices)}"
        )
    if _tagged(notebook, INJECTED_TAG):
        raise NotebookError(
            f"{path} has a cell tagged {INJECTED_TAG!r}: this is an executed copy, "
            "run the notebook it was made from"
        )
    try:
        declared = parse_parameters(notebook.cells[indices[0]].source)
    except NotebookError as error:
        raise NotebookError(f"{path}, cell {indices[0] + 1}: {error}") from error
    kinds = {each.name: each.type.scalar for each in declared if not each.type.is_list}
    for name, kind in _REQUIRED.items():
        if kinds.get(name) != kind:
            raise NotebookError(
                f"{path}: the parameters cell must declare {name!r} as {kind}"
            )
    return declared


def read_profile(notebook: Path, profile: str) -> dict[str, object]:
    """Return the values of a profile, ``parameters/<notebook>.<profile>.yaml``.

    The file is YAML 1.2: ``1e-4`` is a number, ``no`` is a text.

    Args:
        notebook: The notebook's file.
        profile: The profile's name; ``smoke`` is the notebook's defaults.

    Returns:
        The values by name, not yet checked.

    Raises:
        ParameterError: If the notebook has no such profile, or the file is no mapping
            of names to values.
    """
    folder = notebook.parent / "parameters"
    path = folder / f"{notebook.stem}.{profile}.yaml"
    if profile == SMOKE:
        if path.exists():
            raise ParameterError(
                f"{path}: the profile smoke is the notebook's defaults; "
                "move the values into its parameters cell"
            )
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        prefix, suffix = f"{notebook.stem}.", ".yaml"
        known = [
            file.name.removeprefix(prefix).removesuffix(suffix)
            for file in sorted(folder.glob(f"{prefix}*{suffix}"))
        ]
        raise ParameterError(
            f"{notebook.stem} has no profile {profile!r}; "
            f"there are: {', '.join([SMOKE, *known])}"
        ) from error
    return _mapping(path, text)


def inject_parameters(notebook: NotebookNode, values: Mapping[str, Value]) -> None:
    """Insert the cell with this run's values behind the parameters cell, in place.

    Args:
        notebook: The notebook; it is changed.
        values: The final value of every parameter.
    """
    cell = nbformat.v4.new_code_cell(injected_source(values))
    cell.metadata.tags = [INJECTED_TAG]
    [index] = _tagged(notebook, PARAMETERS_TAG)
    notebook.cells.insert(index + 1, cell)


def notebook_text(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file, laid out as Jupyter does it."""
    return nbformat.v4.writes(notebook) + "\n"


def compact_notebook_text(notebook: NotebookNode) -> str:
    """Return a notebook as valid but unadorned text, 20 times as fast."""
    return json.dumps(notebook, ensure_ascii=False)


def cell_title(cell: NotebookNode) -> str:
    """Return a cell's first meaningful line, without marks of comments and headings."""
    for line in cell.source.splitlines():
        title = line.strip().lstrip("#").strip()
        if title:
            return title
    return ""


def _tagged(notebook: NotebookNode, tag: str) -> list[int]:
    return [
        index
        for index, cell in enumerate(notebook.cells)
        if tag in cell.metadata.get("tags", [])
    ]


def _mapping(path: Path, text: str) -> dict[str, object]:
    try:
        content: Any = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParameterError(f"{path} cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(
        isinstance(key, str) for key in content
    ):
        raise ParameterError(f"{path} must map names to values, got {content!r}")
    return content
