from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.errors import RecordError
from cocodesign.provenance import Provenance
from cocodesign.results import (
    Measurement,
    RunContext,
    RunRecord,
    find_records,
    newest_record,
    read_record,
    write_record,
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
names = st.text(min_size=1, max_size=8)
values = st.lists(
    st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4
)


@given(
    parameters=st.dictionaries(names, scalars, max_size=4),
    metrics=st.dictionaries(names, values, max_size=3),
    column=st.lists(scalars, max_size=4),
)
def test_json_round_trip_is_exact(parameters, metrics, column) -> None:
    record = RunRecord(
        notebook="10_example",
        profile="laptop",
        run_id="r",
        finished="2026-01-01T00:00:00+00:00",
        duration_s=0.1,
        parameters=parameters,
        metrics={
            name: Measurement(tuple(found), "x", simulated=True, note="n")
            for name, found in metrics.items()
        },
        tables={"t": {"a": column, "b": column}},
        provenance=Provenance(None, True, {}, "3.11", "Linux", "cpu", 1),
        notes=("synthetic",),
    )
    assert RunRecord.from_json(record.to_json()) == record


def test_median_and_spread_are_those_of_the_seeds() -> None:
    found = Measurement(values=(3.0, 1.0, 8.0, 2.0), unit="x")
    assert (found.low, found.median, found.high) == (1.0, 2.5, 8.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_a_measurement_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Measurement(values=(1.0, value), unit="x")


def test_refuses_a_table_with_ragged_columns(make_record) -> None:
    fields = make_record(2.0).__dict__
    with pytest.raises(ValueError, match="unequal length"):
        RunRecord(**{**fields, "tables": {"curves": {"x": [1], "y": [1, 2]}}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"record_version": 99}',
        '{"record_version": 1, "notebook": "x"}',
    ],
)
def test_refuses_text_that_is_no_record_and_names_the_file(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"record\.json"):
        read_record(path)


def write_example(folder: Path, provenance: Provenance) -> RunRecord:
    return write_record(
        folder,
        notebook="10_example",
        parameters={},
        metrics={},
        tables={},
        provenance=provenance,
        duration_s=1.0,
    )


def test_a_run_by_hand_is_interactive(tmp_path: Path, provenance: Provenance) -> None:
    record = write_example(tmp_path / "run", provenance)
    assert record.profile == "interactive"
    assert read_record(tmp_path / "run" / "record.json") == record


def test_a_run_by_the_runner_carries_its_profile(
    tmp_path: Path, provenance: Provenance
) -> None:
    RunContext("the-run", "10_example", "laptop", {"seed": 0}).write(tmp_path)
    record = write_example(tmp_path, provenance)
    assert (record.profile, record.run_id) == ("laptop", "the-run")


def test_refuses_the_run_folder_of_another_notebook(
    tmp_path: Path, provenance: Provenance
) -> None:
    RunContext("the-run", "20_other", "laptop", {}).write(tmp_path)
    with pytest.raises(ValueError, match="20_other"):
        write_example(tmp_path, provenance)


def test_finds_committed_records_and_those_of_runs(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text(make_record(1.0).to_json())
    (tmp_path / "kept.json").write_text(make_record(2.0).to_json())
    (tmp_path / "run" / "lease.json").write_text("{}")
    found = [record.metrics["ratio"].median for _, record in find_records(tmp_path)]
    assert sorted(found) == [1.0, 2.0]
    assert list(find_records(tmp_path / "absent")) == []


def test_the_largest_profile_wins_then_the_newest(
    make_record: Callable[..., RunRecord],
) -> None:
    old_gpu = make_record(1.0, profile="gpu", finished="2026-01-01")
    gpu = make_record(2.0, profile="gpu", finished="2026-01-02")
    laptop = make_record(3.0, profile="laptop", finished="2026-01-03")
    custom = make_record(4.0, profile="custom", finished="2026-01-04")
    records = [old_gpu, gpu, laptop, custom]
    assert newest_record(records, notebook="10_example") is gpu
    assert newest_record(records, notebook="10_example", profile="laptop") is laptop
    assert newest_record([custom], notebook="10_example") is None
    assert newest_record(records, notebook="20_other") is None
