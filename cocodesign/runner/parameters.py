# pyright: strict
"""Parameters of a notebook: their declaration, their values, their text.

A notebook declares its parameters in one cell tagged ``parameters``, by lines
``name = literal  # help`` or ``name: type = literal  # help``. The cell is parsed,
never executed. A type is ``int``, ``float``, ``bool`` or ``str``, a ``list`` of one of
these, and ``| None`` of either; without an annotation it is the literal's own type.

Everything here is pure: no file, no notebook, no kernel.
"""

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from cocodesign.errors import (
    InvalidParameterError,
    NotebookError,
    UnknownParameterError,
)

Scalar = bool | int | float | str
Value = Scalar | list[Scalar] | None
ScalarName = Literal["bool", "int", "float", "str"]

_SCALAR_NAMES: tuple[ScalarName, ...] = get_args(ScalarName)
_INT = re.compile(r"[+-]?[0-9]{1,3000}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MAX_INT_BITS = 10_000  # Python neither prints nor reads integers of 4,300 digits


@dataclass(frozen=True)
class ParameterType:
    """The type of a parameter.

    Attributes:
        scalar: The type of the value, or of the list's items.
        is_list: Whether the value is a list.
        is_optional: Whether the value may be ``None``.
    """

    scalar: ScalarName
    is_list: bool = False
    is_optional: bool = False

    def __str__(self) -> str:
        """Return the type as it is written in an annotation."""
        name = f"list[{self.scalar}]" if self.is_list else self.scalar
        return f"{name} | None" if self.is_optional else name


@dataclass(frozen=True)
class Parameter:
    """One parameter that a notebook declares.

    Attributes:
        name: The variable's name.
        type: The values it takes.
        default: The value in the cell, converted to ``type``.
        help: The comment at the end of its line, empty without one.
    """

    name: str
    type: ParameterType
    default: Value
    help: str


def parse_parameters(source: str) -> tuple[Parameter, ...]:
    """Read the declarations in the source of a parameters cell.

    Args:
        source: The cell's text.

    Returns:
        The parameters in the order of their lines.

    Raises:
        NotebookError: If a line is anything but a declaration, with its number.

    Example:
        >>> [parameter] = parse_parameters("lr: float = 1e-3  # step size")
        >>> parameter.name, str(parameter.type), parameter.default, parameter.help
        ('lr', 'float', 0.001, 'step size')
    """
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(
            f"line {error.lineno} of the parameters cell: {error.msg}"
        ) from error
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for statement in statements:
        parameter = _declaration(statement, comments.get(statement.end_lineno or 0, ""))
        if parameter.name in found:
            raise NotebookError(
                f"line {statement.lineno} of the parameters cell: "
                f"{parameter.name!r} is assigned a second time"
            )
        found[parameter.name] = parameter
    return tuple(found.values())


def resolve_parameters(
    declared: Sequence[Parameter],
    profile_values: Mapping[str, object],
    overrides: Mapping[str, object],
) -> dict[str, Value]:
    r"""Give every declared parameter its final value.

    Later sources win: the default, then the profile, then the override. An ``int``
    for a ``float`` is converted; nothing else is.

    Args:
        declared: What the notebook declares.
        profile_values: The values of a profile by name.
        overrides: The values of this run by name.

    Returns:
        All parameters by name, in the order of the declaration.

    Raises:
        UnknownParameterError: If a name is not declared.
        InvalidParameterError: If a value has another type or is not finite.

    Example:
        >>> declared = parse_parameters("lr = 0.1\nsteps = 10")
        >>> resolve_parameters(declared, {"steps": 20}, {"lr": 1})
        {'lr': 1.0, 'steps': 20}
    """
    by_name = {parameter.name: parameter for parameter in declared}
    values = {parameter.name: parameter.default for parameter in declared}
    for source in (profile_values, overrides):
        for name, value in source.items():
            values[name] = check_value(_find(by_name, name), value)
    return values


def parse_assignment(text: str, declared: Sequence[Parameter]) -> tuple[str, Value]:
    """Read ``name=value`` as it stands on a command line.

    The declared type says how the value is read: a ``str`` takes the text as it is,
    ``int`` and ``float`` a decimal number, ``bool`` ``true`` or ``false``, a list a
    Python list such as ``[1, 2]``. ``none`` is ``None`` where that is allowed.

    Args:
        text: The assignment.
        declared: What the notebook declares.

    Returns:
        Name and value.

    Raises:
        UnknownParameterError: If the name is not declared.
        InvalidParameterError: If there is no ``=``, or the value cannot be read.

    Example:
        >>> parse_assignment("lr=1e-4", parse_parameters("lr = 0.1"))
        ('lr', 0.0001)
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidParameterError(f"expected name=value, got {text!r}")
    parameter = _find({each.name: each for each in declared}, name.strip())
    return parameter.name, check_value(parameter, _read_text(parameter, value))


def check_value(parameter: Parameter, value: object) -> Value:
    """Return a value as the parameter's type, or refuse it.

    Args:
        parameter: The declaration.
        value: Any value.

    Returns:
        The value; an ``int`` for a ``float`` is converted, a list is copied.

    Raises:
        InvalidParameterError: If its type differs, a number is not finite, or a text
            cannot be written as UTF-8.
    """
    if value is None and parameter.type.is_optional:
        return None
    if not parameter.type.is_list:
        return _check_scalar(parameter, value)
    if not isinstance(value, list | tuple):
        raise InvalidParameterError(_refusal(parameter, value))
    items = cast("Sequence[object]", value)
    return [_check_scalar(parameter, item) for item in items]


def injected_source(values: Mapping[str, Value]) -> str:
    r"""Return the source of the cell that sets parameters to their values.

    Args:
        values: Values that ``check_value`` let pass.

    Returns:
        One assignment per line; evaluating it gives back exactly ``values``.

    Example:
        >>> injected_source({"lr": 0.1, "names": ["a"]})
        "# Values of this run\nlr = 0.1\nnames = ['a']"
    """
    lines = ["# Values of this run"]
    lines += [f"{name} = {value!r}" for name, value in values.items()]
    return "\n".join(lines)


def _check_scalar(parameter: Parameter, value: object) -> Scalar:
    match parameter.type.scalar, value:
        case ("bool", bool()) | ("str", str()):
            checked = value
        case "int", int() if not isinstance(value, bool):
            if value.bit_length() > _MAX_INT_BITS:
                raise InvalidParameterError(
                    f"parameter {parameter.name!r}: an integer of more than "
                    f"{_MAX_INT_BITS} bits cannot be written into a cell"
                )
            checked = value
        case "float", int() | float() if not isinstance(value, bool):
            checked = _finite(parameter, value)
        case _:
            raise InvalidParameterError(_refusal(parameter, value))
    if isinstance(checked, str):
        try:
            checked.encode()
        except UnicodeEncodeError as error:
            raise InvalidParameterError(
                f"parameter {parameter.name!r}: {checked!r} is no valid Unicode text"
            ) from error
    # Subclasses (numpy.float64, an IntEnum) would print as something else.
    plain: dict[ScalarName, type[Scalar]] = {
        "bool": bool,
        "int": int,
        "float": float,
        "str": str,
    }
    return plain[parameter.type.scalar](checked)


def _finite(parameter: Parameter, value: float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise InvalidParameterError(
            f"parameter {parameter.name!r}: the integer is too large for a float"
        ) from error
    if not math.isfinite(number):
        raise InvalidParameterError(
            f"parameter {parameter.name!r} must be finite, got {value}"
        )
    if isinstance(value, int) and number != value:  # above 2**53
        raise InvalidParameterError(
            f"parameter {parameter.name!r}: no float is {value}, the nearest is "
            f"{number!r}"
        )
    return number


def _refusal(parameter: Parameter, value: object) -> str:
    try:
        shown = f"{value!r} ({type(value).__name__})"
    except ValueError:  # an integer of thousands of digits
        shown = f"a huge {type(value).__name__}"
    return f"parameter {parameter.name!r} is {parameter.type}, got {shown}"


def _find(by_name: Mapping[str, Parameter], name: str) -> Parameter:
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(by_name)}"
    raise UnknownParameterError(f"the notebook has no parameter {name!r}; {hint}")


def _read_text(parameter: Parameter, text: str) -> object:
    """Read a value's text as the parameter's type; ``check_value`` judges the rest."""
    kind = parameter.type
    stripped = text.strip()
    if kind.is_optional and stripped.lower() in ("none", "null"):
        return None
    if kind.is_list:
        return _read_list(parameter, stripped)
    match kind.scalar:
        case "str":
            return text
        case "int" if _INT.fullmatch(stripped):
            return int(stripped)
        case "float" if _FLOAT.fullmatch(stripped):
            return float(stripped)
        case "bool" if stripped.lower() in ("true", "false"):
            return stripped.lower() == "true"
        case _:
            raise InvalidParameterError(_refusal(parameter, text))


def _read_list(parameter: Parameter, text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise InvalidParameterError(
            f"parameter {parameter.name!r} is {parameter.type}, got {text!r}: "
            "write a list such as [1, 2]"
        ) from error


def _comments(source: str) -> dict[int, str]:
    """Return the comments of a source by line number, without their ``#``."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _declaration(statement: ast.stmt, comment: str) -> Parameter:
    where = f"line {statement.lineno} of the parameters cell"
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=literal):
            annotation = None
        case ast.AnnAssign(
            target=ast.Name(id=name), annotation=annotation, value=ast.expr() as literal
        ):
            pass
        case _:
            raise NotebookError(
                f"{where}: {ast.unparse(statement)!r} is no declaration; "
                "write `name = literal` or `name: type = literal`"
            )
    try:
        default: object = ast.literal_eval(literal)
    except (ValueError, TypeError) as error:
        raise NotebookError(
            f"{where}: {name} = {ast.unparse(literal)} is no literal; compute it in a "
            "later cell"
        ) from error
    kind = _annotated(annotation, where) if annotation else _inferred(default, where)
    draft = Parameter(name, kind, None, comment)
    try:
        return Parameter(name, kind, check_value(draft, default), comment)
    except InvalidParameterError as error:
        raise NotebookError(f"{where}: {error}") from error


def _annotated(annotation: ast.expr, where: str) -> ParameterType:
    is_optional = is_list = False
    node = annotation
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        if not (isinstance(node.right, ast.Constant) and node.right.value is None):
            raise _unknown_type(annotation, where)
        is_optional, node = True, node.left
    if isinstance(node, ast.Subscript):
        if not (isinstance(node.value, ast.Name) and node.value.id == "list"):
            raise _unknown_type(annotation, where)
        is_list, node = True, node.slice
    for scalar in _SCALAR_NAMES:
        if isinstance(node, ast.Name) and node.id == scalar:
            return ParameterType(scalar, is_list=is_list, is_optional=is_optional)
    raise _unknown_type(annotation, where)


def _unknown_type(annotation: ast.expr, where: str) -> NotebookError:
    return NotebookError(
        f"{where}: unknown type {ast.unparse(annotation)!r}; use bool, int, float or "
        "str, a list of one of them, and `| None` after either"
    )


def _inferred(default: object, where: str) -> ParameterType:
    if isinstance(default, list):
        names = _scalar_names(cast("list[object]", default))
        is_list = True
    else:
        names = _scalar_names([default])
        is_list = False
    if names == {"int", "float"}:
        names = {"float"}
    for scalar in _SCALAR_NAMES:
        if names == {scalar}:
            return ParameterType(scalar, is_list=is_list)
    raise NotebookError(
        f"{where}: the type of {default!r} is not clear; annotate it, as in "
        "`name: int | None = None` or `name: list[int] = []`"
    )


def _scalar_names(values: Iterable[object]) -> set[str]:
    return {type(value).__name__ for value in values}
