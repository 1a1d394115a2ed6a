from dataclasses import replace

import pytest
from torch import nn
from torch.optim import SGD

from cocodesign.studies import Contender, Rules, Setting, compare_convergence

RULES = Rules(
    target_accuracy=0.85,
    mini_batch_sizes=(50, 100),
    seeds=(0, 1),
    max_steps=40,
    num_trial_steps=8,
    num_validation=60,
    num_warmup_steps=2,
    evaluation_interval=2,
)
RATES = (1e-4, 0.1)


def plain(name: str, rates: tuple[float, ...]) -> Contender:
    def build(model: nn.Module, setting: Setting) -> SGD:
        return SGD(model.parameters(), lr=setting.learning_rate)

    return Contender(name, tuple(Setting(rate) for rate in rates), build)


@pytest.fixture(scope="module")
def comparison(task, build_model):
    contenders = [plain("slow", (1e-4, 1e-5)), plain("fast", RATES)]
    return compare_convergence(task, build_model, contenders, RULES)


def test_every_setting_is_tried_once_within_one_budget_at_every_size(comparison):
    tried = sorted(
        (trial.contender, trial.mini_batch_size, trial.setting.learning_rate)
        for trial in comparison.trials
    )
    assert tried == sorted(
        (name, size, rate)
        for name, rates in (("slow", (1e-4, 1e-5)), ("fast", RATES))
        for size in (50, 100)
        for rate in rates
    )
    assert all(trial.reached or trial.num_steps == 8 for trial in comparison.trials)
    assert max(trial.num_steps for trial in comparison.trials) == 8


def test_the_best_trial_is_raced_with_every_seed(comparison):
    for size in RULES.mini_batch_sizes:
        races = comparison.races_of("fast", size)
        assert [race.seed for race in races] == [0, 1]
        assert {race.setting.learning_rate for race in races} == {0.1}


@pytest.mark.parametrize("num_trial_steps", [30, 2], ids=["some arrive", "none does"])
def test_the_quickest_trial_is_chosen_else_the_most_accurate(
    task, build_model, num_trial_steps
):
    rules = replace(
        RULES,
        target_accuracy=0.95,
        num_trial_steps=num_trial_steps,
        mini_batch_sizes=(50,),
        seeds=(0,),
        max_steps=1,
    )
    contender = plain("any", (1e-4, 0.05, 0.3))
    comparison = compare_convergence(task, build_model, [contender], rules)
    arrived = [trial for trial in comparison.trials if trial.reached]
    assert bool(arrived) == (num_trial_steps == 30)
    if arrived:
        expected = min(arrived, key=lambda trial: trial.num_steps)
    else:
        expected = max(comparison.trials, key=lambda trial: trial.best_accuracy)
    assert comparison.races[0].setting == expected.setting


def test_no_trial_has_the_seed_of_a_race(comparison):
    assert not {t.seed for t in comparison.trials} & set(RULES.seeds)


def test_a_contender_that_never_arrives_gives_bounds_not_numbers(comparison):
    assert all(race.num_steps == 40 for race in comparison.races_of("slow", 50))
    slow_to_fast = comparison.ratios("slow", "fast", 50, "steps")
    fast_to_slow = comparison.ratios("fast", "slow", 50, "steps")
    assert {ratio.bound for ratio in slow_to_fast} == {"lower"}
    assert {ratio.bound for ratio in fast_to_slow} == {"upper"}
    assert comparison.ratios("slow", "slow", 50, "seconds") == (None, None)


def test_the_test_examples_choose_nothing(task, build_model):
    upside_down = replace(task, test_labels=(task.test_labels + 1) % 3)
    rules = replace(RULES, mini_batch_sizes=(50,), seeds=(0,))
    chosen = [
        compare_convergence(judged, build_model, [plain("fast", RATES)], rules)
        .races_of("fast", 50)[0]
        .setting
        for judged in (task, upside_down)
    ]
    assert chosen[0] == chosen[1]


def test_every_finished_training_is_reported_with_its_phase(task, build_model):
    seen = []
    rules = replace(RULES, mini_batch_sizes=(50,))
    comparison = compare_convergence(
        task,
        build_model,
        [plain("fast", RATES)],
        rules,
        report=lambda phase, outcome: seen.append((phase, outcome)),
    )
    expected = [("tuning", trial) for trial in comparison.trials]
    expected += [("race", race) for race in comparison.races]
    assert seen == expected


def test_refuses_unequal_tuning_budgets(task, build_model):
    contenders = [Contender.sgd([0.1]), Contender.kfac([0.1], [1e-3, 1e-4])]
    with pytest.raises(ValueError, match=r"equally many settings, got .*'K-FAC': 2"):
        compare_convergence(task, build_model, contenders, RULES)


def test_refuses_two_contenders_of_one_name(task, build_model):
    contenders = [Contender.sgd([0.1]), Contender.sgd([0.2])]
    with pytest.raises(ValueError, match="different names"):
        compare_convergence(task, build_model, contenders, RULES)


def test_says_which_race_does_not_exist(comparison):
    with pytest.raises(ValueError, match="no race of 'fast' at 7 examples"):
        comparison.races_of("fast", 7)


def test_kfac_settings_are_all_pairs_and_reach_the_optimizer():
    contender = Contender.kfac([0.1, 0.2], [1e-3, 1e-4], factor_interval=3)
    assert set(contender.settings) == {
        Setting(rate, damping) for rate in (0.1, 0.2) for damping in (1e-3, 1e-4)
    }
    optimizer = contender.build(nn.Linear(2, 2), Setting(0.2, 1e-4))
    group = optimizer.param_groups[0]
    assert (group["lr"], group["damping"], group["momentum"]) == (0.2, 1e-4, 0.9)


def test_sgd_has_the_same_momentum():
    optimizer = Contender.sgd([0.3]).build(nn.Linear(2, 2), Setting(0.3))
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"]) == (0.3, 0.9)
