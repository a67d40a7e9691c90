"""Every kind of optimizer with every pruner, number of workers and number of objectives."""

import pytest

import evohpo as eh
from tests.conftest import untimed
from tests.pruners.conftest import STEPS, curve, two_curves


def walk(problem, rng, population=8):
    """A user's generator."""
    best = rng.random(problem.dim)
    while True:
        X = (best + 0.1 * rng.standard_normal((population, problem.dim))).clip(0, 1)
        F = yield X
        best = X[F.argmin()]


OPTIMIZERS = ["random", "ga", "de", "pso", "cmaes", "nsga2", "inspyred.pso", walk]
PRUNERS = {
    "asha": lambda: eh.ASHA(STEPS),
    "promotion": lambda: eh.ASHA(STEPS, kind="promotion"),
    "brackets": lambda: eh.ASHA(STEPS, kind="promotion", brackets=3, per_bracket=True),
    "pasha": lambda: eh.PASHA(STEPS),
    "hyperband": lambda: eh.Hyperband(STEPS),
    "halving": lambda: eh.SuccessiveHalving(9, STEPS),
    "median": lambda: eh.Median(),
    "percentile": lambda: eh.Percentile(40),
    "plateau": lambda: eh.Plateau(patience=2, tol=0.01),
    "both": lambda: eh.Median() & eh.Percentile(40),
    "either": lambda: eh.Hyperband(STEPS) | eh.Plateau(patience=2, tol=1e-3),
}
SYNCHRONOUS = ["hyperband", "halving", "either"]  # a rung is decided when all its trials are there
TRIALS = 40


def search(optimizer, pruner, workers=1, objectives=1, **arguments):
    goal = {"minimize": "loss"} if objectives == 1 else {"minimize": ["loss", "size"]}
    return eh.tune(
        curve if objectives == 1 else two_curves, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, **goal,
        optimizer=optimizer, pruner=PRUNERS[pruner](), trials=TRIALS, population=8, seed=1, progress=False,
        evaluator=eh.Threads(workers) if workers > 1 else None, duplicates="evaluate", **arguments,
    )  # fmt: skip


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o if isinstance(o, str) else "user")
def test_every_optimizer_works_with_every_pruner(optimizer, pruner, workers, objectives):
    study = search(optimizer, pruner, workers, objectives)
    assert study.stopped == {"trials": TRIALS}
    assert len(study.trials) == TRIALS
    assert {str(t.status) for t in study.trials} <= {"completed", "stopped"}
    assert study.ledger.steps < TRIALS * STEPS, "no steps were saved"
    curves = study.curves().groupby("number")
    assert {n: list(c["step"]) for n, c in curves} == {t.number: list(range(1, t.steps + 1)) for t in study.trials}
    assert study.front()


@pytest.mark.parametrize("pruner", SYNCHRONOUS)
@pytest.mark.parametrize("optimizer", ["ga", "de", "cmaes", walk], ids=lambda o: o if isinstance(o, str) else "user")
def test_synchronous_rungs_make_the_same_table_with_any_number_of_workers(optimizer, pruner):
    tables = [untimed(search(optimizer, pruner, workers)) for workers in (1, 2, 4, 8)]
    assert all(table.equals(tables[0]) for table in tables)


def failing(params):
    if params["x"] > 0.3:
        raise ValueError("too large")
    yield from curve(params)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nor_do_failures_make_it_depend_on_the_number_of_workers(seed):
    one, other = (
        eh.tune(
            failing, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, minimize="loss", optimizer="ga",
            pruner=eh.SuccessiveHalving(5, STEPS), population=5, generations=6, seed=seed, progress=False, evaluator=evaluator,
        ).table()
        for evaluator in (None, eh.Threads(4))
    )  # fmt: skip
    assert "failed" in set(one.status)
    timed = ["seconds", "worker", "resumed"]
    assert one.drop(columns=timed).equals(other.drop(columns=timed))


@pytest.mark.parametrize("pruner", ["promotion", "hyperband", "median"])
def test_they_work_in_processes(pruner):
    study = eh.tune(
        curve, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, minimize="loss", optimizer="de",
        pruner=PRUNERS[pruner](), trials=TRIALS, population=8, seed=1, progress=False, workers=2, duplicates="evaluate",
    )  # fmt: skip
    assert study.ledger.steps < 0.8 * TRIALS * STEPS
    if pruner == "hyperband":
        one = search("de", pruner)
        assert untimed(study).equals(untimed(one))


def test_hyperband_takes_as_many_steps_as_its_plan():
    study = eh.tune(
        curve, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, minimize="loss", optimizer="random",
        pruner=eh.Hyperband(27), trials=49, seed=1, progress=False,
    )  # fmt: skip
    assert study.ledger.steps == 357
    assert study.table()["status"].value_counts().to_dict() == {"stopped": 41, "completed": 8}
    assert sorted(t.steps for t in study.trials).count(1) == 18
