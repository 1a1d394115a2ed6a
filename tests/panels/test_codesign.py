import pytest

from cocodesign.panels.codesign import QUANTITIES, CodesignPanel

LAYERS = ["all on", "without kfac", "all on", "without kfac"]


@pytest.fixture
def panel() -> CodesignPanel:
    runs = {column: [1.0, 2.0, 3.0, 4.0] for column in QUANTITIES.values()}
    runs["file_bytes"] = [10.0, 20.0, 30.0, 40.0]
    account = {
        "factor": ["steps", "links", "layers"],
        "chain": ["training", "training", "inference"],
        "value": [5.0, 4.0, None],
        "evidence": ["measured", "simulated", "missing"],
    }
    return CodesignPanel({**runs, "layers": LAYERS}, account)


def test_each_run_is_drawn_with_all_its_seeds(panel: CodesignPanel) -> None:
    panel.quantity.value = "bytes of the file"
    drawn = {trace.name: list(trace.y) for trace in panel.figure.data}
    assert drawn == {"all on": [10.0, 30.0], "without kfac": [20.0, 40.0]}


def test_simulated_factors_count_when_they_are_ticked(panel: CodesignPanel) -> None:
    measured, simulated = panel.boxes
    assert (measured.value, simulated.value) == (True, False)
    assert "5×" in panel.product.value
    assert "measured" in panel.product.value
    simulated.value = True
    assert "20×" in panel.product.value
    assert "partly simulated" in panel.product.value
    measured.value = simulated.value = False
    assert "1×" in panel.product.value
