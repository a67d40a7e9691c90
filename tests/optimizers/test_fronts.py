"""Optimizers of several objectives: what of known fronts they find, and the parts they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.optimizers import directions, operators
from evohpo.optimizers.mocmaes import survivors
from evohpo.optimizers.protocol import Results
from evohpo.testing import check_optimizer
from evohpo.testing.fronts import FRONTS
from evohpo.testing.problems import mixed
from evohpo.trials.pareto import domination_ranks, front, hypervolume

NEW = ("nsga3", "moead", "mo-cmaes")
ALL = ("nsga2", "paes", *NEW)


def search(name, problem, trials, seed=1, **options):
    return eh.tune(
        problem, problem.space, minimize=problem.metrics, constraints=problem.limits, trials=trials, seed=seed,
        optimizer=eh.use(name, **options), progress=False,
    )  # fmt: skip


def share(study, problem):
    """Return how much of the front's hypervolume a study has found."""
    F = np.array([trial.fitness for trial in study.front()]).reshape(-1, problem.m)
    return problem.hypervolume(F) / problem.volume


def found(name, problem, trials, **options):
    """Return the median share of three seeds."""
    return np.median([share(search(name, problem, trials, seed, **options), problem) for seed in (1, 2, 3)])


def random_results(F, violation=None):
    n = len(F)
    V = np.zeros(n) if violation is None else violation
    return Results(np.zeros((n, 1)), F, V, np.zeros(n, int), np.zeros(n, bool), np.arange(n))


# Problems


@pytest.mark.parametrize("problem", FRONTS.values(), ids=FRONTS)
def test_the_hypervolume_of_a_problem_is_that_of_its_front(problem):
    F = problem.optimal(40_000)
    assert problem.hypervolume(F) == pytest.approx(problem.volume, rel=0.005)
    assert problem.hypervolume(F) <= problem.volume + 1e-6
    assert np.allclose(F.min(0), problem.ideal, atol=1e-3)
    assert np.allclose(F.max(0), problem.nadir, atol=1e-3)


@pytest.mark.parametrize("problem", FRONTS.values(), ids=FRONTS)
def test_no_point_lies_beyond_the_front(problem):
    F, violation = problem.evaluate(np.random.default_rng(0).random((20_000, problem.dim)))
    behind = problem.optimal(2_000)
    for row in F[front(F, violation)]:
        assert not (row < behind - 1e-3 * (problem.nadir - problem.ideal)).all(1).any()


def test_a_problem_is_an_objective_with_metrics_and_limits():
    problem = FRONTS["OSY"]
    middle = {name: (parameter.low + parameter.high) / 2 for name, parameter in problem.space.parameters.items()}
    F, violation = problem.evaluate(np.full((1, problem.dim), 0.5))
    assert problem(middle) == {"f1": F[0, 0], "f2": F[0, 1], "violation": violation[0]}
    assert violation[0] > 0
    assert problem.limits == ["violation <= 0"]
    assert FRONTS["ZDT1"].limits == []


# What is found


@pytest.mark.parametrize(
    ("name", "problem", "least"),
    [
        ("nsga2", "ZDT1", 0.4), ("nsga3", "ZDT1", 0.4), ("moead", "ZDT1", 0.55), ("mo-cmaes", "ZDT1", 0.5),
        ("paes", "ZDT6", 0.8), ("nsga2", "DTLZ2", 0.8), ("nsga3", "DTLZ2", 0.83), ("moead", "DTLZ2", 0.86),
        ("mo-cmaes", "DTLZ2", 0.83), ("paes", "DTLZ2", 0.45),
    ],
)  # fmt: skip
def test_most_of_a_front_is_found_in_2000_trials_and_little_by_chance(name, problem, least):
    assert found(name, FRONTS[problem], 2000) >= least
    assert share(search("random", FRONTS[problem], 2000), FRONTS[problem]) < 0.6 * least


@pytest.mark.parametrize(
    ("name", "problem", "least"),
    [
        ("nsga2", "OSY", 0.8), ("nsga3", "OSY", 0.65), ("moead", "OSY", 0.7), ("mo-cmaes", "OSY", 0.85),
        ("paes", "OSY", 0.65), ("nsga2", "TNK", 0.94), ("nsga3", "TNK", 0.93), ("moead", "TNK", 0.93),
        ("mo-cmaes", "TNK", 0.97), ("paes", "TNK", 0.9),
    ],
)  # fmt: skip
def test_a_constrained_front_is_found_and_all_that_is_returned_is_feasible(name, problem, least):
    studies = [search(name, FRONTS[problem], 2500, seed) for seed in (1, 2, 3)]
    assert np.median([share(study, FRONTS[problem]) for study in studies]) >= least
    for study in studies:
        assert {trial.metrics["violation"] for trial in study.front()} == {0.0}
    assert share(search("random", FRONTS[problem], 2500), FRONTS[problem]) < least - 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsga2", "moead", "nsga3"])
def test_fronts_behind_many_local_ones_are_reached_in_10000_trials(name):
    assert found(name, FRONTS["ZDT4"], 10_000) >= 0.8
    assert found(name, FRONTS["C1-DTLZ1"], 10_000) >= 0.5


def test_of_a_curved_valley_in_which_parameters_interact_the_strategies_find_most():
    """Of the ellipsoid's axes none is that of a parameter: what learns its shape is ahead of what does not."""
    turn, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(6, 6)))
    weights = 1e3 ** (np.arange(6) / 5)

    def ellipsoids(params):
        x = np.array([params[f"x{i}"] for i in range(6)])
        return {f"f{k}": float((weights * (turn @ (x - at)) ** 2).sum()) for k, at in enumerate((0.3, 0.6))}

    space = eh.Space({f"x{i}": eh.Continuous(0, 1) for i in range(6)})

    def volume(name, seed):
        study = eh.tune(
            ellipsoids, space, minimize=["f0", "f1"], optimizer=name, trials=3000, seed=seed, progress=False
        )
        return study.hypervolume([100, 100])

    best = {name: np.median([volume(name, seed) for seed in (1, 2, 3)]) for name in ("mo-cmaes", "nsga2", "paes")}
    assert max(best, key=best.get) == "mo-cmaes", best


@pytest.mark.parametrize("name", ALL)
def test_a_mixed_space_is_searched_in_all_its_kinds_of_parameters(name):
    """Loss against cost, with a category, two kinds of integers, an ordinal, a condition and an input constraint."""

    def measure(params):
        near = abs(math.log10(params["learning_rate"]) + 2) + {"sgd": 0.0, "adam": 0.3, "lbfgs": 0.6}[params["solver"]]
        near += abs(params.get("momentum", 0.0) - 0.7) + 64 / params["units"] + abs(params["batch_size"] - 128) / 128
        return {"loss": near, "cost": math.log2(params["units"]) * params["layers"]}

    def volume(optimizer, seed):
        study = eh.tune(
            measure, mixed(), minimize=["loss", "cost"], optimizer=optimizer, trials=400, seed=seed, progress=False
        )
        return study.hypervolume([8, 30])

    ours, blind = (np.median([volume(who, seed) for seed in range(5)]) for who in (name, "random"))
    assert ours > 1.02 * blind


@pytest.mark.parametrize("name", NEW)
def test_the_new_ones_keep_the_promises_of_an_optimizer_with_other_options_too(name):
    options = {"nsga3": {"population": 7}, "moead": {"decomposition": "pbi"}, "mo-cmaes": {"recombination": 0.0}}
    check_optimizer(name, **options[name], expected={"better_than_nothing": "not tuned for one objective"})


# Objectives


@pytest.mark.parametrize("name", ALL)
def test_units_of_objectives_change_nothing(name):
    """Powers of two are exact in floating point, so that not even the last bit may differ."""
    problem = FRONTS["TNK"]

    def in_other_units(params):
        return {**problem(params), "f1": 1024 * problem(params)["f1"]}

    streams = [
        [
            trial.params
            for trial in eh.tune(
                objective, problem.space, minimize=problem.metrics, constraints=problem.limits, optimizer=name,
                trials=300, seed=1, progress=False,
            ).trials
        ]
        for objective in (problem, in_other_units)
    ]  # fmt: skip
    assert streams[0] == streams[1]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("m", [1, 3, 6])
def test_any_number_of_objectives_is_searched(name, m):
    """The distance to one corner of the cube an objective."""
    space = eh.Space({f"x{i}": eh.Continuous(0, 1) for i in range(6)})
    corners = np.eye(6)[:m]

    def measure(params):
        x = np.array([params[f"x{i}"] for i in range(6)])
        return {f"f{j}": float(((x - corner) ** 2).sum()) for j, corner in enumerate(corners)}

    def volume(optimizer):
        study = eh.tune(
            measure,
            space,
            minimize=[f"f{j}" for j in range(m)],
            optimizer=optimizer,
            trials=400,
            seed=1,
            progress=False,
        )
        F = np.array([trial.fitness for trial in study.front()])
        return hypervolume(F, [2.0] * m)

    assert volume(name) > 1.1 * volume("random")


def test_where_nothing_is_feasible_the_search_goes_to_less_violation():
    space = eh.Space({"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)})

    def never(params):
        return {"a": params["x"], "b": params["y"], "c": 1 + params["x"]}

    for name in ALL:
        study = eh.tune(
            never,
            space,
            minimize=["a", "b"],
            constraints=["c <= 0"],
            optimizer=name,
            trials=200,
            seed=1,
            progress=False,
        )
        assert study.front() == []
        x = [trial.params["x"] for trial in study.trials]
        assert np.median(x[-40:]) < 0.5 * np.median(x[:40]), "less violation is better even if it is never none"


@pytest.mark.parametrize("option", [{"decomposition": "sum"}, {"neighbors": 0}, {"replaced": 0}])
def test_an_impossible_option_of_moead_is_refused_by_name(option):
    with pytest.raises(UsageError, match=f"{next(iter(option))} = "):
        search("moead", FRONTS["TNK"], 10, **option)


def test_a_step_of_no_length_is_refused():
    with pytest.raises(UsageError, match=r"sigma = 0.0"):
        search("mo-cmaes", FRONTS["TNK"], 10, sigma=0.0)


# Directions


@given(st.integers(2, 6), st.integers(1, 6))
def test_a_lattice_has_each_of_its_points_once(m, divisions):
    points = directions.das_dennis(m, divisions)
    assert len(points) == math.comb(divisions + m - 1, m - 1)
    assert len(np.unique(points, axis=0)) == len(points)
    assert np.allclose(points.sum(1), 1)
    assert points.min() >= 0
    assert np.allclose(points * divisions, np.round(points * divisions))


@given(st.integers(1, 120), st.integers(1, 10))
def test_no_more_directions_than_wanted_and_exactly_as_many_subproblems(n, m):
    few, exact = directions.directions(n, m), directions.subproblems(n, m)
    assert 1 <= len(few) <= n
    assert exact.shape == (n, m)
    for points in (few, exact):
        assert np.allclose(points.sum(1), 1)
    if m > 1:
        assert len(np.unique(np.round(exact, 9), axis=0)) == n
        assert n < m or (np.sort(few, axis=1)[:, -1] > 1 - 1e-12).sum() == m, "all corners are among them"


# Selection


@given(arrays(float, st.tuples(st.integers(2, 14), st.just(2)), elements=st.integers(0, 6).map(float)), st.data())
@settings(deadline=None)
def test_survivors_lose_the_least_hypervolume_one_by_one(F, data):
    """Ranks come first; of the torn front whoever goes contributes no more than anybody who could have gone."""
    n = data.draw(st.integers(1, len(F)))
    ranks, alive = survivors(F, np.zeros(len(F)), n)
    assert ranks.tolist() == domination_ranks(F).tolist()
    assert len(set(alive.tolist())) == n
    gone = np.setdiff1d(np.arange(len(F)), alive)
    assert ranks[alive].max() <= ranks[gone].min(initial=len(F))
    torn = np.flatnonzero(ranks == ranks[alive].max())
    if len(np.intersect1d(gone, torn)) != 1:
        return
    span = F[torn].max(0) - F[torn].min(0)
    scaled = (F[torn] - F[torn].min(0)) / np.where(span > 0, span, 1)
    loss = [
        hypervolume(scaled, [1.2, 1.2]) - hypervolume(np.delete(scaled, i, 0), [1.2, 1.2]) for i in range(len(torn))
    ]
    ends = np.isin(np.arange(len(torn)), scaled.argmin(0))
    loss = np.where(ends, np.inf, loss)
    assert loss[torn.tolist().index(np.intersect1d(gone, torn)[0])] <= loss.min() + 1e-9


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 40))
def test_in_turn_everybody_comes_equally_often(seed, n, k):
    rows = operators.in_turn(n, k, np.random.default_rng(seed))
    counts = np.bincount(rows, minlength=n)
    assert len(rows) == k
    assert counts.max() - counts.min() <= 1


@given(
    arrays(float, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(0, 3).map(float)),
    st.integers(0, 2**32),
)
def test_no_row_wins_a_duel_that_every_possible_opponent_dominates(F, seed):
    rng = np.random.default_rng(seed)
    violation = rng.choice([0.0, 0.0, 1.0, 2.0], len(F))
    wins = operators.duels(random_results(F, violation), np.zeros(len(F)), 4 * len(F), rng)
    for row in np.unique(wins):
        fitter = (violation == 0) & (violation[row] == 0) & (F[row] >= F).all(1) & (F[row] != F).any(1)
        beaten = (violation < violation[row]) | fitter
        assert not np.delete(beaten, row).all() or len(F) == 1


def one_by_one(niche, distance, served, k, rng):
    """Fill niches as the paper's algorithm 4 does; return how many each has then, sorted."""
    served, left = served.copy(), list(range(len(niche)))
    for _ in range(k):
        open_ = sorted({niche[i] for i in left})
        least = min(served[j] for j in open_)
        j = rng.choice([j for j in open_ if served[j] == least])
        members = [i for i in left if niche[i] == j]
        row = min(members, key=lambda i: distance[i]) if served[j] == 0 else rng.choice(members)
        served[j] += 1
        left.remove(row)
    return sorted(served)


@given(st.integers(0, 2**32), st.integers(1, 20), st.data())
@settings(deadline=None)
def test_niches_are_served_as_one_by_one_although_all_at_once(seed, n, data):
    from evohpo.optimizers.nsga3 import _serve

    k, rng = data.draw(st.integers(1, n)), np.random.default_rng(seed)
    niche, served = rng.integers(0, 5, n), rng.integers(0, 3, 5)
    distance = rng.permutation(n) / n
    chosen = _serve(niche, distance, served, k, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == k
    expected = one_by_one(niche, distance, served, k, rng)
    assert sorted(served + np.bincount(niche[chosen], minlength=5)) == expected
    for j in np.unique(niche[chosen]):
        if served[j] == 0:
            assert distance[niche == j].min() in distance[chosen]


# What a study calls its front


METRICS = st.tuples(
    st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]),  # many ties and duplicates, some trials that fail
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.sampled_from([-1.0, 0.0, 0.0, 2.0]),
)


@given(st.lists(METRICS, min_size=2, max_size=25))
@settings(deadline=None, max_examples=60)
def test_the_front_and_hypervolume_of_a_study_are_those_of_the_definitions(rows):
    """Ties, duplicates, not-a-numbers and infeasible trials, one objective of two maximised."""
    study = eh.tune(
        lambda p: dict(zip("abc", rows[p["i"]], strict=True)), {"i": eh.Integer(0, len(rows) - 1)},
        minimize="a", maximize="b", constraints=["c <= 0"], optimizer="random", trials=len(rows), seed=1, progress=False,
        initial=[{"i": i} for i in range(len(rows))],
    )  # fmt: skip
    feasible = [r for r in rows if not math.isnan(r[0]) and r[2] <= 0]
    expected = [r for r in feasible if not any(s[0] <= r[0] and s[1] >= r[1] and s[:2] != r[:2] for s in feasible)]
    assert sorted(tuple(t.metrics[name] for name in "abc") for t in study.front()) == sorted(expected)
    cells = {(a, b) for worst, best, _ in feasible for a in range(int(worst), 4) for b in range(-1, int(best))}
    reference = {"a": 4, "b": -1}
    corner = [reference[objective.metric] for objective in study.goals.objectives]
    assert study.hypervolume(corner) == len(cells), "unit cells between 0 and 4 of a, and -1 and 3 of b"


@given(
    arrays(float, st.tuples(st.integers(0, 12), st.integers(2, 4)), elements=st.integers(0, 4).map(float)),
)
def test_the_hypervolume_of_whole_numbers_counts_the_cells_they_dominate(F):
    cells = np.stack(np.meshgrid(*[np.arange(4)] * F.shape[1], indexing="ij"), -1).reshape(-1, F.shape[1])
    dominated = (F[:, None, :] <= cells).all(2).any(0).sum() if len(F) else 0
    assert hypervolume(F, [4] * F.shape[1]) == pytest.approx(dominated)
