import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocodesign.codesign import Account, Factor, multiply

RATIOS = st.lists(st.floats(0.1, 100), min_size=1, max_size=5).map(tuple)


def factor(name: str, *values: float, **changes: object) -> Factor:
    facts = {"chain": "training", "evidence": "measured", "scale": "", "source": ""}
    return Factor(name, values=values, **{**facts, **changes})  # pyright: ignore


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(RATIOS, min_size=1, max_size=5))
def test_the_product_is_that_of_the_means_and_lies_in_its_interval(
    ratios: list[tuple[float, ...]],
) -> None:
    factors = [factor(str(i), *values) for i, values in enumerate(ratios)]
    product = multiply(factors)
    expected = math.prod(math.prod(v) ** (1 / len(v)) for v in ratios)
    assert product.value == pytest.approx(expected, rel=1e-6)
    slack = 1 + 1e-6
    assert product.low <= product.value * slack
    assert product.value <= product.high * slack
    assert math.prod(min(v) for v in ratios) <= product.low * slack
    assert product.high <= math.prod(max(v) for v in ratios) * slack


@pytest.mark.slow
def test_the_interval_covers_a_known_product_about_as_often_as_it_says() -> None:
    draw = random.Random(1)
    hits = 0
    for trial in range(60):
        values = [
            tuple(math.exp(draw.gauss(math.log(mean), 0.3)) for _ in range(12))
            for mean in (2.0, 5.0)
        ]
        found = multiply([factor("a", *values[0]), factor("b", *values[1])], seed=trial)
        hits += found.low <= 10.0 <= found.high
    assert 48 <= hits <= 60


def test_of_nothing_the_product_is_one() -> None:
    assert multiply([]).value == 1.0


def test_factors_without_repetitions_are_named() -> None:
    product = multiply([factor("a", 2.0), factor("b", 2.0, 3.0)])
    assert product.unrepeated == ("a",)


def test_nothing_is_counted_twice() -> None:
    with pytest.raises(ValueError, match=r"counted once, got \['steps'\] twice"):
        Account((factor("steps", 2.0), factor("steps", 3.0)))


def test_kinds_of_evidence_are_told_apart() -> None:
    account = Account(
        (
            factor("a", 2.0),
            factor("b", 3.0, evidence="simulated"),
            factor("c", 5.0, chain="inference"),
        )
    )
    assert [each.name for each in account.chosen()] == ["a", "c"]
    both = account.chosen(["training"], ["measured", "simulated"])
    assert [each.name for each in both] == ["a", "b"]


@pytest.mark.parametrize("values", [(), (0.0,), (-1.0,), (math.inf,), (math.nan,)])
def test_refuses_what_is_no_ratio(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="positive, finite values"):
        factor("a", *values)
