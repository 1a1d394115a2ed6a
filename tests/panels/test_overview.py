from collections.abc import Callable
from pathlib import Path

from cocodesign.claims import Verdict, load_claims
from cocodesign.panels.overview import figure_gallery, notebook_table, verdict_table
from cocodesign.project import Project
from cocodesign.results import Measurement, RunRecord


def test_the_table_shows_value_spread_and_verdict_and_escapes_html() -> None:
    claim = load_claims()[0]
    found = Measurement((1.0, 2.0, 4.0), "x", simulated=True)
    verdict = Verdict(claim, "PASS", "a < b", found, "laptop", "run")
    text = verdict_table([verdict]).value
    assert "<b>2</b> x" in text
    assert "1 to 4" in text
    assert "simulated" in text
    assert ">PASS<" in text
    assert "a &lt; b" in text


def test_a_claim_that_was_not_run_shows_no_number() -> None:
    verdict = Verdict(load_claims()[0], "NOT RUN", "missing")
    assert "<b>" not in verdict_table([verdict]).value


def test_notebooks_are_listed_with_their_newest_record(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    project = Project(tmp_path)
    project.notebooks.mkdir()
    project.parameters.mkdir()
    for name in ("10_example", "20_other"):
        (project.notebooks / f"{name}.ipynb").touch()
    (project.parameters / "10_example.laptop.yaml").touch()
    old = make_record(1.0, finished="2026-01-01T00:00:00+00:00")
    new = make_record(1.0, profile="gpu", finished="2026-01-02T00:00:00+00:00")
    text = notebook_table(project, [new, old]).value
    assert 'href="10_example.ipynb"' in text
    assert "gpu, 2026-01-02 00:00 UTC" in text
    assert text.count("not run yet") == 1
    assert "cocodesign run 10_example --profile laptop<" in text
    assert "cocodesign run 20_other<" in text  # it has no values for a laptop


def test_the_gallery_leaves_out_figures_without_records(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.figure_scripts.mkdir()
    (project.figure_scripts / "fig99_example.py").write_text(
        "from cocodesign.figures import PaperFigure\n"
        "FIGURE = PaperFigure('fig99_example', 'T', ('10_absent',), print)\n"
    )
    assert figure_gallery(project) == []
