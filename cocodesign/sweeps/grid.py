# pyright: strict
"""The grid of a sweep: axes of parameter values, and the points between them. Pure."""

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cocodesign.errors import SweepError
from cocodesign.runner.parameters import Parameter, Value, parse_assignment

MAX_POINTS = 10_000  # more is a slip of the pen: an array of Slurm holds 1,001

_RANGE = re.compile(r"\s*([+-]?\d+)\.\.([+-]?\d+)\s*")
_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
_MAX_NAME_CHARACTERS = 100
_OPENING, _CLOSING = "[", "]"


@dataclass(frozen=True)
class Axis:
    """A parameter and the values that it takes.

    Attributes:
        name: The parameter.
        values: Its values, all of the declared type.
    """

    name: str
    values: tuple[Value, ...]


def read_axes(texts: Sequence[str], declared: Sequence[Parameter]) -> tuple[Axis, ...]:
    """Read axes such as ``damping=1e-3,1e-2`` and ``seed=0..4``.

    Args:
        texts: One text an axis: values with commas between them, or a range of
            integers whose ends both belong to it. A comma inside ``[…]`` belongs to
            the value, a list.
        declared: What the notebook declares.

    Returns:
        The axes in the order of the texts.

    Raises:
        SweepError: If an axis stands twice, has a value twice, or the grid would have
            more than ``MAX_POINTS`` points.
        ParameterError: If a name or a value is refused.

    Example:
        >>> from cocodesign.runner.parameters import parse_parameters
        >>> read_axes(["seed=0..2"], parse_parameters("seed = 0"))
        (Axis(name='seed', values=(0, 1, 2)),)
    """
    axes = tuple(_read_axis(text, declared) for text in texts)
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise SweepError(f"{name} is given twice: write its values in one list")
    num_points = 1
    for axis in axes:
        num_points *= len(axis.values)
    if num_points > MAX_POINTS:
        raise SweepError(
            f"the grid has {num_points} points, more than {MAX_POINTS}: sweep a part"
        )
    return axes


def grid_points(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """Return every combination of the axes' values; the last axis runs fastest."""
    names = [axis.name for axis in axes]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]


def point_name(point: dict[str, Value]) -> str:
    """Return a name for a point's folder: its values, or a digest of long ones.

    Args:
        point: Values by parameter.

    Returns:
        The same name for the same values, whatever grid they belong to.

    Example:
        >>> point_name({"damping": 0.001, "seed": 3})
        'damping=0.001,seed=3'
    """
    parts = sorted(point.items())
    text = ",".join(f"{name}={value}" for name, value in parts)
    is_plain = all(_PLAIN.fullmatch(str(value)) for _, value in parts)
    if is_plain and "None" not in point.values() and len(text) <= _MAX_NAME_CHARACTERS:
        return text
    exact = json.dumps(point, sort_keys=True)
    return f"point-{hashlib.sha256(exact.encode()).hexdigest()[:16]}"


def value_text(value: Value) -> str:
    """Return a value as ``-p name=value`` reads it."""
    return value if isinstance(value, str) else repr(value)


def _read_axis(text: str, declared: Sequence[Parameter]) -> Axis:
    name, sign, rest = text.partition("=")
    if not sign or not rest.strip() or "\n" in text:
        raise SweepError(f"write an axis as name=value,value in one line, got {text!r}")
    span = _RANGE.fullmatch(rest)
    if span:
        first, last = int(span[1]), int(span[2])
        if not first <= last < first + MAX_POINTS:
            raise SweepError(
                f"the range in {text!r} must rise, by fewer than {MAX_POINTS} steps"
            )
        parts = [str(number) for number in range(first, last + 1)]
    else:
        parts = _split(rest)
    assigned = [parse_assignment(f"{name}={part}", declared) for part in parts]
    values = tuple(value for _, value in assigned)
    for index, value in enumerate(values):
        if value in values[:index]:
            raise SweepError(f"the value {value!r} of {name} is given twice")
    return Axis(assigned[0][0], values)


def _split(text: str) -> list[str]:
    """Split at the commas that are outside all brackets."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character == _OPENING) - (character == _CLOSING)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
