from dataclasses import replace

import pytest
from torch import nn
from torch.optim import SGD

from cocodesign.studies import Contender, Journal, Rules, compare_convergence
from cocodesign.studies.designs import Setting
from cocodesign.studies.race import run_race

RULES = Rules(
    target_accuracy=0.85,
    mini_batch_sizes=(50, 100),
    evaluation_intervals=(2, 2),
    seeds=(0, 1),
    max_steps=20,
)
RATES = (1e-4, 0.1)


def plain(name: str, rates: tuple[float, ...]) -> Contender:
    def build(model: nn.Module, setting: Setting) -> SGD:
        return SGD(model.parameters(), lr=setting.learning_rate)

    return Contender(
        name, tuple(Setting(rate, num_warmup_steps=2) for rate in rates), build
    )


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
    assert all(trial.reached or trial.num_steps == 20 for trial in comparison.trials)


def test_the_best_trial_is_raced_with_every_seed(comparison):
    for size in RULES.mini_batch_sizes:
        races = comparison.races_of("fast", size)
        assert [race.seed for race in races] == [0, 1]
        assert {race.setting.learning_rate for race in races} == {0.1}


def test_the_most_accurate_trial_is_chosen_where_none_arrives(task, build_model):
    rules = replace(
        RULES, target_accuracy=1.0, mini_batch_sizes=(50,), evaluation_intervals=(2,)
    )
    rules = replace(rules, seeds=(0,), max_steps=4)
    contender = plain("any", (1e-4, 0.3, 0.01))
    comparison = compare_convergence(task, build_model, [contender], rules)
    assert not any(trial.reached for trial in comparison.trials)
    expected = max(comparison.trials, key=lambda trial: trial.best_accuracy)
    assert comparison.races[0].setting == expected.setting


def test_ending_trials_early_changes_no_choice(task, build_model):
    rules = replace(
        RULES, mini_batch_sizes=(50,), evaluation_intervals=(1,), seeds=(0,)
    )
    rates = (0.01, 0.3, 0.001, 0.03, 0.1)
    comparison = compare_convergence(task, build_model, [plain("any", rates)], rules)
    alone = [
        run_race(task, build_model, plain("any", rates), setting, rules.trial(50))
        for setting in plain("any", rates).settings
    ]
    arrived = [trial for trial in alone if trial.reached]
    quickest = min(arrived, key=lambda each: (each.num_steps, -each.best_accuracy))
    assert len(arrived) > 1
    assert comparison.races[0].setting == quickest.setting
    spent, needed = (
        sum(t.num_steps for t in group) for group in (comparison.trials, alone)
    )
    assert spent < needed


def test_no_trial_has_the_seed_of_a_race(comparison):
    assert not {t.seed for t in comparison.trials} & set(RULES.seeds)


def test_a_contender_that_never_arrives_gives_bounds_not_numbers(comparison):
    assert all(race.num_steps == 20 for race in comparison.races_of("slow", 50))
    slow_to_fast = comparison.ratios("slow", "fast", 50, "steps")
    fast_to_slow = comparison.ratios("fast", "slow", 50, "steps")
    assert {ratio.bound for ratio in slow_to_fast} == {"lower"}
    assert {ratio.bound for ratio in fast_to_slow} == {"upper"}
    assert comparison.ratios("slow", "slow", 50, "seconds") == (None, None)


def test_a_contender_may_have_a_smaller_budget(task, build_model):
    slow = replace(plain("slow", (1e-4, 1e-5)), max_steps=6)
    rules = replace(RULES, mini_batch_sizes=(50,), evaluation_intervals=(2,))
    comparison = compare_convergence(task, build_model, [slow], rules)
    outcomes = (*comparison.trials, *comparison.races)
    assert {outcome.num_steps for outcome in outcomes} == {6}
    assert not any(outcome.reached for outcome in outcomes)


def test_one_setting_is_not_tried(task, build_model):
    comparison = compare_convergence(task, build_model, [plain("any", (0.1,))], RULES)
    assert comparison.trials == ()
    assert {race.setting.learning_rate for race in comparison.races} == {0.1}


def test_the_test_examples_choose_nothing(task, build_model):
    upside_down = replace(task, test_labels=(task.test_labels + 1) % 3)
    rules = replace(RULES, seeds=(0,))
    trials = [
        [
            (trial.setting, trial.num_steps)
            for trial in compare_convergence(
                judged, build_model, [plain("fast", RATES)], rules
            ).trials
        ]
        for judged in (task, upside_down)
    ]
    assert trials[0] == trials[1]


@pytest.mark.slow
def test_an_interrupted_study_goes_on_where_it_stopped(task, build_model, tmp_path):
    contenders = [plain("fast", RATES), plain("slow", (1e-4, 1e-5))]
    path = tmp_path / "journal.json"

    class PowerCutError(Exception):
        pass

    def cut(phase, _outcome):
        if phase == "race":
            raise PowerCutError

    with pytest.raises(PowerCutError):
        compare_convergence(
            task, build_model, contenders, RULES, report=cut, journal=Journal(path)
        )
    run = []
    resumed = compare_convergence(
        task,
        build_model,
        contenders,
        RULES,
        report=lambda phase, _outcome: run.append(phase),
        journal=Journal(path),
    )
    assert len(run) == 16 - 5  # without the four trials and the race before the cut
    whole = compare_convergence(task, build_model, contenders, RULES)
    assert [
        (each.setting, each.num_steps) for each in (*resumed.trials, *resumed.races)
    ] == [(each.setting, each.num_steps) for each in (*whole.trials, *whole.races)]


def test_every_finished_training_is_reported_with_its_phase(task, build_model):
    seen = []
    rules = replace(RULES, mini_batch_sizes=(50,), evaluation_intervals=(2,))
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
    contenders = [Contender.sgd(1), Contender.kfac(2)]
    with pytest.raises(ValueError, match=r"equally many settings, got .*'K-FAC': 2"):
        compare_convergence(task, build_model, contenders, RULES)


def test_refuses_two_contenders_of_one_name(task, build_model):
    contenders = [Contender.sgd(1), Contender.sgd(1)]
    with pytest.raises(ValueError, match="different names"):
        compare_convergence(task, build_model, contenders, RULES)


def test_says_which_race_does_not_exist(comparison):
    with pytest.raises(ValueError, match="no race of 'fast' at 7 examples"):
        comparison.races_of("fast", 7)
