import pytest
import torch
from torch import nn

from cocodesign.microbatch.allocations import MemoryTrace
from cocodesign.microbatch.comparison import LimitOutcome
from cocodesign.microbatch.deepbench import deepbench_layers, window_layers
from cocodesign.microbatch.division import Candidate, Division, parse_parts
from cocodesign.microbatch.problem import ConvProblem
from cocodesign.microbatch.timings import Timings
from cocodesign.microbatch_study import LayerStudy, study_layers, study_step
from cocodesign.microbatch_study.steps import thinned

MIB = 1 << 20
PROBLEM = ConvProblem.square(4, 3, 4, size=8, kernel=3, padding=1)


def test_the_list_has_its_ninety_four_layers():
    layers = deepbench_layers()
    assert (len(layers), len(set(layers)), len(deepbench_layers(256))) == (94, 90, 55)
    one_pass = sum(layer.flops for layer in layers) / 1e9
    assert one_pass == pytest.approx(562.5, abs=0.1)
    assert [layer.kernel_size for layer in window_layers(8)].count((5, 5)) == 3
    assert {layer.mini_batch_size for layer in window_layers(8)} == {8}


def outcome(limit: int | None, over_undivided: float, over_torch: float):
    divided = Division(parse_parts("fft:2*2"), 1.0)
    undivided = Division(parse_parts("direct:4"), over_undivided)
    return LimitOutcome(
        PROBLEM, "forward", limit, divided, undivided, over_undivided, over_torch
    )


def test_metrics_are_geometric_means_by_limit():
    outcomes = [
        outcome(8 * MIB, 1.0, 2.0),
        outcome(8 * MIB, 4.0, 8.0),
        outcome(None, 1.0, 1.5),
    ]
    study = LayerStudy({}, tuple(outcomes))
    metrics = study.metrics()
    assert metrics["gain_vs_undivided_8_mib"].median == pytest.approx(2.0)
    assert metrics["gain_vs_torch_8_mib"].median == pytest.approx(4.0)
    assert metrics["gain_vs_torch_unlimited"].median == pytest.approx(1.5)
    assert study.tables()["layers"]["limit"] == ["8_mib", "8_mib", "unlimited"]


def test_fronts_with_parts_are_never_behind_those_without():
    candidates = (
        Candidate("direct", 4, 4.0, 0),
        Candidate("fft", 4, 2.0, 400),
        Candidate("fft", 1, 0.6, 100),
    )
    fronts = LayerStudy({PROBLEM: candidates}, ()).tables()["fronts"]
    columns = (fronts["kind"], fronts["workspace_bytes"], fronts["time_s"])
    rows = list(zip(*columns, strict=True))
    assert rows == [
        ("undivided", 0, 4.0),
        ("undivided", 400, 2.0),
        ("divided", 0, 4.0),
        ("divided", 100, 2.4),
        ("divided", 400, 2.0),
    ]


def test_a_thinned_trace_keeps_its_peak():
    live = [*range(5000), 9999, *range(5000)]
    seconds = tuple(float(number) for number in range(len(live)))
    points = thinned(MemoryTrace(seconds, tuple(live)))
    assert len(points) <= 401
    assert max(value for _, value in points) == 9999


@pytest.mark.slow
def test_studies_a_layer_and_a_step():
    timings = Timings(repetitions=1)
    study = study_layers([PROBLEM], [MIB, None], timings=timings)
    assert len(study.outcomes) == 2
    for each in study.outcomes:
        assert each.divided.mini_batch_size == 4
        assert each.gain_vs_torch > 0
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3))
    step = study_step(
        "tiny", model, torch.ones(4, 3, 32, 32), num_rounds=2, timings=timings
    )
    assert len(step.gains) == 2
    assert step.metrics()["tiny_peak_error"].median < 0.05
    assert step.planned.peak_bytes <= step.native.peak_bytes
    assert set(step.tables()["tiny_memory"]["kind"]) == {"torch", "planned"}
