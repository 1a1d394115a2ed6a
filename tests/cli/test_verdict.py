import json

import pytest

from cocodesign.claims import load_claims


@pytest.mark.usefixtures("clone")
def test_json_lists_all_claims_with_the_promised_keys(call) -> None:
    result = call(["verdict", "--json"])
    verdicts = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [each["id"] for each in verdicts] == [claim.id for claim in load_claims()]
    keys = {"id", "status", "reason", "paper", "measured", "spread", "profile"}
    assert all(keys <= each.keys() for each in verdicts)
    assert {each["status"] for each in verdicts} == {"NOT RUN"}
    assert all("missing" in each["reason"] for each in verdicts)


@pytest.mark.usefixtures("clone")
def test_only_one_part_is_judged_when_asked(call) -> None:
    verdicts = json.loads(call(["verdict", "--json", "--only", "events"]).stdout)
    assert [each["id"] for each in verdicts] == ["events-fusion"]


@pytest.mark.usefixtures("clone")
def test_an_unknown_part_is_refused_with_the_known_ones(call) -> None:
    result = call(["verdict", "--only", "evens"])
    assert result.exit_code == 2
    assert "evens" in result.output
    assert "events" in result.output


@pytest.mark.parametrize(
    ("factor", "status", "code"), [(1.5, "PASS", 0), (0.1, "FAIL", 1)]
)
def test_a_record_is_judged_and_a_failure_is_the_exit_status(
    clone, call, make_record, factor: float, status: str, code: int
) -> None:
    claim = next(each for each in load_claims() if each.judgements)
    judgement = claim.judgements[0]
    sign = 1 if judgement.direction == "at_least" else -1
    value = judgement.expected * factor**sign
    record = make_record(value, notebook=judgement.notebook, profile=judgement.profile)
    text = record.to_json().replace('"ratio"', f'"{judgement.metric}"')
    run = clone.runs / "a-run"
    run.mkdir(parents=True)
    (run / "record.json").write_text(text)
    result = call(["verdict", "--json"])
    found = {each["id"]: each for each in json.loads(result.stdout)}[claim.id]
    assert (found["status"], result.exit_code) == (status, code)
    assert found["measured"] == pytest.approx(value)


@pytest.mark.usefixtures("clone")
def test_the_table_counts_the_verdicts(call) -> None:
    result = call(["verdict"])
    assert "18 claims: 18 NOT RUN" in result.stdout
    assert "codesign-1000x" in result.stdout


def test_a_broken_record_is_one_clear_error(clone, call) -> None:
    (clone.committed_records / "x.json").write_text("{")
    result = call(["verdict"])
    assert result.exit_code == 1
    assert "x.json" in str(result.exception)
