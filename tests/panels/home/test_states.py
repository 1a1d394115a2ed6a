import json
from collections.abc import Callable
from pathlib import Path

from cocodesign.panels.home.states import find_notebooks, last_runs, read_progress
from cocodesign.project import Project
from cocodesign.results import RunRecord
from cocodesign.runner import RunState

_DAY_S = 86_400.0


def run(name: str, status: str, *, day: int, profile: str = "smoke") -> RunState:
    return RunState(
        run_dir=Path("runs") / name,
        notebook="10_example",
        profile=profile,
        status=status,  # type: ignore[arg-type]  # a Literal, from the cases below
        started=day * _DAY_S,
        heartbeat_age_s=0.0,
        host="here",
        pid=1,
        message="",
    )


def code_cell(status: str, source: str, *outputs: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "metadata": {"papermill": {"status": status}},
        "source": source,
        "outputs": [{"output_type": "stream", "text": text} for text in outputs],
    }


def write_executed(folder: Path, *cells: dict[str, object]) -> None:
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": cells}))


def test_a_notebook_tells_its_question_and_its_profiles(clone: Project) -> None:
    (facts,) = find_notebooks(clone, without="00_overview")
    assert facts.name == "10_example"
    assert facts.question == "Does it run?"
    assert facts.profiles == ("smoke", "laptop", "gpu")


def test_the_newest_run_of_each_profile_counts() -> None:
    runs = [
        run("c", "failed", day=3),
        run("a", "finished", day=1),
        run("b", "dead", day=2, profile="gpu"),
    ]
    found = last_runs("10_example", runs, [])
    assert [(each.profile, each.status) for each in found] == [
        ("smoke", "failed"),
        ("gpu", "dead"),
    ]


def test_profiles_come_by_scale_and_others_after_them() -> None:
    profiles = ("custom", "paper", "laptop", "smoke")
    runs = [run(profile, "finished", day=1, profile=profile) for profile in profiles]
    found = last_runs("10_example", runs, [])
    assert [each.profile for each in found] == ["smoke", "laptop", "paper", "custom"]


def test_a_record_without_a_run_is_one_that_came_along(
    make_record: Callable[..., RunRecord],
) -> None:
    record = make_record(1.0)
    (found,) = last_runs("10_example", [], [record])
    assert (found.status, found.profile, found.duration_s) == (
        "recorded",
        "laptop",
        1.5,
    )
    assert last_runs("20_other", [], [record]) == ()


def test_a_record_gives_its_run_the_duration(
    make_record: Callable[..., RunRecord],
) -> None:
    record = make_record(1.0)
    state = run(record.run_id, "finished", day=1, profile="laptop")
    (found,) = last_runs("10_example", [state], [record])
    assert (found.status, found.duration_s) == ("finished", 1.5)


def test_a_run_that_goes_on_hides_the_record_of_its_last_attempt(
    make_record: Callable[..., RunRecord],
) -> None:
    record = make_record(1.0)
    state = run(record.run_id, "running", day=1, profile="laptop")
    (found,) = last_runs("10_example", [state], [record])
    assert (found.status, found.duration_s) == ("running", None)


def test_progress_counts_code_cells_and_names_the_running_one(tmp_path: Path) -> None:
    write_executed(
        tmp_path,
        {"cell_type": "markdown", "metadata": {}, "source": "# T"},
        code_cell("completed", "seed = 0"),
        code_cell("running", "train()\nmore()", "step 1\n", "step 2\n"),
        code_cell("pending", "look()"),
    )
    progress = read_progress(tmp_path)
    assert progress is not None
    assert (progress.num_done, progress.num_cells) == (1, 3)
    assert progress.title == "train()"
    assert progress.tail == ("step 1", "step 2")


def test_the_tail_is_short_and_shows_a_progress_bar_once(tmp_path: Path) -> None:
    lines = "".join(f"line {number}\n" for number in range(50))
    write_executed(tmp_path, code_cell("running", "x", lines, "10 %\r20 %\r30 %"))
    progress = read_progress(tmp_path)
    assert progress is not None
    assert len(progress.tail) == 8
    assert progress.tail[-2:] == ("line 49", "30 %")


def test_there_is_no_progress_before_the_first_saving(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
