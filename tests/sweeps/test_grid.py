from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.errors import InvalidParameterError, SweepError, UnknownParameterError
from cocodesign.runner.parameters import parse_assignment, parse_parameters
from cocodesign.sweeps.grid import grid_points, point_name, read_axes, value_text

DECLARED = parse_parameters(
    "seed = 0\n"
    "damping = 1e-3\n"
    "label = 'a'\n"
    "widths = [1, 2]\n"
    "limit: int | None = None\n"
    "nesterov = False"
)


def values(text: str) -> tuple[object, ...]:
    (axis,) = read_axes([text], DECLARED)
    return axis.values


def test_values_are_read_by_the_declared_type() -> None:
    assert values("damping=1e-3,1,0.5") == (1e-3, 1.0, 0.5)
    assert values("label=1,b c,") == ("1", "b c", "")
    assert values("limit=None,3") == (None, 3)
    assert values("nesterov=true,False") == (True, False)
    assert values("widths=[1, 2],[3]") == ([1, 2], [3])


def test_both_ends_of_a_range_belong_to_it() -> None:
    assert values("seed=0..4") == (0, 1, 2, 3, 4)
    assert values("seed=-1..-1") == (-1,)
    assert values("damping=1..3") == (1.0, 2.0, 3.0)


def test_the_last_axis_runs_fastest() -> None:
    points = grid_points(read_axes(["seed=0..2", "label=x,y"], DECLARED))
    assert [tuple(each.values()) for each in points] == list(product(range(3), "xy"))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["seed"], "write an axis as name=value,value in one line, got 'seed'"),
        (["seed="], "write an axis"),
        (["label=a\nb"], "in one line"),
        (["seed=1", "seed=2"], "seed is given twice"),
        (["seed=1,2,1"], "the value 1 of seed is given twice"),
        (["damping=1e-3,0.001"], "the value 0.001 of damping is given twice"),
        (["seed=4..0"], "must rise"),
        (["seed=0..99999"], "fewer than 10000 steps"),
        (["seed=0..999", "damping=0..99"], "the grid has 100000 points"),
    ],
)
def test_a_malformed_grid_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(SweepError, match=words):
        read_axes(texts, DECLARED)


def test_a_wrong_value_of_an_axis_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"'seed' is int, got '1\.5'"):
        read_axes(["seed=1,1.5"], DECLARED)
    with pytest.raises(UnknownParameterError, match="did you mean 'damping'"):
        read_axes(["dampign=1"], DECLARED)


SCALARS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.text(max_size=150),
)


@given(st.dictionaries(st.sampled_from("abc"), SCALARS, min_size=1))
def test_a_point_s_name_is_a_plain_file_name(point: dict[str, object]) -> None:
    name = point_name(point)
    assert 0 < len(name) <= 100
    assert "/" not in name
    assert not name.startswith(".")


def test_different_points_have_different_names() -> None:
    points = [{"a": value} for value in ("1/2", "1 2", "x" * 200, "x" * 201, "1,b=2")]
    points += [{"a": "1", "b": 2}, {"a": 0.1}, {"a": 1}, {"a": None}, {"a": "None"}]
    assert len({point_name(point) for point in points}) == len(points)


@given(
    st.one_of(
        st.tuples(st.just("seed"), st.integers()),
        st.tuples(st.just("damping"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("label"), st.text()),
        st.tuples(st.just("limit"), st.none() | st.integers()),
        st.tuples(st.just("nesterov"), st.booleans()),
        st.tuples(st.just("widths"), st.lists(st.integers(), min_size=1)),
    )
)
def test_a_value_s_text_is_read_back_as_the_value(assignment: tuple) -> None:
    name, value = assignment
    assert parse_assignment(f"{name}={value_text(value)}", DECLARED) == (name, value)
