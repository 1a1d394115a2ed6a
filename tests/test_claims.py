from collections.abc import Callable
from dataclasses import replace

import pytest

from cocodesign.claims import Claim, Judgement, judge, load_claims
from cocodesign.errors import ClaimsError
from cocodesign.results import RunRecord

LEDGER = """
[[claim]]
id = "a"
part = "kfac"
sentence = "s"
source = "report"
paper = "3x"
unit = "x"
missing = "GPUs"
"""
JUDGEMENT = """
[[claim.judgement]]
profile = "laptop"
notebook = "10_example"
metric = "ratio"
direction = "at_least"
expected = 2.0
tolerance = 0.1
basis = "smaller task"
"""


def claim(direction: str = "at_least", *profiles: str) -> Claim:
    return Claim(
        id="a",
        part="kfac",
        sentence="s",
        source="report",
        paper="3x",
        unit="x",
        missing="GPUs",
        judgements=tuple(
            Judgement(
                profile, "10_example", "ratio", direction, 2.0, 0.125, "smaller task"
            )
            for profile in profiles or ("laptop",)
        ),
    )


def test_the_ledger_holds_the_18_claims_of_the_programme() -> None:
    claims = load_claims()
    assert len(claims) == 18
    assert all(each.sentence and each.source and each.paper for each in claims)


@pytest.mark.parametrize(
    ("direction", "values", "status"),
    [
        ("at_least", (2.0, 2.5, 3.0), "PASS"),
        ("at_least", (1.0, 2.5, 3.0), "DRIFT"),  # one seed misses
        ("at_least", (1.75, 1.75, 1.75), "DRIFT"),  # within the tolerance
        ("at_least", (1.74, 1.74, 3.0), "FAIL"),
        ("at_most", (1.0, 1.5, 2.0), "PASS"),
        ("at_most", (1.0, 1.5, 2.1), "DRIFT"),
        ("at_most", (2.25, 2.25, 2.25), "DRIFT"),
        ("at_most", (2.26, 2.26, 1.0), "FAIL"),
    ],
)
def test_status_follows_median_seeds_and_tolerance(
    make_record: Callable[..., RunRecord], direction: str, values, status: str
) -> None:
    (verdict,) = judge([claim(direction)], [make_record(*values)])
    assert verdict.status == status
    assert "smaller task" in verdict.reason


def test_the_largest_profile_that_was_run_is_judged(
    make_record: Callable[..., RunRecord],
) -> None:
    records = [make_record(1.0, profile="laptop"), make_record(9.0, profile="gpu")]
    (verdict,) = judge([claim("at_least", "laptop", "gpu", "paper")], records)
    assert (verdict.profile, verdict.status) == ("gpu", "PASS")


def test_every_measurement_that_a_claim_expects_counts(
    make_record: Callable[..., RunRecord],
) -> None:
    at_least, at_most = claim("at_least"), claim("at_most")
    both = replace(at_least, judgements=at_least.judgements + at_most.judgements)
    for values, status in (((2.0,), "PASS"), ((9.0,), "FAIL"), ((1.0,), "FAIL")):
        (verdict,) = judge([both], [make_record(*values)])
        assert verdict.status == status
        assert "expected ≥ 2" in verdict.reason
        assert "; also" in verdict.reason
        assert "expected ≤ 2" in verdict.reason


def test_a_run_with_changed_values_is_not_judged(
    make_record: Callable[..., RunRecord],
) -> None:
    (verdict,) = judge([claim()], [make_record(9.0, profile="custom")])
    assert verdict.status == "NOT RUN"
    assert "cocodesign reproduce --profile laptop --only kfac" in verdict.reason
    assert verdict.to_dict()["measured"] is None


def test_a_record_without_the_metric_is_passed_over(
    make_record: Callable[..., RunRecord],
) -> None:
    newer = make_record(finished="2026-12-31T00:00:00+00:00")
    (verdict,) = judge([claim()], [make_record(2.0), newer])
    assert verdict.status == "PASS"


def test_the_json_form_has_the_promised_keys(
    make_record: Callable[..., RunRecord],
) -> None:
    fields = judge([claim()], [make_record(2.0, 3.0, 4.0)])[0].to_dict()
    promised = {"id", "status", "reason", "paper", "measured", "spread", "profile"}
    assert promised <= fields.keys()
    assert (fields["measured"], fields["spread"]) == (3.0, [2.0, 4.0])


@pytest.mark.parametrize(
    ("ledger", "message"),
    [
        ("[[claim", "cannot be read"),
        ("", "cannot be read"),
        (LEDGER + LEDGER, "twice in the ledger: a"),
        (LEDGER + 'colour = "red"', "claim a: .*colour"),
        (LEDGER.replace('paper = "3x"', ""), "claim a: .*paper"),
        (LEDGER + JUDGEMENT.replace("laptop", "desktop"), "desktop"),
        (LEDGER + JUDGEMENT.replace("at_least", "near"), "near"),
        (LEDGER + JUDGEMENT.replace("2.0", "inf"), "finite"),
    ],
)
def test_refuses_a_malformed_ledger_and_names_the_claim(
    ledger: str, message: str
) -> None:
    with pytest.raises(ClaimsError, match=message):
        load_claims(ledger)


def test_reads_a_judgement() -> None:
    (found,) = load_claims(LEDGER + JUDGEMENT)
    assert found.judgements[0].expected == 2.0
