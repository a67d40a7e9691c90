"""An optimizer of ours as a sampler of Optuna."""

from __future__ import annotations

import threading

import optuna
import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space
from tests.export.conftest import OPTIMIZERS, at_home, target


@pytest.fixture(autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(level)


def suggest(trial):
    """The mixed space, as its user writes it in Optuna."""
    params = {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        "layers": trial.suggest_int("layers", 1, 6),
        "units": trial.suggest_int("units", 4, 256, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128, 256]),
        "solver": trial.suggest_categorical("solver", ["sgd", "adam", "lbfgs"]),
    }
    if params["solver"] == "sgd":
        params["momentum"] = trial.suggest_float("momentum", 0.0, 0.99)
    return params


def objective(trial):
    return loss(suggest(trial))


def abroad(name, trials=40, objective=objective, enqueued=(), **more):
    usual = {"population": 6, "seed": 5}
    sampler = eh.export.to_optuna(target(name), make_mixed_space(), **(usual | more))
    study = optuna.create_study(sampler=sampler)
    for params in enqueued:
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=trials, catch=(ArithmeticError,))
    return study


def without_static(configs):
    return [{k: v for k, v in params.items() if k != "seed"} for params in configs]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_proposes_the_same_as_at_home(name):
    assert [t.params for t in abroad(name).trials] == without_static(at_home(name))


def test_several_objectives_in_both_directions_are_the_same_as_at_home():
    def two(params):
        return loss(params), params["layers"] * params["units"]

    sampler = eh.export.to_optuna("nsga2", make_mixed_space(), population=6, seed=5)
    study = optuna.create_study(sampler=sampler, directions=["minimize", "maximize"])
    study.optimize(lambda trial: two(suggest(trial)), n_trials=40)
    home = eh.tune(
        lambda p: dict(zip(("loss", "size"), two(p), strict=True)), make_mixed_space(), minimize="loss", maximize="size",
        optimizer="nsga2", population=6, seed=5, trials=40, duplicates="evaluate", progress=False,
    )  # fmt: skip
    assert [t.params for t in study.trials] == without_static(t.params for t in home.trials)


def test_failed_trials_are_told_as_failed():
    def fragile(params):
        if params["layers"] == 6:
            raise ArithmeticError("six layers do not fit")
        return loss(params)

    study = abroad("de", objective=lambda trial: fragile(suggest(trial)))
    assert any(t.state == optuna.trial.TrialState.FAIL for t in study.trials)
    assert [t.params for t in study.trials] == without_static(at_home("de", objective=fragile))


def test_a_pruned_trial_is_told_its_last_value():
    def pruned(trial):
        value = objective(trial)
        trial.report(value, 3)
        raise optuna.TrialPruned

    assert [t.params for t in abroad("de", objective=pruned).trials] == without_static(at_home("de"))


WHOLE = {"layers": 3, "units": 64, "learning_rate": 0.01, "batch_size": 64, "solver": "adam"}


@pytest.mark.parametrize("fixed", [{"layers": 3}, WHOLE], ids=["in part", "whole"])
def test_enqueued_trials_take_nothing_from_the_sequence(fixed):
    study = abroad("random", enqueued=[fixed], trials=20)
    assert study.trials[0].params["layers"] == 3
    assert [t.params for t in study.trials[1:]] == without_static(at_home("random", trials=19))


def test_an_enqueued_trial_is_known_to_the_optimizer():
    sampler = eh.export.to_optuna("de", make_mixed_space(), population=6, seed=5)
    study = optuna.create_study(sampler=sampler)
    best = {
        "learning_rate": 0.01, "layers": 3, "units": 64, "batch_size": 64, "solver": "sgd", "momentum": 0.9
    }  # fmt: skip
    study.enqueue_trial(best)
    study.optimize(objective, n_trials=3)
    assert sampler._inside.study.best.params == best | {"seed": 100}


def test_threads_share_one_sequence():
    names = []
    lock = threading.Lock()

    def noting(trial):
        params = suggest(trial)
        with lock:
            names.append(params)
        return loss(params)

    sampler = eh.export.to_optuna("random", make_mixed_space(), seed=5)
    study = optuna.create_study(sampler=sampler)
    study.optimize(noting, n_trials=30, n_jobs=2)
    key = str
    assert sorted(names, key=key) == sorted(without_static(at_home("random", trials=30)), key=key)


def test_while_a_generation_is_out_others_get_random_configurations():
    study = optuna.create_study(sampler=eh.export.to_optuna("de", make_mixed_space(), population=6, seed=5))
    trials = [study.ask() for _ in range(8)]
    for trial in trials:
        study.tell(trial, objective(trial))
    assert len({str(t.params) for t in study.trials}) == 8


def test_a_parameter_that_is_not_in_the_space_or_has_other_bounds_is_named():
    sampler = eh.export.to_optuna("de", make_mixed_space(), seed=5)
    trial = optuna.create_study(sampler=sampler).ask()
    with pytest.raises(eh.UnknownName, match=r"'layer'.*'layers'"):
        trial.suggest_int("layer", 1, 6)
    with pytest.raises(eh.UsageError, match=r"'learning_rate'.*same bounds"):
        trial.suggest_float("learning_rate", 0.5, 0.6)
