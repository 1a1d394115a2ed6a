"""Wrong and right parameters by the thousand, for ``benchmarks.runner``."""

import ast
import math
import random
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from papermill.parameterize import parameterize_notebook

from cocodesign.errors import ParameterError
from cocodesign.runner import Parameter, parse_assignment, resolve_parameters
from cocodesign.runner.parameters import injected_source, parse_parameters

_CELL = """\
seed = 0
rate = 0.1
verbose = False
label = "a"
sizes = [1, 2]
scales = [0.5]
limit: int | None = None
"""
_TYPES = {"seed": int, "rate": float, "verbose": bool, "label": str, "limit": int}
_ITEM_TYPES = {"sizes": int, "scales": float}
_VALUES = [
    *(0, 1, -7, 10**25, True, False, None, 0.0, -0.0, 1.0, 1e-4, 1e300),
    *(math.nan, math.inf, -math.inf, 1j, b"x", (), {}, {"a": 1}, [], [1], [1.0]),
    *([True], ["a"], [None], [math.nan], [[1]], "", "a", "1", "1e-4", "true", "None"),
    *("nan", "\x00", "'", '"""', "\\", "\n", "é漢", "\ud800", "[1]"),
]
_TEXTS = [
    *("abc", "1e-4", "1.0", "1", "-3", "True", "false", "yes", "nan", "inf", "-inf"),
    *("1e999", "0x10", "1_0", "", " ", "None", "null", "[1]", "[1.5]", "['a']", "[1"),
    *("[nan]", "1;import os", "__import__('os')", "a=b", "١٢", "9" * 5000),
]


@dataclass(frozen=True)
class _Trial:
    name: str
    value: object
    is_text: bool


def fuzz_parameters(*, num_trials: int) -> dict[str, Any]:
    """Try values and texts for parameters, right and mistyped ones.

    Args:
        num_trials: How many.

    Returns:
        The numbers of trials, leaks, refusals of good values, and papermill's leaks.
    """
    generator = random.Random(0)
    declared = parse_parameters(_CELL)
    leaks: list[str] = []
    wrongly_refused = papermill_leaks = 0
    for _ in range(num_trials):
        trial = _draw(generator)
        wanted = _wanted(trial)
        try:
            reached = _reached(declared, trial)
        except ParameterError:
            wrongly_refused += not trial.is_text and wanted is not None
        else:
            if trial.is_text:
                is_leak = not _has_type(trial.name, reached)
                is_leak |= trial.name == "label" and reached != trial.value
            else:
                is_leak = wanted is None or repr(reached) != wanted
            leaks += [repr(trial)] if is_leak else []
        papermill_leaks += not trial.is_text and wanted is None and _papermill(trial)
    return {
        "param_fuzz_trials": num_trials,
        "param_fuzz_leaks": len(leaks),
        "param_fuzz_leak_details": leaks[:10],
        "param_fuzz_wrongly_refused": wrongly_refused,
        "papermill_leaks": papermill_leaks,
    }


def _draw(generator: random.Random) -> _Trial:
    name = generator.choice([*_TYPES, *_ITEM_TYPES])
    if generator.random() < 0.1:
        position = generator.randrange(len(name))
        name = name[:position] + generator.choice("xyz") + name[position:]
    if generator.random() < 0.5:
        if generator.random() < 0.5:
            return _Trial(name, generator.choice(_TEXTS), is_text=True)
        letters = [chr(generator.randrange(1, 0xD7FF)) for _ in range(5)]
        digits = generator.choices("0123456789+-.eEn_ ", k=6)
        return _Trial(name, "".join(generator.choice([letters, digits])), is_text=True)
    value = generator.choice(
        [
            generator.choice(_VALUES),
            generator.uniform(-1e6, 1e6),
            generator.randrange(-(10**6), 10**6),
            [generator.random() for _ in range(3)],
        ]
    )
    return _Trial(name, value, is_text=False)


def _wanted(trial: _Trial) -> str | None:
    """Return how a value must reach the notebook, ``None`` if it must not."""
    value = trial.value
    if trial.name in _ITEM_TYPES:
        if type(value) not in (list, tuple):
            return None
        items = [_wanted_scalar(_ITEM_TYPES[trial.name], item) for item in value]
        return None if None in items else f"[{', '.join(items)}]"
    if trial.name == "limit" and value is None:
        return "None"
    return _wanted_scalar(_TYPES.get(trial.name), value)


def _wanted_scalar(kind: type | None, value: object) -> str | None:
    if kind is float and type(value) is int:
        value = float(value)
    if kind is None or type(value) is not kind:
        return None
    if kind is float and not math.isfinite(value):
        return None
    return None if value == "\ud800" else repr(value)


def _has_type(name: str, value: object) -> bool:
    if name in _ITEM_TYPES:
        return all(_wanted_scalar(_ITEM_TYPES[name], item) for item in value)
    is_allowed_none = name == "limit" and value is None
    return is_allowed_none or _wanted_scalar(_TYPES.get(name), value) is not None


def _reached(declared: tuple[Parameter, ...], trial: _Trial) -> object:
    """Return what the injected cell assigns."""
    if trial.is_text:
        name, value = parse_assignment(f"{trial.name}={trial.value}", declared)
    else:
        name, value = trial.name, trial.value
    source = injected_source(resolve_parameters(declared, {}, {name: value}))
    assigned = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(source).body
    }
    return assigned[trial.name]


def _papermill(trial: _Trial) -> bool:
    """Return whether papermill would run the notebook with this value."""
    cell = new_code_cell(_CELL)
    cell.metadata.tags = ["parameters"]
    notebook = new_notebook(cells=[cell])
    notebook.metadata = nbformat.from_dict(
        {"papermill": {}, "kernelspec": {"name": "python3", "language": "python"}}
    )
    parameterize_notebook(notebook, {trial.name: trial.value})
    return True
