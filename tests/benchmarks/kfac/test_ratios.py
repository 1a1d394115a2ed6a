import pytest

from benchmarks.kfac.ratios import FIRST_ORDER, OURS, best_of, ratio, summary
from cocodesign.studies import Rules
from cocodesign.studies.comparison import Comparison
from cocodesign.studies.designs import Setting
from cocodesign.studies.outcomes import Outcome, Point

RULES = Rules(0.8, (64, 8), (1, 1), (0, 1), max_steps=100)


def race(
    name: str, size: int, seed: int, steps: int, *, reached: bool = True
) -> Outcome:
    curve = (Point(steps, steps / 10, 0.8 if reached else 0.7, 0.1),)
    return Outcome(name, Setting(0.1), size, seed, reached, curve)


def comparison(**steps: tuple[int, int]) -> Comparison:
    """Give every contender its steps by seed; 100 is not to arrive."""
    races = [
        race(name.replace("_", "-"), size, seed, count, reached=count < 100)
        for size in (64, 8)
        for seed in (0, 1)
        for name, counts in steps.items()
        for count in counts[seed : seed + 1]
    ]
    return Comparison(RULES, (), tuple(races))


ALL = comparison(
    K_FAC=(20, 30),
    SGD=(80, 90),
    LARS=(60, 70),
    AdamW=(100, 100),
    Muon=(40, 30),
    SOAP=(50, 50),
)


def test_ratios_are_ours_over_theirs():
    found = ratio(ALL, "LARS", 64, "steps")
    assert found["values"] == [
        pytest.approx(1 / 3, abs=1e-4),
        pytest.approx(3 / 7, abs=1e-4),
    ]
    assert found["bound"] == "exact"
    assert ratio(ALL, "Muon", 64, "seconds")["median"] == pytest.approx(0.75)


def test_an_opponent_that_did_not_arrive_gives_an_upper_bound():
    assert ratio(ALL, "AdamW", 64, "steps")["bound"] == "upper"


def test_to_be_late_oneself_gives_a_lower_bound():
    late = comparison(K_FAC=(100, 30), SGD=(80, 90))
    assert ratio(late, "SGD", 64, "steps")["bound"] == "lower"


def test_nobody_arriving_is_no_ratio():
    nobody = comparison(K_FAC=(100, 100), SGD=(100, 100))
    found = ratio(nobody, "SGD", 64, "steps")
    assert (found["median"], found["bound"]) == (None, "unknown")


def test_the_best_is_who_arrives_first():
    assert best_of(ALL, FIRST_ORDER, 64, "steps") == "LARS"
    assert best_of(ALL, ("AdamW", "SGD"), 8, "steps") == "SGD"


def test_the_summary_compares_with_the_best_of_each_kind():
    names = ("SGD", "LARS", "AdamW", OURS, "Muon", "SOAP")
    found = summary(ALL, names)
    assert set(found["steps_ratio_vs_first_order"]) == {"64", "8"}
    assert found["wall_ratio_vs_first_order"]["vs"] == "LARS"
    assert found["steps_ratio_vs_best_peer"]["vs"] == "Muon"
    assert found["races"]["8"]["AdamW"]["steps"]["reached"] == [False, False]
