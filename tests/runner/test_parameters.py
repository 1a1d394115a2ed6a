import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.errors import (
    InvalidParameterError,
    NotebookError,
    UnknownParameterError,
)
from cocodesign.runner import parse_assignment, resolve_parameters
from cocodesign.runner.parameters import injected_source, parse_parameters

CELL = """\
# A comment of its own
seed = 0  # the seed
rate = 1e-3  # step size, per # example
width: float = 2
verbose = False
label = "a # no comment"  # a name
sizes = [1, 2]
mixed = [1, 2.5]
names: list[str] = []
limit: int | None = None
scales: list[float] | None = None
"""


def test_a_cell_declares_names_types_defaults_and_help():
    declared = parse_parameters(CELL)
    assert [(p.name, str(p.type), p.default, p.help) for p in declared] == [
        ("seed", "int", 0, "the seed"),
        ("rate", "float", 0.001, "step size, per # example"),
        ("width", "float", 2.0, ""),
        ("verbose", "bool", False, ""),
        ("label", "str", "a # no comment", "a name"),
        ("sizes", "list[int]", [1, 2], ""),
        ("mixed", "list[float]", [1.0, 2.5], ""),
        ("names", "list[str]", [], ""),
        ("limit", "int | None", None, ""),
        ("scales", "list[float] | None", None, ""),
    ]


def test_negative_numbers_and_long_literals_are_literals():
    declared = parse_parameters("a = -3\nb = -1e-4\nc = [\n    1,\n    2,\n]  # two")
    assert [p.default for p in declared] == [-3, -1e-4, [1, 2]]
    assert declared[2].help == "two"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("import os", "is no declaration"),
        ("a, b = 1, 2", "is no declaration"),
        ("a = b = 1", "is no declaration"),
        ("a: int", "is no declaration"),
        ("a += 1", "is no declaration"),
        ("a = 2 * 3", "is no literal"),
        ("a = float('nan')", "is no literal"),
        ("a = {}", "is not clear"),
        ("a = None", "annotate it"),
        ("a = []", "annotate it"),
        ("a = [1, 'b']", "is not clear"),
        ("a = [[1]]", "is not clear"),
        ("a = 1j", "is not clear"),
        ("a = 1e999", "must be finite"),
        ("a: int = 1.0", "is int, got 1.0"),
        ("a: int = True", "is int, got True"),
        ("a: int = None", "is int, got None"),
        ("a: complex = 1", "unknown type 'complex'"),
        ("a: dict[str, int] = {}", "unknown type"),
        ("a: int | str = 1", "unknown type"),
        ("a = 1; a = 2", "a second time"),
        ("a = (", "line"),
    ],
)
def test_anything_but_a_declaration_is_refused_with_its_line(line: str, complaint: str):
    with pytest.raises(NotebookError, match="line") as caught:
        parse_parameters(f"seed = 0\n{line}")
    assert complaint in str(caught.value)
    assert "line 2" in str(caught.value)


def test_the_override_wins_over_the_profile_and_the_profile_over_the_default():
    declared = parse_parameters("a = 1\nb = 1\nc = 1")
    values = resolve_parameters(declared, {"b": 2, "c": 2}, {"c": 3})
    assert values == {"a": 1, "b": 2, "c": 3}


def test_a_mistyped_name_is_refused_with_the_likely_one():
    declared = parse_parameters("steps = 1\nrate = 0.1")
    with pytest.raises(UnknownParameterError, match="'stepz'; did you mean 'steps'"):
        resolve_parameters(declared, {}, {"stepz": 9})
    with pytest.raises(UnknownParameterError, match="there are: steps, rate"):
        parse_assignment("zzz=1", declared)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", True),
        ("seed", 1.0),
        ("seed", "1"),
        ("seed", None),
        ("seed", [1]),
        pytest.param("seed", 10**5000, id="huge"),
        pytest.param("verbose", 10**5000, id="huge-for-bool"),
        ("rate", "0.1"),
        ("rate", True),
        ("rate", math.nan),
        ("rate", math.inf),
        ("rate", 10**400),
        ("verbose", 1),
        ("verbose", "true"),
        ("label", 1),
        ("label", None),
        ("label", b"a"),
        ("label", "\ud800"),
        ("sizes", [1, True]),
        ("sizes", [1, 2.0]),
        ("sizes", 1),
        ("sizes", None),
        ("names", "abc"),
        ("limit", "none"),
        ("limit", 1.5),
        ("scales", [1.0, math.nan]),
        ("scales", [None]),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object):
    with pytest.raises(InvalidParameterError, match=name):
        resolve_parameters(parse_parameters(CELL), {}, {name: value})
    with pytest.raises(InvalidParameterError, match=name):
        resolve_parameters(parse_parameters(CELL), {name: value}, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=7", 7),
        ("seed=-7", -7),
        ("rate=1e-4", 1e-4),
        ("rate=3", 3.0),
        ("rate=.5", 0.5),
        ("verbose=true", True),
        ("verbose=False", False),
        ("label=1e-4", "1e-4"),
        ("label= a=b ", " a=b "),
        ("label=", ""),
        ("sizes=[3, 4]", [3, 4]),
        ("names=['x']", ["x"]),
        ("limit=None", None),
        ("limit=3", 3),
    ],
)
def test_a_text_is_read_as_the_declared_type(text: str, value: object):
    name, read = parse_assignment(text, parse_parameters(CELL))
    assert name == text.partition("=")[0]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "seed",
        "seed=abc",
        "seed=1.0",
        "seed=1e3",
        "seed=True",
        "seed=",
        "seed=none",
        "seed=" + "9" * 5000,
        "seed=1_000",
        "sizes=[" + "9" * 5000 + "]",
        "rate=nan",
        "rate=inf",
        "rate=-Infinity",
        "rate=1e999",
        "rate=0x10",
        "rate=",
        "verbose=1",
        "verbose=yes",
        "sizes=1",
        "sizes=[1, 'a']",
        "sizes=[1",
        "sizes=__import__('os')",
        "sizes=" + "[" * 300,
        "limit=nan",
    ],
)
def test_a_text_that_is_no_value_of_the_type_is_refused(text: str):
    with pytest.raises(InvalidParameterError):
        parse_assignment(text, parse_parameters(CELL))


def test_no_text_for_a_number_becomes_anything_but_a_finite_number():
    declared = parse_parameters("n = 1\nx = 1.0")

    @given(
        st.sampled_from("nx"), st.text(alphabet="0123456789+-._eEnaifNI ١²", max_size=9)
    )
    def check(name: str, text: str) -> None:
        try:
            _, value = parse_assignment(f"{name}={text}", declared)
        except InvalidParameterError:
            return
        assert type(value) is {"n": int, "x": float}[name]
        assert math.isfinite(value)
        assert value == float(text)

    check()


SCALARS = {
    "bool": st.booleans(),
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(st.characters(exclude_categories=["Cs"])),
}


@given(st.data())
def test_the_injected_cell_evaluates_to_exactly_the_values(data: st.DataObject):
    kinds = data.draw(st.lists(st.sampled_from(sorted(SCALARS)), max_size=5))
    lines, overrides = [], {}
    for index, kind in enumerate(kinds):
        is_list = data.draw(st.booleans())
        strategy = st.lists(SCALARS[kind], max_size=3) if is_list else SCALARS[kind]
        annotation = f"list[{kind}]" if is_list else kind
        lines.append(f"p{index}: {annotation} | None = None")
        overrides[f"p{index}"] = data.draw(st.none() | strategy)
    values = resolve_parameters(parse_parameters("\n".join(lines)), {}, overrides)
    assigned = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(injected_source(values)).body
    }
    assert repr(assigned) == repr(overrides)  # tells -0.0 from 0.0, True from 1


@given(
    st.sampled_from(["seed", "rate", "verbose", "label", "sizes", "limit"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.lists(st.integers() | st.text()),
)
def test_no_value_reaches_the_notebook_with_another_type(name: str, value: object):
    expected = {
        "seed": int,
        "rate": float,
        "verbose": bool,
        "label": str,
        "sizes": list,
        "limit": int | None,
    }[name]
    try:
        resolved = resolve_parameters(parse_parameters(CELL), {}, {name: value})[name]
    except InvalidParameterError:
        return
    assert isinstance(resolved, expected)
    assert isinstance(resolved, bool) == (expected is bool)
    assert resolved == value
