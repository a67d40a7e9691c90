"""Live objects of cmaes, as their users make them, and their classes are optimizers of evohpo."""

from __future__ import annotations

import math

import cmaes
import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space: 3 continuous ones, 2 ordered ones, and a solver of 3
CLASSES = [cmaes.CMA, cmaes.SepCMA, cmaes.CMAwM, cmaes.CatCMA, cmaes.CatCMAwM, cmaes.XNES, cmaes.MAPCMA]


def one_by_one(x):
    try:
        return math.sqrt(x)
    except TypeError:
        return None


DXNESIC_FAILS = one_by_one(np.ones((1, 1))) is None  # with this numpy


def made(kind=cmaes.CMA, mean=0.5, sigma=0.25, low=0.0, high=1.0, dim=DIM, **more):
    low, high = np.resize(low, dim), np.resize(high, dim)
    bounds = np.stack([low, high], 1) if np.isfinite([low, high]).all() else None
    return kind(mean=np.resize(mean, dim).astype(float), sigma=sigma, **({"bounds": bounds} | more))


def made_margin():
    return made(cmaes.CMAwM, steps=np.array([0, 0.2, 0, 1 / 3, 0.5, 0]))


def made_categories():
    return made(cmaes.CatCMA, dim=DIM - 1, cat_num=np.array([3]))


def made_mixed(**more):
    spaces = {"x_space": [[-1, 1]] * 3, "z_space": [range(1, 7), [32, 64, 128, 256]], "c_space": [3]}
    return cmaes.CatCMAwM(**(spaces | more))


OBJECTS = {
    **{kind.__name__: (lambda kind=kind: made(kind)) for kind in (cmaes.CMA, cmaes.SepCMA, cmaes.XNES, cmaes.MAPCMA)},
    "CMAwM": made_margin,
    "CatCMA": made_categories,
    "CatCMAwM": made_mixed,
}


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 60, "seed": 1, "progress": False}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


def flat(optimizer, space=None, trials=1000):
    """Tune where all is the same, so that runs converge."""
    space = space or {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
    return eh.tune(lambda _: 1.0, space, minimize="loss", optimizer=optimizer, trials=trials, seed=1, progress=False)


def genes(study):
    return np.array([trial.x for trial in study.trials])


def told(study, n=100):
    trials = study.ask(n)
    for trial in trials:
        study.tell(trial, loss(trial.params))
    return trials


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind is cmaes.SepCMA else pytest.mark.slow) for kind in CLASSES]
)
def test_a_class_keeps_the_promises_of_an_optimizer(kind):
    check_optimizer(kind)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_goes_on_where_it_was_to_the_same_table(name, tmp_path):
    whole = tune(OBJECTS[name]())
    tune(OBJECTS[name](), trials=25, store=tmp_path / "study.db").close()
    resumed = tune(OBJECTS[name](), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("optimizer", [*OBJECTS, *CLASSES])
def test_it_finds_more_than_chance(optimizer):
    def typical(spec):
        return np.median([tune(spec, trials=150, seed=seed).best.metrics["loss"] for seed in range(3)])

    assert typical(OBJECTS[optimizer]() if isinstance(optimizer, str) else optimizer) < typical("random")


@pytest.mark.parametrize("name", OBJECTS)
def test_a_generation_is_one_batch(name):
    optimizer = OBJECTS[name]()
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=optimizer, seed=1)
    assert len(study.ask(100)) == optimizer.population_size
    assert study.ask(1) == []


@pytest.mark.parametrize("kind", CLASSES)
def test_the_population_of_the_study_counts(kind):
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=kind, population=11, seed=1)
    assert [len(told(study)) for _ in range(2)] == [11, 11]


def test_two_studies_do_not_disturb_each_other():
    alone = [t.params for t in tune(made_mixed(population_size=6)).trials]
    shared = made_mixed(population_size=6)
    studies = [eh.Study(make_mixed_space(), minimize="loss", optimizer=shared, seed=seed) for seed in (1, 2)]
    for _ in range(10):
        for study in studies:
            told(study)
    assert [t.params for t in studies[0].trials] == alone


@pytest.mark.parametrize("kind", [cmaes.CMA, cmaes.SepCMA])
def test_the_users_arrays_are_left_alone(kind):
    mean = np.full(DIM, 0.5)
    optimizer = kind(mean=mean, sigma=0.3)
    tune(optimizer)
    tune(eh.use(kind, mean=mean))
    assert (mean == 0.5).all()
    assert optimizer.generation == 0


def test_settings_are_kept():
    optimizer = made(sigma=0.01, mean=0.7, population_size=9, cov=np.diag([1, 1, 1, 1, 1, 400.0]))
    X = genes(tune(optimizer, trials=9))
    assert np.allclose(X[:, 0], 0.7, atol=0.05)
    assert X[:, 5].std() > 5 * X[:, 0].std()


# ---- genes


@pytest.mark.parametrize(("low", "high"), [(-5.0, 5.0), (100.0, 100.5), (np.arange(-5.0, 1), np.arange(1.0, 7))])
def test_its_box_is_mapped_onto_the_cube(low, high):
    middle, width = (np.add(low, high) / 2, np.max(np.subtract(high, low)))
    own = tune(made(mean=middle, sigma=0.2 * width, low=low, high=high), trials=8)
    assert np.allclose(genes(own), genes(tune(made(sigma=0.2), trials=8)))


def test_one_without_bounds_whose_mean_is_inside_the_cube_means_genes():
    assert np.allclose(genes(tune(cmaes.CMA(mean=np.full(DIM, 0.2), sigma=1e-3), trials=8))[:, 0], 0.2, atol=0.01)


@pytest.mark.parametrize("optimizer", [cmaes.CMA(mean=np.full(DIM, 7.0), sigma=3.0), cmaes.XNES(np.zeros(DIM), 1.0)])
def test_for_any_other_without_bounds_its_surroundings_become_the_range(optimizer):
    with pytest.warns(
        eh.EvohpoWarning, match="no bounds, so that mean - 2 sigma to mean \\+ 2 sigma becomes the range"
    ):
        X = genes(tune(optimizer, trials=40, duplicates="evaluate"))
    assert abs(X.mean() - 0.5) < 0.1
    assert 0.15 < X.std() < 0.35


def test_ends_without_a_bound_of_a_margin_are_found_likewise():
    bounds = np.array([[-np.inf, np.inf]] * 5 + [[0, 3]])
    optimizer = cmaes.CMAwM(mean=np.zeros(DIM), sigma=1.0, bounds=bounds, steps=np.array([0.0] * 5 + [1.0]))
    with pytest.warns(eh.EvohpoWarning, match="no bounds"):
        X = genes(tune(optimizer, trials=40, duplicates="evaluate"))
    assert 0.15 < X[:, :5].std() < 0.35


@pytest.mark.parametrize("kind", [cmaes.CMAwM, eh.use(cmaes.CatCMAwM, sigma=3.0)])
def test_discrete_genes_take_each_of_their_values_and_no_other(kind):
    space = {
        "few": eh.Integer(0, 3), "many": eh.Ordinal(list(range(7))), "two": eh.Integer(0, 1), "x": eh.Continuous(0, 1),
        "kind": eh.Categorical(list("abcde")),
    }  # fmt: skip
    study = eh.tune(
        lambda p: p["x"], space, minimize="loss", optimizer=kind, trials=200, population=200, seed=1,
        duplicates="evaluate", progress=False,
    )  # fmt: skip
    X, sizes = genes(study), {0: 4, 1: 7, 2: 2, 4: 5}
    assert {i: len(np.unique(X[:, i].round(9))) for i in sizes} == sizes
    for name, size in zip(("few", "many", "two", "kind"), sizes.values(), strict=True):
        assert len({trial.params[name] for trial in study.trials}) == size


def test_levels_of_an_object_are_read_by_their_rank():
    optimizer = cmaes.CatCMAwM(z_space=[[0.01, 0.1, 1, 1000]], x_space=[[0, 1]])
    space = {"rate": eh.Ordinal([0.01, 0.1, 1, 1000]), "x": eh.Continuous(0, 1)}
    study = eh.tune(lambda p: p["x"], space, minimize="loss", optimizer=optimizer, trials=60, seed=1, progress=False)
    assert {trial.params["rate"] for trial in study.trials} >= {0.01, 1000}
    assert len(np.unique(genes(study)[:, 0])) >= 3


def test_categories_alone_are_searched_for_ever():
    space = {name: eh.Categorical(list("abcd")) for name in ("p", "q", "r")}
    study = eh.tune(
        lambda p: sum(v != "c" for v in p.values()), space, minimize="loss", optimizer=cmaes.CatCMAwM, trials=300,
        seed=1, progress=False,
    )  # fmt: skip
    assert study.best.metrics["loss"] == 0
    assert len(study.trials) == 300


def test_integers_of_a_billion_values_take_no_memory():
    space = {"n": eh.Integer(0, 10**9), "x": eh.Continuous(0, 1)}
    for kind in (cmaes.CMAwM, cmaes.CatCMAwM):
        study = eh.tune(lambda p: p["n"], space, minimize="loss", optimizer=kind, trials=60, seed=1, progress=False)
        assert study.best.metrics["loss"] < 10**8


@pytest.mark.parametrize("kind", CLASSES)
def test_one_gene_is_searched(kind):
    for space, best in (({"x": eh.Continuous(0, 1)}, 0.01), ({"x": eh.Categorical([0, 0.3, 0.7])}, 0.0)):
        study = eh.tune(
            lambda p: (p["x"] - 0.7) ** 2, space, minimize="loss", optimizer=kind, trials=200, seed=1, progress=False
        )
        assert study.best.metrics["loss"] <= best


# ---- starting again


@pytest.mark.parametrize("kind", [*CLASSES, "made"])
def test_one_that_has_converged_starts_again_with_twice_the_population(kind):
    study = flat(made(dim=2) if kind == "made" else kind)
    sizes = study.table().groupby("generation").size().tolist()[:-1]
    assert len(study.trials) == 1000
    assert {sizes[0], 2 * sizes[0]} <= set(sizes)


def test_generations_behind_it_leave_mean_and_sigma():
    optimizer = made(mean=0.2, sigma=0.01)
    optimizer.tell([(optimizer.ask(), i) for i in range(optimizer.population_size)])
    with pytest.warns(eh.EvohpoWarning, match="generations behind it"):
        study = tune(optimizer, trials=8)
    assert np.allclose(genes(study)[:, 0], 0.2, atol=0.1)


def test_xnes_that_overflows_starts_again():
    space = {"x": eh.Integer(0, 1), "y": eh.Integer(0, 1)}
    assert len(flat(eh.use(cmaes.XNES, population_size=4), space, 600).trials) == 600


def test_infeasible_trials_come_last():
    study = eh.tune(
        lambda p: {"loss": p["x"] + p["y"], "size": p["x"]}, {"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)},
        minimize="loss", constraints=["size >= 0.6"], optimizer=cmaes.CatCMAwM, trials=200, seed=1, progress=False,
    )  # fmt: skip
    assert study.best.feasible
    assert study.best.metrics["loss"] < 0.65


# ---- mistakes


@pytest.mark.skipif(not DXNESIC_FAILS, reason="this numpy goes with it")
def test_dxnesic_is_refused_with_the_reason():
    for optimizer in (cmaes.DXNESIC, made(cmaes.DXNESIC)):
        with pytest.raises(eh.UsageError, match=r"cmaes.DXNESIC fails with numpy .*: use cmaes.XNES"):
            tune(optimizer)


@pytest.mark.skipif(DXNESIC_FAILS, reason="fails with this numpy")
def test_dxnesic_keeps_the_promises_of_an_optimizer():
    check_optimizer(cmaes.DXNESIC)


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes .*make it with 6"):
        tune(made(dim=3))


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (made_mixed(c_space=[4]), r"3 real and 2 integer variables and categories of \[4\] values, and the space has"),
        (made_mixed(z_space=None), r"made for 3 real variables .* has 3 real and 2 integer variables and cat"),
        (made(cmaes.CatCMA, dim=6, cat_num=np.array([3])), r"made for 6 real .* has 5 real .* \[3\] values: make it"),
    ],
)
def test_one_made_of_other_parts_is_refused(optimizer, message):
    with pytest.raises(eh.UsageError, match=message):
        tune(optimizer)


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(eh.UsageError, match="no option 'sigm': did you mean 'sigma'"):
        tune(eh.use(cmaes.CMA, sigm=0.3))
    with pytest.raises(eh.UsageError, match="no option 'lr_adapt'"):
        tune(eh.use(cmaes.XNES, lr_adapt=True))
    with pytest.raises(eh.UsageError, match="no option 'seed'"):
        tune(eh.use(made(), seed=1))


def test_a_mean_of_another_size_is_refused():
    for optimizer in (cmaes.CMA, made()):
        with pytest.raises(eh.UsageError, match="mean: give a number, or 6 of them, not an array of shape"):
            tune(eh.use(optimizer, mean=[0.5, 0.5]))


def test_a_population_of_one_is_refused():
    with pytest.raises(eh.UsageError, match=r"population = 1: optimizer 'cmaes.CMA' needs 2 at least"):
        tune(cmaes.CMA, population=1)


def test_other_classes_of_cmaes_are_refused():
    with pytest.raises(eh.UsageError, match=r"cmaes.COMOCatCMAwM is not accepted, only CMA, SepCMA"):
        tune(cmaes.COMOCatCMAwM(x_space=[[0, 1]] * DIM))
