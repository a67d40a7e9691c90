"""Built-in problems: their optimum is one, and they are what they say."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import evohpo as eh
from evohpo.bench.problems.analytic import Landscape
from evohpo.bench.problems.catalogue import PLAIN, SIZED
from evohpo.bench.problems.landscapes import LANDSCAPES
from evohpo.errors import UnknownName, UsageError
from evohpo.testing.fronts import FRONTS
from evohpo.trials.pareto import hypervolume

EVEN = [
    "sphere",
    "ellipsoid",
    "discus",
    "bent-cigar",
    "sharp-ridge",
    "different-powers",
    "rastrigin",
    "ackley",
    "griewank",
]
SEPARABLE = ["sphere", "ellipsoid", "discus", "rastrigin", "schwefel"]


def value(problem, params) -> float:
    """The loss without noise."""
    return problem.truth(params) if problem.truth else problem.objective(params)["loss"]


def feasible(problem, params) -> bool:
    return not problem.goals.constraints or problem.objective(params)["beyond"] <= 0


@pytest.mark.parametrize("name", SIZED)
def test_the_solution_is_legal_and_has_the_optimum(name):
    problem = eh.problems.get(name)
    assert problem.space.validate(dict(problem.solution)) == dict(problem.solution)
    assert feasible(problem, problem.solution)
    assert value(problem, problem.solution) == pytest.approx(problem.optimum, abs=1e-12)


@pytest.mark.parametrize("name", SIZED)
def test_no_random_configuration_beats_the_optimum(name):
    problem = eh.problems.get(name)
    for params in problem.space.sample(200, np.random.default_rng(1)):
        if feasible(problem, params):
            assert value(problem, params) > problem.optimum


@pytest.mark.parametrize("name", LANDSCAPES)
@pytest.mark.parametrize("dim", [2, 7])
def test_no_local_search_beats_the_optimum(name, dim):
    landscape = Landscape(name, dim, 3)
    rng = np.random.default_rng(dim)
    for far in (1e-3, 0.3, 5.0):
        start = landscape.optimum + far * rng.standard_normal(dim)
        found = minimize(
            lambda x: float(landscape.values(x[None])[0]), start, method="Nelder-Mead", options={"maxfev": 400}
        )
        assert found.fun >= 0


@pytest.mark.parametrize("name", [n for n in SIZED if n.startswith("constrained-")])
def test_no_local_search_beats_the_optimum_within_the_constraint(name):
    problem = eh.problems.get(f"{name}/4/2")
    names = list(problem.solution)

    def measured(x, metric):
        return problem.objective(dict(zip(names, x, strict=True)))[metric]

    best = np.array(list(problem.solution.values()))
    scale = problem.optimum
    limit = {"type": "ineq", "fun": lambda x: -measured(x, "beyond")}
    for seed in range(3):
        start = best + np.random.default_rng(seed).standard_normal(4)
        found = minimize(lambda x: measured(x, "loss") / scale, start, method="SLSQP", constraints=[limit])
        if measured(found.x, "beyond") <= 1e-9:
            assert found.fun >= 1 - 1e-6


@pytest.mark.parametrize("name", EVEN)
def test_opposite_points_of_an_even_landscape_are_equal(name):
    D = np.random.default_rng(0).standard_normal((20, 6))
    landscape = Landscape(name, 6)
    np.testing.assert_allclose(landscape.apart(D), landscape.apart(-D), rtol=1e-9)


@pytest.mark.parametrize("name", SEPARABLE)
def test_a_separable_landscape_is_a_sum_over_parameters_unless_it_is_turned(name):
    D = np.random.default_rng(0).uniform(-0.9, 0.9, (20, 5))
    alone = np.array([np.diag(d) for d in D])  # each parameter moved by itself
    for rotated in (False, True):
        landscape = Landscape(name, 5, rotated=rotated)
        parts = np.array([landscape.apart(a).sum() for a in alone])
        same = np.allclose(parts, landscape.apart(D), rtol=1e-9)
        assert same == (not rotated or name == "sphere")


def test_a_sphere_knows_distance_only():
    landscape = Landscape("sphere", 4, 5)
    D = np.random.default_rng(0).standard_normal((30, 4))
    np.testing.assert_allclose(landscape.apart(D), (D**2).sum(1))


@pytest.mark.parametrize("name", LANDSCAPES)
def test_many_points_at_once_are_what_each_is_alone(name):
    landscape = Landscape(name, 5)
    X = np.random.default_rng(2).uniform(-5, 5, (9, 5))
    alone = [landscape({f"x{i}": v for i, v in enumerate(x, 1)})["loss"] for x in X]
    np.testing.assert_allclose(landscape.values(X), alone, rtol=1e-12)


def test_an_instance_is_the_same_everywhere():
    problem = eh.problems.get("rastrigin/3/2")
    assert list(problem.solution.values()) == [2.5052, 3.4337, 0.7522]
    assert problem.objective({"x1": 0.0, "x2": 1.0, "x3": -2.0})["loss"] == pytest.approx(41.24528373626385, rel=1e-9)


def test_another_instance_has_another_optimum():
    first, second = (eh.problems.get(f"ackley/4/{i}") for i in (1, 2))
    assert first.solution != second.solution
    assert first.objective(second.solution)["loss"] > 1


def test_mixed_problems_have_all_kinds_of_parameters():
    problem = eh.problems.mixed("sphere", 5)
    kinds = [type(problem.space.parameters[n]) for n in problem.space.searched]
    assert kinds == [eh.Categorical, eh.Ordinal, eh.Integer, eh.Integer, eh.Continuous]


def test_a_branch_that_does_not_hold_the_optimum_is_worse_even_at_its_best():
    problem = eh.problems.conditional("sphere", 2)
    for branch in "bc":
        best = problem.objective.landscape(branch).optimum
        params = {"branch": branch, f"{branch}1": best[0], f"{branch}2": best[1]}
        assert problem.space.validate(params)
        assert problem.objective(params)["loss"] > 0.1


def test_noise_comes_from_the_trial_and_does_not_move_the_truth():
    problem = eh.problems.noisy("sphere", 3, noise=0.1)
    where = problem.solution
    losses = [problem.objective(where, SimpleNamespace(seed=s))["loss"] for s in range(400)]
    assert losses[7] == problem.objective(where, SimpleNamespace(seed=7))["loss"]
    deviation = problem.objective.deviation
    assert np.std(losses) == pytest.approx(deviation, rel=0.15)
    assert abs(np.mean(losses)) < 4 * deviation / 400**0.5
    assert problem.truth(where) == 0


@pytest.mark.parametrize("name", FRONTS)
def test_the_optimum_of_a_front_is_its_whole_volume(name):
    problem = eh.problems.front(name)
    known = FRONTS[name]
    volume = hypervolume(known.optimal(3000), problem.reference)
    assert problem.optimum * 0.985 <= volume <= problem.optimum * (1 + 1e-4)
    F, V = known.evaluate(np.random.default_rng(1).random((2000, known.dim)))
    assert hypervolume(F[V <= 0], problem.reference) < problem.optimum


@pytest.mark.parametrize("model", ["svm", "forest"])
def test_models_of_digits_are_better_than_guessing(model):
    problem = eh.problems.digits(model)
    assert 0.5 < problem.objective(problem.space.complete({}))["accuracy"] <= 1


def test_the_network_learns_in_steps():
    problem = eh.problems.digits("mlp")
    accuracies = [
        m["accuracy"]
        for m in problem.objective(problem.space.complete({"epochs": 5, "solver": "adam", "learning_rate": 0.01}))
    ]
    assert len(accuracies) == 5
    assert accuracies[-1] > 0.5


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UsageError, match=r"evohpo\[sklearn\]"):
        eh.problems.get("digits-svm")


def test_a_study_is_a_problem_with_its_own_goals(tmp_path):
    study = eh.tune(
        lambda p: {"score": -((p["x"] - 1) ** 2), "size": abs(p["x"])}, {"x": eh.Continuous(-2, 2)}, maximize="score",
        constraints=["size <= 0.5"], trials=40, seed=1, store=tmp_path / "mine.db", progress=False,
    )  # fmt: skip
    legal = max(t.metrics["score"] for t in study.trials if t.feasible)
    for source in (study, tmp_path / "mine.db"):
        problem = eh.problems.recorded(source)
        assert problem.name == "mine"
        assert str(problem.goals) == str(study.goals)
        assert problem.optimum == legal


def test_a_table_of_several_objectives_knows_its_front():
    table = pd.DataFrame({"x": [1, 2, 3, 4], "a": [0.0, 1.0, 3.0, 3.0], "b": [4.0, 1.0, 0.0, 4.0]})
    problem = eh.problems.recorded(table, minimize=["a", "b"])
    assert problem.reference == (3.0, 4.0)
    assert problem.optimum == 2 * 3


def test_curves_are_judged_by_their_last_step():
    table = pd.DataFrame({"rate": [1, 1, 2, 2], "epoch": [1, 2, 1, 2], "accuracy": [0.9, 0.5, 0.4, 0.7]})
    problem = eh.problems.recorded(table, maximize="accuracy", step="epoch")
    assert problem.optimum == 0.7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sphre/3", "did you mean 'sphere'"),
        ("sphere/x", "write sphere/DIM"),
        ("sphere/3/1/1", "write sphere/DIM"),
        ("sphere/1", "at least 2"),
        ("zdt1/30", "has its own size"),
    ],
)
def test_a_wrong_name_says_what_is_right(name, message):
    with pytest.raises(UsageError, match=message):
        eh.problems.get(name)


def test_a_landscape_that_is_not_quadratic_has_no_constrained_form():
    with pytest.raises(UnknownName, match="constrained landscape"):
        eh.problems.constrained("rastrigin")


def test_every_name_without_a_size_can_be_had():
    assert [eh.problems.get(name).name for name in PLAIN] == list(PLAIN)
