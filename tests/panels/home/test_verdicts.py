from cocodesign.claims import Verdict, load_claims
from cocodesign.panels.home.verdicts import VerdictsPanel, verdict_table
from cocodesign.results import Measurement

CLAIMS = load_claims()


def test_the_table_shows_value_spread_and_verdict_and_escapes_html() -> None:
    found = Measurement((1.0, 2.0, 4.0), "x", simulated=True)
    text = verdict_table([Verdict(CLAIMS[0], "PASS", "a < b", found, "laptop", "run")])
    assert "<b>2</b> x" in text
    assert "1 to 4" in text
    assert "simulated" in text
    assert ">PASS<" in text
    assert "a &lt; b" in text


def test_a_claim_that_was_not_run_shows_no_number() -> None:
    assert "<b>" not in verdict_table([Verdict(CLAIMS[0], "NOT RUN", "missing")])


def test_large_numbers_are_written_in_full() -> None:
    found = Measurement((123_728.0,), "parameters")
    assert "123,728" in verdict_table([Verdict(CLAIMS[0], "PASS", "", found)])


def test_the_table_narrows_to_a_verdict_and_a_part() -> None:
    panel = VerdictsPanel()
    other = next(each for each in CLAIMS if each.part != CLAIMS[0].part)
    panel.show(
        [Verdict(CLAIMS[0], "PASS", "first"), Verdict(other, "FAIL", "second")], []
    )
    assert "1 PASS" in panel.counts.value
    panel.status.value = "FAIL"
    assert "second" in panel.table.value
    assert "first" not in panel.table.value
    panel.part.value = CLAIMS[0].part
    assert "No claim" in panel.table.value


def test_what_is_chosen_stays_chosen_when_verdicts_change() -> None:
    panel = VerdictsPanel()
    panel.show([Verdict(CLAIMS[0], "PASS", "before")], [])
    panel.part.value = CLAIMS[0].part
    panel.show([Verdict(claim, "NOT RUN", "after") for claim in CLAIMS], [])
    assert panel.part.value == CLAIMS[0].part
    assert panel.part.options[0] == ("all", "all")
    assert "after" in panel.table.value


def test_records_that_cannot_be_read_are_named_above_the_table() -> None:
    panel = VerdictsPanel()
    panel.show([], ["runs/a/record.json: <not a record>"])
    assert "runs/a/record.json: &lt;not a record&gt;" in panel.problems.value
