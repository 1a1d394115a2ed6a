from collections.abc import Callable

from cocodesign.panels.home.figures import FiguresPanel
from cocodesign.project import Project
from cocodesign.results import RunRecord

_SCRIPT = """\
import plotly.graph_objects as go
from cocodesign.figures import PaperFigure
def draw(records):
    record = records["{notebook}"]
    return go.Figure(go.Scatter(y=list(record.metrics["{metric}"].values)))
FIGURE = PaperFigure("{name}", "Title of {name}", ("{notebook}",), draw)
"""


def add_figure(
    clone: Project, name: str, notebook: str = "10_example", metric: str = "ratio"
) -> None:
    text = _SCRIPT.format(name=name, notebook=notebook, metric=metric)
    (clone.figure_scripts / f"{name}.py").write_text(text)


def heights(panel: FiguresPanel) -> list[float]:
    assert panel.figure is not None
    return list(panel.figure.data[0].y)


def test_shows_the_figures_whose_records_are_there(
    clone: Project, make_record: Callable[..., RunRecord]
) -> None:
    add_figure(clone, "fig10_a")
    add_figure(clone, "fig20_b", notebook="20_absent")
    panel = FiguresPanel(clone)
    panel.show([make_record(3.0)])
    assert panel.choice.options == (("fig10  Title of fig10_a", "fig10_a"),)
    assert "1 of 2 figures have no record" in panel.message.value
    assert heights(panel) == [3.0]


def test_the_buttons_leaf_through_the_figures(
    clone: Project, make_record: Callable[..., RunRecord]
) -> None:
    for name in ("fig10_a", "fig11_b", "fig12_c"):
        add_figure(clone, name)
    panel = FiguresPanel(clone)
    panel.show([make_record(3.0)])
    previous, following = panel.buttons
    following.click()
    assert panel.choice.value == "fig11_b"
    for _ in range(2):
        previous.click()
    assert panel.choice.value == "fig12_c"


def test_a_new_record_is_drawn_and_the_choice_kept(
    clone: Project, make_record: Callable[..., RunRecord]
) -> None:
    for name in ("fig10_a", "fig11_b"):
        add_figure(clone, name)
    panel = FiguresPanel(clone)
    old = make_record(3.0, finished="2026-01-01T00:00:00+00:00")
    new = make_record(5.0, finished="2026-01-02T00:00:00+00:00")
    panel.show([old])
    panel.choice.value = "fig11_b"
    panel.show([old, new])
    assert panel.choice.value == "fig11_b"
    assert heights(panel) == [5.0]


def test_a_record_that_is_too_old_for_its_figure_is_told(
    clone: Project, make_record: Callable[..., RunRecord]
) -> None:
    add_figure(clone, "fig10_a", metric="another")
    panel = FiguresPanel(clone)
    panel.show([make_record(3.0)])
    assert panel.figure is None
    assert "another" in panel.problem.value


def test_a_clone_without_records_shows_none(clone: Project) -> None:
    panel = FiguresPanel(clone)
    panel.show([])
    assert panel.figure is None
    for button in panel.buttons:
        button.click()
