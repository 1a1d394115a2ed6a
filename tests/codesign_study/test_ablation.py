from dataclasses import replace
from pathlib import Path

import pytest

from cocodesign.codesign_study import Ablation
from cocodesign.codesign_study.file import NetworkFile
from cocodesign.codesign_study.outcome import ABLATIONS, Layers, Outcome
from cocodesign.codesign_study.terminal import Watching
from cocodesign.codesign_study.training import Training
from cocodesign.codesign_study.windows import build_network


def outcome(layers: Layers) -> Outcome:
    """A run in which every layer halves or doubles what it acts on."""
    training = Training(
        build_network(),
        reached=layers.kfac,
        num_steps=10 if layers.kfac else 30,
        seconds=(1.0 if layers.kfac else 4.0) * (1.0 if layers.plan else 1.5),
        peak_bytes=100 if layers.plan else 80,
        learning_rate=0.1,
        accuracy=0.7,
    )
    return Outcome(
        layers,
        training,
        NetworkFile(Path("x"), 5 if layers.compression else 200, within_drop=True),
        0.6 if layers.compression else 0.65,
        Watching(50.0, 3, 0.5, 0.2),
        {"animal": 0.2, "food": 0.6},
    )


@pytest.fixture
def runs() -> tuple[Outcome, ...]:
    return tuple(outcome(layers) for layers in ABLATIONS)


def test_a_ratio_is_without_the_layer_over_with_it(runs: tuple[Outcome, ...]) -> None:
    metrics = Ablation((runs, runs)).metrics()
    expected = {
        "kfac_steps_ratio": 3.0,
        "kfac_seconds_ratio": 4.0,
        "plan_seconds_ratio": 1.5,
        "plan_peak_ratio": 1.25,  # memory is told the other way round
        "compression_ratio": 40.0,
        "compression_drop": 0.05,
        "search_map": 0.4,
    }
    found = {name: metrics[name].values for name in expected}
    assert found == {name: pytest.approx((x, x)) for name, x in expected.items()}


def test_a_training_that_did_not_arrive_makes_a_bound(
    runs: tuple[Outcome, ...],
) -> None:
    arrived = [
        replace(run, training=replace(run.training, reached=True)) for run in runs
    ]
    assert "2 of 2" in Ablation((runs, runs)).metrics()["kfac_steps_ratio"].note
    assert not Ablation((tuple(arrived),)).metrics()["kfac_steps_ratio"].note


def test_seeds_with_other_runs_are_refused(runs: tuple[Outcome, ...]) -> None:
    with pytest.raises(ValueError, match="the same runs"):
        Ablation((runs, runs[:2]))
