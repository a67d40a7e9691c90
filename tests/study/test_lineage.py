"""Who descends from whom, what operators achieved and how generations change, on genealogies that were planted."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evohpo as eh
from evohpo.study.lineage import diversity
from tests.conftest import loss, make_mixed_space

LINE = {"x": eh.Continuous(0, 10)}


def plant(*generations, space=LINE, objective=lambda p: p["x"], **arguments):
    """Run a study that proposes exactly this: generations of (value of x, operator, parents)."""

    def author(problem, rng):
        for children in generations:
            width = max(len(parents) for _, _, parents in children)
            yield eh.Population(
                problem.encoding.encode([{"x": x} if not isinstance(x, dict) else x for x, _, _ in children]),
                parents=np.array([[*parents, *[-1] * (width - len(parents))] for _, _, parents in children]),
                operator=[operator for _, operator, _ in children],
            )

    goal = arguments if {"minimize", "maximize"} & set(arguments) else {"minimize": "loss", **arguments}
    budget = sum(map(len, generations)) + len(arguments.get("initial", ()))
    return eh.tune(objective, space, optimizer=author, trials=budget, seed=1, progress=False, **goal)


def values(frame, **where):
    """Return the one row in which the columns have these values."""
    (row,) = frame.loc[(frame[list(where)] == list(where.values())).all(axis=1)].to_dict("records")
    return row


FOUNDERS = [(6.0, "random", ()), (4.0, "random", ()), (8.0, "random", ())]
FAMILY = [*FOUNDERS], [(5.0, "cross", (0, 1)), (3.0, "cross", (1, 2))], [(1.0, "cross", (3, 4)), (3.5, "mutate", (4,))]


# The family tree


def test_a_family_tree_has_every_ancestor_once_nearest_first():
    tree = plant(*FAMILY).lineage(5)
    assert tree["number"].tolist() == [5, 3, 4, 0, 1, 2]
    assert tree["depth"].tolist() == [0, 1, 1, 2, 2, 2]
    assert tree["generation"].tolist() == [2, 1, 1, 0, 0, 0]
    assert tree["operator"].tolist() == ["cross", "cross", "cross", "random", "random", "random"]
    assert tree["parents"].tolist() == [(3, 4), (0, 1), (1, 2), (), (), ()]
    assert tree["loss"].tolist() == [1.0, 5.0, 3.0, 6.0, 4.0, 8.0]
    np.testing.assert_allclose(tree["improvement"], [2.0, -1.0, 1.0, np.nan, np.nan, np.nan])


def test_an_ancestor_on_two_ways_stands_at_the_shorter_one():
    study = plant(FOUNDERS, [(5.0, "cross", (0, 1))], [(4.5, "cross", (3, 0))])
    assert study.lineage(4)[["depth", "number"]].to_numpy().tolist() == [[0, 4], [1, 3], [1, 0], [2, 1]]


def test_a_maximised_metric_is_shown_as_measured_and_improves_upwards():
    study = plant(FOUNDERS, [(9.0, "cross", (0, 2))], maximize="score")
    tree = study.lineage(study.best)
    assert tree["score"].tolist() == [9.0, 6.0, 8.0]
    assert tree["improvement"][0] == 1.0


def test_a_trial_without_lineage_stands_alone():
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer="random", trials=5, seed=1, progress=False)
    tree = study.lineage(study.trials[3])
    assert tree[["depth", "number", "operator"]].to_numpy().tolist() == [[0, 3, ""]]
    assert tree["parents"].tolist() == [()]
    assert tree["improvement"].isna().all()


def test_a_trial_that_is_not_there_is_named():
    study, other = plant(*FAMILY), plant(*FAMILY)
    for number in (7, -1):
        with pytest.raises(eh.UsageError, match=f"no trial {number}: the study has 7"):
            study.lineage(number)
    with pytest.raises(eh.UsageError, match="trial 3 belongs to another study"):
        study.lineage(other.trials[3])
    assert len(study.lineage(np.int64(3))) == 3  # as a table gives it


def test_a_parent_that_does_not_come_before_its_child_is_named():
    study = plant(FOUNDERS, [(5.0, "cross", (0, 1)), (5.5, "cross", (0, 4))])
    for ask in (lambda: study.lineage(4), study.operators, study.generations):
        with pytest.raises(eh.UsageError, match=r"trial 4 names trial 4 as a parent.*results\.trials"):
            ask()


def test_a_child_of_a_baseline_that_its_author_knows_has_a_tree():
    def author(problem, rng):
        yield np.array([[0.5], [0.7]])
        yield eh.Population(np.array([[0.2]]), parents=np.array([[0]]), operator="copy")

    study = eh.Study(LINE, minimize="loss", optimizer=author, seed=1)
    study.attach({"x": 3.0}, 3.0, label="baseline")
    study.run(lambda p: p["x"], trials=3, progress=False)
    assert study.lineage(3)["number"].tolist() == [3, 0]
    assert study.lineage(3)["improvement"].tolist()[0] == 1.0
    assert values(study.operators(), operator="copy")["became_best"] == 1


def test_failed_and_infeasible_relatives_have_no_improvement():
    def objective(params):
        if params["x"] > 9:
            raise ValueError("too much")
        return {"loss": params["x"], "seconds": 2.0 if params["x"] > 7 else 1.0}

    study = plant(
        [(9.5, "random", ()), (8.0, "random", ()), (5.0, "random", ()), (7.5, "random", ())],
        [(3.0, "a", (0,)), (9.9, "a", (2,)), (7.2, "b", (2,)), (6.0, "b", (1,)), (7.1, "c", (3,)), (4.0, "c", (2, 0, 1))],
        objective=objective, constraints=["seconds <= 1"],
    )  # fmt: skip
    improvement = [study.lineage(number)["improvement"][0] for number in range(4, 10)]
    np.testing.assert_allclose(improvement, [np.nan, np.nan, np.nan, np.nan, np.nan, 1.0])
    operators = study.operators().set_index("operator")
    assert operators["compared"].to_dict() == {"random": 0, "a": 1, "b": 2, "c": 2}  # of a failed parent nobody knows
    assert operators["improved"].to_dict() == {"random": 0, "a": 0, "b": 1, "c": 2}
    assert operators["became_best"].to_dict() == {"random": 2, "a": 1, "b": 0, "c": 0}


# Operators


def test_operators_are_credited_as_counted_by_hand():
    operators = plant(*FAMILY).operators()
    assert operators["operator"].tolist() == ["random", "cross", "mutate"]
    assert operators["trials"].tolist() == [3, 3, 1]
    assert operators["share"].tolist() == [3 / 7, 3 / 7, 1 / 7]
    assert operators["compared"].tolist() == [0, 3, 1]
    assert operators["improved"].tolist() == [0, 2, 0]
    np.testing.assert_allclose(operators["success_rate"], [np.nan, 2 / 3, 0.0])
    np.testing.assert_allclose(operators["mean_improvement"], [np.nan, (-1 + 1 + 2) / 3, -0.5])
    assert operators["became_best"].tolist() == [2, 2, 0]
    assert operators["duplicates"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("duplicates", ["reuse", "evaluate"])
def test_a_child_that_repeats_a_configuration_keeps_its_parents_and_counts_as_a_duplicate(duplicates):
    study = plant(FOUNDERS, [(6.0, "cross", (0, 1)), (5.0, "cross", (0, 2))], duplicates=duplicates)
    assert study.trials[3].job == ("reused 0" if duplicates == "reuse" else "")
    assert study.lineage(3)["number"].tolist() == [3, 0, 1]
    assert values(study.operators(), operator="cross")["duplicates"] == 1
    assert study.generations()["duplicates"].tolist() == [0.0, 0.5]


def test_what_the_user_gave_is_credited_to_no_operator():
    study = plant(FOUNDERS, initial=[{"x": 0.5}])
    operators = study.operators()
    assert operators[["operator", "trials", "share", "became_best"]].to_numpy().tolist() == [["random", 3, 1.0, 0]]


def test_a_trial_that_has_not_ended_is_not_compared():
    study = eh.Study(LINE, minimize="loss", optimizer=eh.use("ga", mutation_rate=0.5), population=4, seed=1)
    for trial in study.ask(4):
        study.tell(trial, trial.params["x"])
    children = study.ask(4)
    assert study.operators()["compared"].tolist() == [0] * len(study.operators())
    study.tell(children[0], 0.0)
    assert study.operators()["compared"].sum() == 1
    assert study.operators()["improved"].sum() == 1


def test_with_several_objectives_success_is_to_dominate_a_parent_and_be_dominated_by_none():
    space = {"a": eh.Continuous(0, 10), "b": eh.Continuous(0, 10)}

    def at(a, b, operator, *parents):
        return {"a": float(a), "b": float(b)}, operator, parents

    study = plant(
        [at(2, 8, "random"), at(8, 2, "random"), at(9, 9, "random")],
        [at(1, 8, "x", 0, 1), at(5, 5, "x", 0, 1), at(9, 3, "x", 1), at(3, 9, "x", 0, 2), at(8, 2, "y", 2)],
        space=space, objective=lambda p: {"f": p["a"], "g": p["b"]}, minimize=["f", "g"],
    )  # fmt: skip
    assert [study.lineage(n)["improvement"][0] for n in range(3, 8)] == [1, 0, -1, -1, 1]
    x, y = values(study.operators(), operator="x"), values(study.operators(), operator="y")
    assert (x["compared"], x["improved"], x["success_rate"], x["mean_improvement"]) == (4, 1, 0.25, -0.25)
    assert (x["entered_front"], y["entered_front"]) == (2, 0)  # the last one only equals a member
    assert values(study.operators(), operator="random")["entered_front"] == 2
    assert (y["improved"], y["duplicates"]) == (1, 1)


# Generations


def test_generations_are_summed_up_as_counted_by_hand():
    def objective(params):
        if params["x"] == 7.0:
            raise ValueError("seven")
        return params["x"]

    study = plant(
        [(6.0, "random", ()), (4.0, "random", ()), (5.0, "random", ()), (7.0, "random", ())],
        [(1.0, "a", (0,)), (3.0, "a", (0,)), (2.0, "a", (1,)), (3.0, "a", (1,))],
        objective=objective, maximize="score", initial=[{"x": 5.5}],
    )  # fmt: skip
    table = study.generations()
    assert table["generation"].tolist() == [0, 1]
    assert table["trials"].tolist() == [4, 4]
    assert table["best"].tolist() == [6.0, 3.0]
    assert table["mean"].tolist() == [5.0, 2.25]
    assert table["median"].tolist() == [5.0, 2.5]
    assert table["best_so_far"].tolist() == [6.0, 6.0]
    assert table["failed"].tolist() == [1, 0]
    assert table["duplicates"].tolist() == [0.0, 0.25]


def test_the_best_so_far_knows_what_the_user_gave():
    study = plant(FOUNDERS, [(3.0, "a", (0,))], initial=[{"x": 3.5}])
    assert study.generations()["best_so_far"].tolist() == [3.5, 3.0]
    assert study.generations()["best"].tolist() == [4.0, 3.0]


def test_a_generation_without_feasible_results_has_no_best():
    study = plant(
        [(6.0, "random", ()), (4.0, "random", ())], [(1.0, "a", (0,)), (2.0, "a", (0,))],
        objective=lambda p: {"loss": p["x"], "seconds": p["x"]}, constraints=["seconds <= 3"],
    )  # fmt: skip
    np.testing.assert_array_equal(study.generations()["best"], [np.nan, 1.0])
    assert study.generations()["mean"].tolist() == [5.0, 1.5]


def test_each_of_several_objectives_has_its_columns():
    study = eh.tune(
        lambda p: {"error": p["x"], "speed": 2 * p["x"]}, LINE, minimize="error", maximize="speed", optimizer="nsga2",
        population=6, generations=3, seed=1, progress=False,
    )  # fmt: skip
    table, measured = study.generations(), study.table()
    for name, best in (("error", "min"), ("speed", "max")):
        by = measured.groupby("generation")[name]
        np.testing.assert_array_equal(table[f"best_{name}"], by.agg(best))
        np.testing.assert_allclose(table[f"mean_{name}"], by.mean())
        np.testing.assert_array_equal(table[f"best_so_far_{name}"], getattr(by.agg(best), f"cum{best}")())


def test_a_study_without_proposals_has_tables_without_rows():
    study = eh.Study(LINE, minimize="loss", optimizer="ga")
    for _ in range(2):
        assert len(study.operators()) == len(study.generations()) == 0
        study.attach({"x": 3.0}, 3.0)
    assert {"best", "diversity", "pressure"} < set(study.generations())


# Diversity


def test_diversity_shrinks_as_planted():
    widths = [10.0, 5.0, 2.0, 0.0]
    study = plant(*[[(5.0 + w * (i / 10 - 0.5), "", ()) for i in range(11)] for w in widths], duplicates="evaluate")
    expected = [w / 10 * 0.4 for w in widths]  # 11 even places are 4 steps of 10 apart, in the mean
    np.testing.assert_allclose(study.generations()["diversity"], expected, atol=1e-12)


def test_uniform_random_search_has_a_diversity_of_a_third():
    study = eh.tune(
        lambda p: p["x"], {"x": eh.Continuous(1e-6, 1, scale="log")}, minimize="loss", optimizer="random", trials=2000,
        population=1000, seed=1, progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(study.generations()["diversity"], 1 / 3, atol=0.01)


def gower(space, a, b):
    """Return the distance of two configurations, parameter by parameter as defined."""
    total = 0.0
    for name in space.searched:
        parameter = space.parameters[name]
        if (name in a) != (name in b):
            total += 1
        elif name in a and not parameter.ordered:
            total += a[name] != b[name]
        elif name in a:
            ends = [parameter.gene(v) for v in parameter.read(np.array([0.0, 1.0])).tolist()]
            total += abs(parameter.gene(a[name]) - parameter.gene(b[name])) / (ends[1] - ends[0])
    return total / len(space.searched)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 3), min_size=1, max_size=25))
@settings(max_examples=30, deadline=None)
def test_diversity_is_the_mean_distance_over_all_pairs(seed, groups):
    space, code = make_mixed_space(), np.array(groups)
    configs = space.sample(len(groups), np.random.default_rng(seed))
    for k, found in enumerate(diversity(space, configs, code, 4)):
        pairs = list(itertools.combinations([c for c, g in zip(configs, groups, strict=True) if g == k], 2))
        expected = np.mean([gower(space, a, b) for a, b in pairs]) if pairs else np.nan
        assert found == pytest.approx(expected, nan_ok=True)
        assert not pairs or 0 <= found <= 1


def test_as_far_apart_as_possible_is_a_diversity_of_one_for_every_kind_of_parameter():
    space = eh.Space(
        {"x": eh.Continuous(1e-3, 1, scale="log"), "n": eh.Integer(1, 3), "m": eh.Integer(1, 99, scale="log"),
         "o": eh.Ordinal(["s", "m", "l"]), "c": eh.Categorical([True, False]), "k": 7}
    )  # fmt: skip
    ends = [{"x": 1e-3, "n": 3, "m": 1, "o": "l", "c": True}, {"x": 1.0, "n": 1, "m": 99, "o": "s", "c": False}]
    assert diversity(space, ends, np.zeros(2, int), 1)[0] == pytest.approx(1.0)
    assert diversity(space, ends[:1] * 2, np.zeros(2, int), 1)[0] == 0.0


# Selection


def test_pressure_is_the_selection_differential_over_the_spread():
    population = [(float(x), "random", ()) for x in (2, 4, 6, 8)]  # mean 5, standard deviation sqrt(5)

    def pressure(*families):
        children = [(0.1 * i, "a", parents) for i, parents in enumerate(families)]
        return plant(population, children).generations()["pressure"][1] * np.sqrt(5)

    assert pressure((0,), (1,), (2,), (3,)) == pytest.approx(0.0)  # everybody once
    assert pressure((0,), (0,), (0,), (0,)) == pytest.approx(3.0)  # the best alone
    assert pressure((3,), (3,)) == pytest.approx(-3.0)
    assert pressure((0,), (0,), (0,), (3,)) == pytest.approx(5 - 3.5)  # weighted by offspring
    assert pressure((0, 2), (1, 1)) == pytest.approx(5 - 4.0)  # a child counts once, however many parents it has
    assert pressure((0,), (1, 2, 3)) == pytest.approx(5 - 4.0)


def test_truncation_selection_has_the_intensity_known_from_theory():
    """Of a normal population, the better half has an intensity of 0.8 (Muehlenbein, Schlierkamp-Voosen 1993, table 1)."""
    x = np.clip(np.random.default_rng(1).normal(5, 1, 2000), 0, 10)
    best = np.argsort(x)[:1000]
    study = plant([(v, "random", ()) for v in x], [(1e-4 * i, "a", (p,)) for i, p in enumerate(best.tolist())])
    assert study.generations()["pressure"][1] == pytest.approx(0.7979, abs=0.02)


def test_pressure_does_not_depend_on_sign_and_unit_of_the_metric():
    family = [(x, "random", ()) for x in (2.0, 4.0, 9.0)], [(1.0, "a", (0,)), (1.5, "a", (1,))]
    down = plant(*family).generations()["pressure"][1]
    up = plant(*family, objective=lambda p: 7 - 1000 * p["x"], maximize="score").generations()["pressure"][1]
    assert down == pytest.approx(up)
    assert down > 0


def test_pressure_is_unknown_without_lineage_or_spread():
    without = eh.tune(lambda p: p["x"], LINE, minimize="m", optimizer="random", population=5, trials=15, progress=False)
    assert without.generations()[["pressure", "parents_used", "takeover"]].isna().all(axis=None)
    flat = plant(FOUNDERS, [(5.0, "a", (0,))], objective=lambda p: 1.0).generations()
    assert np.isnan(flat["pressure"][1])
    assert flat["takeover"][1] == 1.0


def test_with_constraints_and_several_objectives_pressure_is_on_ranks():
    population = [(float(x), "random", ()) for x in (2, 4, 6, 8)]
    chosen = [(0.1, "a", (2,)), (0.2, "a", (2,))]  # under the constraint 6 is the best: ranks 3 2 0 1
    bounded = plant(
        population, chosen, objective=lambda p: {"loss": p["x"], "size": -p["x"]}, constraints=["size <= -6"]
    )
    assert bounded.generations()["pressure"][1] == pytest.approx(1.5 / np.std([0, 1, 2, 3]))
    several = plant(population, chosen, objective=lambda p: {"f": p["x"], "g": p["x"] ** 2}, minimize=["f", "g"])
    assert several.generations()["pressure"][1] == pytest.approx((1.5 - 2) / np.std([0, 1, 2, 3]))


def test_parents_used_and_takeover_are_shares():
    study = plant(
        [(float(x), "random", ()) for x in (2, 4, 6, 8)],
        [(1.0, "a", (0, 1)), (1.1, "a", (0, 0)), (1.2, "a", (0,)), (1.3, "a", (2,))],
        [(0.5, "a", (4,)), (0.6, "a", (0,)), (0.7, "a", (1, 4)), (0.8, "a", (4,))],
    )
    assert study.generations()["parents_used"].tolist()[1:] == [0.75, 0.25]
    assert study.generations()["takeover"].tolist()[1:] == [0.75, 0.75]


def test_selecting_harder_presses_harder():
    def mean_pressure(tournament):
        study = eh.tune(
            loss, make_mixed_space(), minimize="loss", optimizer=eh.use("ga", tournament=tournament, elites=0), seed=1,
            population=200, generations=5, progress=False,
        )  # fmt: skip
        return study.generations()["pressure"].mean()

    assert abs(mean_pressure(1)) < 0.1
    assert 0.3 < mean_pressure(2) < mean_pressure(5)


# True parents


@eh.optimizer("test.midpoints", told="results")
def midpoints(problem, rng, population=6):
    """Every child lies half-way between its parents, so that whoever reads its genes knows them."""
    told = yield rng.random((population, problem.dim))
    while True:
        pairs = rng.integers(0, population, (population, 2))
        X = told.X[pairs].mean(1)
        told = yield eh.Population(X, parents=told.trials[pairs], operator="midpoint")


def failing(share):
    """Return an objective that fails where a digit of `a` says so, on about this share of all trials."""

    def objective(params):
        if params["a"] * 1e6 % 1 < share:
            raise ValueError("as planned")
        return sum((v - 0.3) ** 2 for v in params.values())

    return objective


def cube(dim):
    return {name: eh.Continuous(0, 1) for name in "abcdefghijkl"[:dim]}


def genes(study):
    names = list(study.space.searched)
    return np.array([[t.params[name] for name in names] for t in study.trials])


def test_parents_are_numbers_of_trials_whatever_shifts_these():
    study = eh.Study(
        cube(3), minimize="m", optimizer="test.midpoints", initial=[{"a": 0.1}, {"b": 0.2}, {"c": 0.3}], seed=1
    )
    study.attach({"a": 0.9, "b": 0.9, "c": 0.9}, 5.0, label="baseline")
    study.run(failing(0.3), trials=20, progress=False)
    study.attach({"a": 0.8, "b": 0.8, "c": 0.8}, 5.0, label="baseline")
    study.run(failing(0.3), trials=50, progress=False)
    children, X = [t for t in study.trials if t.operator == "midpoint"], genes(study)
    assert len(children) > 30
    assert any(study.trials[p].failed for t in children for p in t.parents)
    for child in children:
        np.testing.assert_allclose(X[list(child.parents)].mean(0), X[child.number], atol=1e-9)


def search(name, dim=12, population=8, trials=80, initial=({}, {"a": 0.25}), objectives=1, **options):
    """Run one of our own on continuous genes; failed first trials shift the numbers without becoming parents."""

    def objective(params):
        if params["a"] in (0.5, 0.25):
            raise ValueError("as planned")
        return {"m": failing(0.1)(params), "n": sum((v - 0.7) ** 2 for v in params.values())}

    return eh.tune(
        objective, cube(dim), minimize=["m", "n"][:objectives], optimizer=eh.use(name, **options), population=population,
        trials=trials, initial=initial, duplicates="evaluate", seed=2, progress=False,
    )  # fmt: skip


def descendants(study):
    """Return the trials with parents and, of each, its genes and those of its parents."""
    X = genes(study)
    children = [t for t in study.trials if t.parents]
    assert len(children) > 40
    return [(t, X[t.number], X[list(t.parents)]) for t in children]


@pytest.mark.parametrize(
    ("name", "options"),
    [("ga", {"crossover_rate": 0}), ("nsga2", {"crossover_rate": 0}), ("paes", {}), ("sa", {}), ("ga-steady", {})],
)
def test_a_child_of_a_baseline_or_an_initial_configuration_descends_from_its_trial(name, options):
    study = eh.Study(
        cube(12), minimize="m", optimizer=eh.use(name, **options), population=8, seed=1,
        initial=[dict.fromkeys("abcdefghijkl", 0.3100005)],
    )  # fmt: skip
    study.attach(dict.fromkeys("abcdefghijkl", 0.29), 0.0, label="baseline")
    study.run(failing(0.1), trials=60, progress=False)
    X, families = genes(study), [(t, set(t.parents)) for t in study.trials if t.asked and t.generation > 0]
    given = {t.number for t in study.trials if not t.asked}
    assert sum(bool(family & given) for _, family in families) >= 5
    for child, family in families:
        assert family
        if name != "ga-steady":
            assert np.isclose(X[list(family)], X[child.number], atol=1e-9).all(0).sum() >= 7


def test_after_a_restart_parents_may_be_trials_of_before(tmp_path):
    counter = itertools.count()

    @eh.optimizer("test.forgetful-mutant", told="results")
    def forgetful(problem, rng):
        salt = 0.01 * next(counter)  # what a clock does
        yield np.clip(rng.random((5, problem.dim)) + salt, 0, 1)
        while True:
            known = problem.known
            if len(known):
                yield eh.Population(known.X[:5], parents=known.trials[:5, None], operator="copy")
            else:
                yield rng.random((5, problem.dim))

    def run(trials):
        return eh.tune(
            failing(0), cube(3), minimize="m", optimizer=forgetful, trials=trials, seed=1, progress=False,
            store=tmp_path / "study.db", duplicates="evaluate",
        )  # fmt: skip

    run(20)
    with pytest.warns(eh.EvohpoWarning, match="does not repeat itself"):
        study = run(40)
    X, copies = genes(study), [t for t in study.trials if t.operator == "copy"]
    assert len(copies) > 10
    for child in copies:
        assert max(child.parents) < 20
        np.testing.assert_allclose(X[list(child.parents)], X[[child.number]], atol=1e-9)


def test_every_gene_of_a_crossed_child_comes_from_one_of_its_two_parents():
    for crossover in ("uniform", "n-point"):
        for child, x, parents in descendants(search("ga", crossover=crossover, mutation_rate=0)):
            assert len(child.parents) == 2
            assert np.isclose(x, parents, atol=1e-9).any(0).all()


@pytest.mark.parametrize("name", ["ga", "nsga2"])
def test_a_child_that_was_not_crossed_is_a_mutant_of_its_one_parent(name):
    study = search(name, crossover_rate=0.5)
    mutants = [d for d in descendants(study) if d[0].operator == "polynomial"]
    crossed = [d for d in descendants(study) if d[0].operator == "sbx+polynomial"]
    assert len(mutants) > 10
    assert len(crossed) > 10
    for child, x, parents in mutants:
        assert len(set(child.parents)) == 1
        assert np.isclose(x, parents, atol=1e-9).all(0).sum() >= 7
    assert any(len(set(child.parents)) == 2 for child, _, _ in crossed)


@pytest.mark.parametrize("name", ["ga", "nsga2", "ga-steady"])
def test_a_child_of_sbx_keeps_genes_of_the_parent_named_first(name):
    for _, x, parents in descendants(search(name)):
        assert np.isclose(x, parents[0], atol=1e-9).sum() >= 1


@pytest.mark.parametrize(("name", "objectives"), [("paes", 1), ("paes", 2), ("sa", 1)])
def test_a_mutant_has_most_genes_of_its_parent(name, objectives):
    for child, x, parents in descendants(search(name, objectives=objectives)):
        assert len(child.parents) == 1
        assert np.isclose(x, parents[0], atol=1e-9).sum() >= 7


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("de", {"adapt": 0, "weight": 0.5}),
        ("de-steady", {"weight": 1.0}),
        ("de", {"adapt": 0, "strategy": "rand/1/bin"}),
    ],
)
def test_a_child_of_differential_evolution_is_computed_from_its_four_parents(name, options):
    F = options.get("weight", 0.5)
    study = search(name, dim=3, crossover=1.0, **options)
    for child, x, (target, lead, a, b) in descendants(study):
        start = lead if options.get("strategy") else target + F * (lead - target)
        mutant = start + F * (a - b)
        np.testing.assert_allclose(x, np.clip(mutant, 0, 1), atol=1e-9)
        assert child.number > max(child.parents)


def test_the_first_parent_of_differential_evolution_is_the_one_it_competes_with():
    study, slots = search("de", dim=3, initial=()), {}
    fitness = [np.inf if t.failed else t.fitness[0] for t in study.trials]
    for trial in study.trials:
        slot = trial.number % 8
        assert trial.parents[:1] == ((slots[slot],) if slot in slots else ())
        if slot not in slots or fitness[trial.number] <= fitness[slots[slot]]:
            slots[slot] = trial.number


def test_a_particle_descends_from_its_place_its_best_place_and_its_leaders():
    study = search("pso", dim=3, initial=())
    fitness = np.array([np.inf if t.failed else t.fitness[0] for t in study.trials])
    for child, _, _ in descendants(study):
        mine, before = np.arange(child.number % 8, child.number, 8), np.arange(8 * child.generation)
        assert child.parents[0] == mine[-1]
        assert fitness[child.parents[1]] == fitness[mine].min()
        assert fitness[child.parents[2]] == fitness[before].min()


@pytest.mark.parametrize("name", ["cmaes", "es", "eda"])
def test_what_is_drawn_from_a_model_has_an_operator_and_no_parents(name):
    study = search(name)
    assert all(t.operator and not t.parents for t in study.trials if t.asked)


# What survives


def tables(study):
    return study.operators(), study.generations(), study.lineage(len(study.trials) - 1)


def assert_equal_tables(a, b):
    for mine, other in zip(tables(a), tables(b), strict=True):
        pd.testing.assert_frame_equal(mine, other)


@pytest.mark.parametrize("optimizer", ["ga", "nsga2", "pso", "test.midpoints"])
def test_lineage_survives_store_resume_and_load(tmp_path, optimizer):
    def run(store, *budgets):
        for trials in budgets:
            study = eh.tune(
                failing(0.2), cube(3), minimize="m", optimizer=optimizer, population=6, trials=trials, seed=1,
                initial=[{"a": 0.1}], store=store, duplicates="evaluate", progress=False,
            )  # fmt: skip
        study.close()
        return study

    whole = run(tmp_path / "whole.db", 60)
    assert_equal_tables(run(tmp_path / "pieces.db", 9, 23, 44, 60), whole)
    assert_equal_tables(eh.load(tmp_path / "pieces.db"), whole)


def test_lineage_of_duplicates_survives_store_resume_and_load(tmp_path):
    def run(store, *budgets):
        for trials in budgets:
            study = eh.tune(
                lambda p: (p["n"] - 7) ** 2, {"n": eh.Integer(0, 30)}, minimize="m", optimizer="ga", population=6,
                trials=trials, seed=1, store=store, progress=False,
            )  # fmt: skip
        study.close()
        return study

    whole = run(tmp_path / "whole.db", 50)
    assert whole.operators()["duplicates"].sum() > 15
    assert_equal_tables(run(tmp_path / "pieces.db", 9, 30, 50), whole)
    assert_equal_tables(eh.load(tmp_path / "pieces.db"), whole)


def test_lineage_is_read_without_the_optimizers_code(tmp_path):
    def author(problem, rng):
        F = yield rng.random((6, problem.dim))
        while True:
            X = rng.random((6, problem.dim))
            yield eh.Population(X, parents=np.argsort(F)[:1, None].repeat(6, 0), operator=["a", "b"] * 3)

    space = make_mixed_space()
    study = eh.tune(
        loss, space, minimize="m", optimizer=author, trials=30, seed=1, store=tmp_path / "study.db", progress=False
    )
    assert_equal_tables(eh.load(tmp_path / "study.db"), study)


def test_lineage_does_not_depend_on_workers():
    def run(workers):
        return eh.tune(
            failing(0.2), cube(3), minimize="m", optimizer="ga", population=8, generations=5, seed=1, workers=workers,
            evaluator=eh.Threads(), progress=False,
        )  # fmt: skip

    assert_equal_tables(run(1), run(4))


def test_after_a_restart_old_lineage_stays_and_new_lineage_is_true(tmp_path):
    counter = itertools.count()

    @eh.optimizer("test.forgetful-parent", told="results")
    def forgetful(problem, rng):
        salt = 0.01 * next(counter)  # what a clock does
        told = yield np.clip(rng.random((5, problem.dim)) + salt, 0, 1)
        while True:
            pairs = rng.integers(0, 5, (5, 2))
            told = yield eh.Population(told.X[pairs].mean(1), parents=told.trials[pairs], operator="midpoint")

    def run(trials):
        return eh.tune(
            failing(0.1), cube(3), minimize="m", optimizer=forgetful, trials=trials, seed=1, progress=False,
            store=tmp_path / "study.db", duplicates="evaluate",
        )  # fmt: skip

    before = [t.parents for t in run(20).trials]
    with pytest.warns(eh.EvohpoWarning, match="does not repeat itself"):
        study = run(50)
    assert [t.parents for t in study.trials[:20]] == before
    X, children = genes(study), [t for t in study.trials if t.parents]
    assert sum(t.number >= 20 for t in children) > 15
    for child in children:
        np.testing.assert_allclose(X[list(child.parents)].mean(0), X[child.number], atol=1e-9)
    assert_equal_tables(eh.load(tmp_path / "study.db"), study)


def test_the_table_has_lineage_only_where_there_is_some():
    with_it = plant(*FAMILY).table()
    assert with_it["parents"].tolist() == [(), (), (), (0, 1), (1, 2), (3, 4), (4,)]
    assert with_it["operator"].tolist() == ["random"] * 3 + ["cross"] * 3 + ["mutate"]
    without = eh.tune(lambda p: p["x"], LINE, minimize="loss", optimizer="random", trials=3, seed=1, progress=False)
    assert not {"parents", "operator"} & set(without.table())


# Any genealogy


@st.composite
def genealogies(draw):
    """Generations of (x, operator, parents), parents being any earlier trials."""
    generations, n = [], 0
    for size in draw(st.lists(st.integers(1, 5), min_size=1, max_size=5)):
        earlier = st.lists(st.integers(0, n - 1), max_size=3) if n else st.just([])
        child = st.tuples(st.integers(0, 5).map(float), st.sampled_from(["a", "b", ""]), earlier.map(tuple))
        generations.append(draw(st.lists(child, min_size=size, max_size=size)))
        n += size
    return generations


@given(genealogies())
@settings(max_examples=40, deadline=None)
def test_any_genealogy_adds_up(genealogy):
    study = plant(*genealogy)
    trials = study.trials
    for trial in trials:
        tree = study.lineage(trial)
        depth = dict(zip(tree["number"], tree["depth"], strict=True))
        assert len(depth) == len(tree)
        assert set(depth) == {trial.number}.union(*(trials[n].parents for n in depth))  # closed: nobody is missing
        for number in tree["number"][1:]:
            assert depth[number] == 1 + min(depth[n] for n in depth if number in trials[n].parents)
        assert tree["depth"].is_monotonic_increasing
    operators, generations = study.operators(), study.generations()
    assert operators["trials"].sum() == generations["trials"].sum() == len(trials)
    assert operators["share"].sum() == pytest.approx(1)
    assert (operators["improved"] <= operators["compared"]).all()
    improved = [t for t in trials if t.parents and t.fitness < min(trials[p].fitness for p in t.parents)]
    assert operators["improved"].sum() == len(improved)
    losses = [t.fitness[0] for t in trials]
    assert operators["became_best"].sum() == len(dict.fromkeys(np.minimum.accumulate(losses).tolist()))
    assert operators["duplicates"].sum() == sum(t.job.startswith("reused") for t in trials)
    assert generations["best_so_far"].tolist() == np.minimum.accumulate(generations["best"]).tolist()
    assert generations["best_so_far"].iloc[-1] == study.best.metrics["loss"]
    shares = generations[["duplicates", "diversity", "parents_used", "takeover"]].to_numpy()
    assert ((shares >= 0) & (shares <= 1) | np.isnan(shares)).all()
