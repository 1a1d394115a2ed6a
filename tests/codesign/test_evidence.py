import dataclasses
from collections.abc import Callable

import pytest

from cocodesign.codesign import account_table, factors_of
from cocodesign.codesign.evidence import RULES
from cocodesign.project import find_project
from cocodesign.results import Measurement, RunRecord, find_records


def record_with(
    make_record: Callable[..., RunRecord], notebook: str, **metrics: Measurement
) -> RunRecord:
    return dataclasses.replace(make_record(notebook=notebook), metrics=metrics)


def test_a_factor_is_its_measurement_inverted_or_divided_as_the_rule_says(
    make_record: Callable[..., RunRecord],
) -> None:
    steps = Measurement((6.0, 4.0), "x", note="1 of 2 seeds give a lower bound")
    records = [
        record_with(
            make_record,
            "10_kfac_convergence",
            steps_ratio_batch_12000=steps,
            stale_step_time_ratio=Measurement((1.25,), "x"),
        ),
        record_with(
            make_record,
            "60_collectives_scaling",
            weak_efficiency_tuned=Measurement((0.6,), "fraction", simulated=True),
            weak_efficiency_ring=Measurement((0.1,), "fraction"),
        ),
    ]
    account, missing = factors_of(records, "laptop")
    by_name = {each.name: each for each in account.factors}
    assert by_name["iterations to the target"].values == (6.0, 4.0)
    assert by_name["iterations to the target"].is_bound
    assert by_name["time of an iteration"].values == (0.8,)
    communication = by_name["communication of an iteration"]
    assert communication.values == pytest.approx((6.0,))
    assert communication.evidence == "simulated"
    assert missing["convolutions of an iteration"] == (
        "no record of 20_microbatch_workspace at profile laptop"
    )
    table = account_table(account, missing)
    assert len(table["factor"]) == len(RULES)
    assert table["value"][-1] is None
    assert table["evidence"][-1] == "missing"


def test_records_of_other_profiles_do_not_count(
    make_record: Callable[..., RunRecord],
) -> None:
    steps = Measurement((6.0,), "x")
    record = record_with(
        make_record, "10_kfac_convergence", steps_ratio_batch_12000=steps
    )
    account, missing = factors_of([record], "gpu")
    assert account.factors == ()
    assert len(missing) == len(RULES)


def test_every_rule_reads_what_a_committed_record_has() -> None:
    found = find_records(find_project().root / "paper_figures" / "records")
    known = {record.notebook: record for _, record in found}
    for rule in RULES:
        if rule.notebook in known:
            metrics = known[rule.notebook].metrics
            assert rule.metric in metrics
            is_model = "16,384 GPUs" in rule.scale
            assert metrics[rule.metric].simulated == is_model
            assert not rule.over or rule.over in metrics
