from dataclasses import replace

import pytest
import torch

from cocodesign.studies import Contender
from cocodesign.studies.designs import Setting
from cocodesign.studies.race import Race, run_race

CONDITIONS = Race(
    mini_batch_size=50,
    seed=1,
    split="test",
    target_accuracy=None,
    max_steps=10,
    evaluation_interval=3,
)
SGD = Contender.sgd(1)


def test_without_a_target_it_runs_to_the_end_and_evaluates_there_too(task, build_model):
    seen = []
    outcome = run_race(
        task,
        build_model,
        SGD,
        Setting(0.1),
        CONDITIONS,
        watch=lambda point: bool(seen.append(point)),
    )
    assert not outcome.reached
    assert [point.num_steps for point in outcome.curve] == [3, 6, 9, 10]
    assert tuple(seen) == outcome.curve
    seconds = [point.training_s for point in outcome.curve]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_it_ends_at_the_first_evaluation_that_reaches_the_target(task, build_model):
    whole = run_race(task, build_model, SGD, Setting(0.1), CONDITIONS)
    target = whole.curve[1].accuracy
    assert whole.curve[0].accuracy < target
    race = replace(CONDITIONS, target_accuracy=target)
    outcome = run_race(task, build_model, SGD, Setting(0.1), race)
    assert outcome.reached
    assert outcome.num_steps == 6


def test_a_target_out_of_reach_leaves_a_censored_outcome(task, build_model):
    race = replace(CONDITIONS, target_accuracy=1.0)
    outcome = run_race(task, build_model, SGD, Setting(1e-6), race)
    assert not outcome.reached
    assert outcome.num_steps == 10


def test_a_training_that_diverged_ends_at_once(task, build_model):
    outcome = run_race(task, build_model, SGD, Setting(float("inf")), CONDITIONS)
    assert not outcome.reached
    assert outcome.num_steps < 10


def test_the_split_decides_which_examples_judge(task, build_model):
    seen = []

    class Recorded(type(task)):
        def accuracy(self, model, split):
            seen.append(split)
            return super().accuracy(model, split)

    recorded = Recorded(**vars(task))
    for split in ("validation", "test"):
        race = replace(CONDITIONS, split=split, max_steps=1)
        run_race(recorded, build_model, SGD, Setting(0.1), race)
    assert seen == ["validation", "test"]


@pytest.mark.parametrize("name", ["SGD", "K-FAC"])
def test_a_race_is_a_function_of_its_seed(task, build_model, name):
    contender = {"SGD": SGD, "K-FAC": Contender.kfac(1)}[name]
    setting = contender.settings[0]

    def losses(seed: int) -> list[float]:
        race = replace(CONDITIONS, seed=seed)
        curve = run_race(task, build_model, contender, setting, race).curve
        return [point.loss for point in curve]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_contenders_share_initial_weights_and_mini_batches(task, build_model):
    race = replace(CONDITIONS, max_steps=1)
    pair = [
        run_race(task, build_model, contender, contender.settings[0], race)
        for contender in (SGD, Contender.kfac(1))
    ]
    assert pair[0].curve[0].loss == pair[1].curve[0].loss


def test_a_race_leaves_torchs_global_random_state_alone(task, build_model):
    before = torch.get_rng_state()
    run_race(task, build_model, SGD, Setting(0.1), CONDITIONS)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_steps": 0}, "at least 1, got 0 and 3"),
        ({"evaluation_interval": 0}, "at least 1, got 10 and 0"),
        ({"target_accuracy": 1.5}, r"must lie in \(0, 1\], got 1.5"),
    ],
)
def test_refuses_impossible_conditions(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONDITIONS, **change)
