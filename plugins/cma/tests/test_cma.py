"""A live strategy of pycma, its class, and the functions `fmin2` and `fmin` are optimizers of evohpo."""

from __future__ import annotations

import warnings

import cma
import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space


def made(x0=0.5, sigma0=0.3, dim=DIM, **options):
    usual = {"bounds": [0, 1], "popsize": 8, "verbose": -9}
    return cma.CMAEvolutionStrategy(np.full(dim, x0), sigma0, {**usual, **options})


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 60, "seed": 1, "progress": False}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


def line(optimizer, objective=lambda params: params["x"] ** 2, **more):
    """Tune two genes that range over [-1, 1]."""
    space = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
    usual = {"minimize": "loss", "trials": 60, "seed": 1, "progress": False}
    return eh.tune(objective, space, optimizer=optimizer, **(usual | more))


def genes(study):
    return np.array([trial.x for trial in study.trials])


def told(study, n=100):
    trials = study.ask(n)
    for trial in trials:
        study.tell(trial, loss(trial.params))
    return trials


OBJECTS = {
    "a strategy": made,
    "one of integers": lambda: made(x0=1.5, sigma0=1, bounds=[0, 3], integer_variables=[1, 2]),
    "the class": lambda: cma.CMAEvolutionStrategy,
    "a diagonal one": lambda: eh.use(cma.CMAEvolutionStrategy, CMA_diagonal=True),
    "fmin2": lambda: cma.fmin2,
    "bipop": lambda: eh.use(cma.fmin, bipop=True, options={"popsize": 6}),
}


@pytest.mark.parametrize("optimizer", [cma.CMAEvolutionStrategy, pytest.param(cma.fmin2, marks=pytest.mark.slow)])
def test_it_keeps_the_promises_of_an_optimizer(optimizer):
    check_optimizer(optimizer)


@pytest.mark.parametrize("kind", OBJECTS)
def test_it_goes_on_where_it_was_to_the_same_table(kind, tmp_path):
    whole = tune(OBJECTS[kind]())
    tune(OBJECTS[kind](), trials=25, store=tmp_path / "study.db").close()
    resumed = tune(OBJECTS[kind](), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("kind", OBJECTS)
def test_it_finds_more_than_chance(kind):
    chance = np.median([tune("random", trials=150, seed=seed).best.metrics["loss"] for seed in range(3)])
    assert np.median([tune(OBJECTS[kind](), trials=150, seed=seed).best.metrics["loss"] for seed in range(3)]) < chance


def test_a_generation_is_one_batch():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=made(popsize=9), seed=1)
    assert len(study.ask(100)) == 9
    assert study.ask(1) == []


def test_the_population_of_the_study_counts():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=made(), population=11, seed=1)
    assert [len(told(study)) for _ in range(2)] == [11, 11]


def test_two_studies_do_not_disturb_each_other():
    alone = [t.params for t in tune(made()).trials]
    studies = [eh.Study(make_mixed_space(), minimize="loss", optimizer=made(), seed=seed) for seed in (1, 2)]
    for _ in range(7):
        for study in studies:
            told(study)
    assert [t.params for t in studies[0].trials] == alone[:56]


def test_the_object_itself_is_left_alone(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strategy = made(verbose=1, verb_disp=1, verb_log=1)
    capfd.readouterr()
    tune(strategy)
    assert strategy.countiter == 0
    assert capfd.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_signals_is_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cma_signals.in").write_text("{'maxfevals': 1}")
    assert len(tune(made()).trials) == 60


# ---- boxes


@pytest.mark.parametrize(
    ("low", "high"), [(-5, 5), (100, 100.5), (np.array([0.0, -1, -2, -3, -4, -5]), np.array([1.0, 1, 1, 1, 1, 9]))]
)
def test_its_box_is_mapped_onto_the_cube(low, high):
    low, high = np.resize(low, DIM), np.resize(high, DIM)
    strategy = made(x0=low + 0.9 * (high - low), sigma0=0.01, bounds=[low, high], CMA_stds=high - low)
    X = genes(tune(strategy, trials=8))
    assert np.allclose(X, 0.9, atol=0.1)  # some are repaired
    assert 0.002 < X[:, 0].std() < 0.02


def test_one_without_bounds_that_starts_inside_the_cube_means_genes():
    assert (genes(tune(made(x0=0.2, sigma0=1e-3, bounds=None), trials=8)) - 0.2 < 0.01).all()


def test_for_any_other_without_bounds_its_surroundings_become_the_range():
    with pytest.warns(eh.EvohpoWarning, match="no bounds, so that x0 - 2 sigma0 to x0 \\+ 2 sigma0 becomes the range"):
        X = genes(tune(made(x0=7.0, sigma0=3, bounds=None), trials=40, duplicates="evaluate"))
    assert abs(X.mean() - 0.5) < 0.1
    assert 0.15 < X.std() < 0.35


def test_integers_of_the_class_are_the_values_of_genes():
    space = {"few": eh.Integer(0, 3), "kind": eh.Categorical(list("abcde")), "x": eh.Continuous(0, 1)}
    study = eh.tune(
        lambda p: p["few"] + p["x"], space, minimize="loss", optimizer=cma.CMAEvolutionStrategy, trials=80, seed=1,
        duplicates="evaluate", progress=False,
    )  # fmt: skip
    levels = genes(study)[:, :2] * [4, 5] - 0.5
    assert np.allclose(levels, np.round(levels))
    assert [set(np.round(column)) for column in levels.T] == [{0, 1, 2, 3}, {0, 1, 2, 3, 4}]


def test_where_the_class_starts_is_told_in_genes():
    X = genes(tune(eh.use(cma.CMAEvolutionStrategy, x0=0.9, sigma0=0.01), trials=8))
    assert abs(X[:, 0] - 0.9).max() < 0.1  # the learning rate
    assert (X[:, 3] > 0.75).all()  # the last of four batch sizes


# ---- the end, and starting again


@pytest.mark.parametrize("optimizer", [made, lambda: cma.CMAEvolutionStrategy, lambda: cma.fmin2])
def test_one_that_has_converged_starts_again_with_twice_the_population(optimizer):
    optimizer = optimizer()
    study = line(
        made(dim=2) if isinstance(optimizer, cma.CMAEvolutionStrategy) else optimizer, lambda _: 1.0, trials=200
    )
    sizes = study.table().groupby("generation").size().tolist()[:-1]
    assert {2 * sizes[0], 4 * sizes[0]} <= set(sizes)


@pytest.mark.parametrize(("option", "trials"), [({"maxfevals": 30}, 32), ({"maxiter": 3}, 24), ({"ftarget": 10.0}, 8)])
def test_its_own_limits_end_the_search(option, trials):
    study = line(made(dim=2, **option))
    assert len(study.trials) == trials
    assert study.stopped == {"optimizer": "has nothing more to propose"}


def test_evaluations_are_counted_over_all_runs():
    assert 100 <= len(line(made(dim=2, maxfevals=100), lambda _: 1.0, trials=1000).trials) <= 164


def test_a_callable_x0_gives_the_start_of_every_run():
    starts = iter([0.2, 0.8, 0.2, 0.8])
    strategy = cma.CMAEvolutionStrategy(
        lambda: np.full(2, next(starts)), 1e-3, {"bounds": [0, 1], "popsize": 6, "verbose": -9}
    )
    starts = iter([0.3, 0.7, 0.3, 0.7])
    X = genes(line(strategy, lambda _: 1.0))
    assert {round(float(x), 1) for x in X[:, 0]} == {0.3, 0.7}


@pytest.mark.parametrize("optimizer", [cma.CMAEvolutionStrategy, cma.fmin2])
def test_a_callable_x0_given_as_an_option_does_too(optimizer):
    starts = []

    def x0():
        starts.append(0.3 if len(starts) % 2 else 0.7)
        return [starts[-1]] * 2

    X = genes(line(eh.use(optimizer, x0=x0, sigma0=1e-3), lambda _: 1.0))
    assert {round(float(x), 1) for x in X[:, 0]} == {0.3, 0.7}


def test_restarts_given_to_fmin2_are_the_last():
    assert len(line(eh.use(cma.fmin2, restarts=1), lambda _: 1.0, trials=2000).trials) < 200


def test_its_timeout_is_left_to_the_study():
    with pytest.warns(eh.EvohpoWarning, match="timeout is not used"):
        assert len(tune(made(timeout=1e-9)).trials) == 60


def test_iterations_behind_it_are_not_used():
    strategy = made()
    strategy.optimize(cma.ff.sphere, iterations=3)
    with pytest.warns(eh.EvohpoWarning, match="starts again from its x0 and sigma0"):
        assert [t.params for t in tune(strategy).trials] == [t.params for t in tune(made()).trials]


# ---- what it is told


def test_baselines_are_injected():
    def after(baseline):
        study = eh.Study(
            {"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)}, minimize="loss", optimizer=made(0.5, 0.01, 2)
        )
        study.attach({"x": baseline, "y": baseline}, {"loss": 0.0})
        return np.array([trial.x for trial in study.ask(100)])

    assert (np.ptp(after(0.9) - 0.5, axis=1) < 1e-9).any()  # one of them on the way to the baseline
    assert not np.array_equal(after(0.9), after(0.1))


@pytest.mark.parametrize("seed", range(8))
def test_one_gene_is_searched(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for optimizer in (made(dim=1), cma.CMAEvolutionStrategy, cma.fmin2):
            study = eh.tune(
                lambda p: (p["x"] - 0.7) ** 2, {"x": eh.Continuous(0, 1)}, minimize="loss", optimizer=optimizer,
                trials=60, seed=seed, progress=False,
            )  # fmt: skip
            assert study.best.metrics["loss"] < 0.01


# ---- mistakes


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes .*make it with 6"):
        tune(made(dim=3))


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(eh.UsageError, match="no option 'popsze': did you mean 'popsize'"):
        tune(eh.use(cma.CMAEvolutionStrategy, popsze=8))
    with pytest.raises(eh.UsageError, match="no option 'seed'"):
        tune(eh.use(made(), seed=8))
    with pytest.raises(eh.UsageError, match=r"unknown option of pycma 'popsze': did you mean 'popsize'"):
        tune(eh.use(cma.fmin2, options={"popsze": 8}))


def test_an_x0_of_another_size_is_refused():
    for optimizer in (made(), cma.CMAEvolutionStrategy, cma.fmin2):
        with pytest.raises(eh.UsageError, match="x0: give a number, or 6 of them, not an array of shape"):
            tune(eh.use(optimizer, x0=[0.5, 0.5]))


def test_bounds_of_fmin2_are_the_genes_own():
    with pytest.raises(eh.UsageError, match="bounds are set by the study"):
        tune(eh.use(cma.fmin2, options={"bounds": [-5, 5]}))


def test_other_functions_of_pycma_are_no_optimizers():
    with pytest.raises(eh.UsageError):
        tune(cma.fmin_con2)
