"""The algorithms that come with evohpo: known results, hostile tasks, and the rules that replay depends on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evohpo.errors import UsageError
from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Population, Problem, Results
from evohpo.optimizers.registry import get
from evohpo.optimizers.start import latin_hypercube
from evohpo.trials.pareto import hypervolume

GENERATORS = ("ga", "de", "pso", "cmaes", "paes", "nsga2", "sa", "eda")
LEARNERS = (*GENERATORS, "ga-steady", "de-steady")
ENDLESS = (*LEARNERS, "random", "sobol")
MULTI = ("nsga2", "paes")


def genes(cardinality, ordered=True):
    k = np.asarray(cardinality, np.int64)
    return SimpleNamespace(cardinality=k, ordered=np.broadcast_to(np.asarray(ordered, bool), k.shape))


def task(dim, m=1, kind=None, **more):
    return Problem(dim, kind or genes([0] * dim), n_objectives=m, **more)


class Evaluations:
    """Evaluates what is proposed, the way a study does: numbered, read-only, in the order of the rows."""

    def __init__(self, f, violation=None):
        self.f, self.violation, self.told = f, violation, []

    def __call__(self, proposal):
        population = proposal if isinstance(proposal, Population) else Population(proposal)
        X, n = np.array(population.X), sum(map(len, self.told))
        k = len(X)
        assert np.isfinite(X).all()
        assert (X >= 0).all()
        assert (X <= 1).all()
        F = np.asarray(self.f(X), float).reshape(k, -1)
        V = np.zeros(k) if self.violation is None else self.violation(X)
        results = Results(X, F, V, np.zeros(k, int), np.zeros(k, bool), np.arange(n, n + k), population.keys or ())
        for array in (results.X, results.F, results.violation, results.steps, results.failed, results.numbers):
            array.setflags(write=False)
        self.told.append(results)
        return results


def evolve(name, f, problem, budget, seed=0, violation=None, batch=7, **options):
    """Run an optimizer for `budget` evaluations at least and return all its results."""
    evaluate = Evaluations(f, violation)
    optimizer = get(name).target(problem, np.random.default_rng(seed), **options)
    if hasattr(optimizer, "send"):
        proposal = next(optimizer)
        while sum(map(len, evaluate.told)) < budget:
            assert np.asarray(proposal.X).shape[1:] == (problem.dim,)
            proposal = optimizer.send(evaluate(proposal))
    else:
        while sum(map(len, evaluate.told)) < budget:
            optimizer.tell(evaluate(optimizer.ask(batch)))
    everything = Results.concatenate(evaluate.told)
    return everything.take(slice(budget))


def median(name, f, problem, budget, seeds=5, **options):
    """Return the median of the best fitness over several seeds."""
    return np.median([evolve(name, f, problem, budget, seed, **options).F.min() for seed in range(seeds)])


def shifted(seed, dim):
    """Return optima away from the centre, which would flatter whoever starts there."""
    return np.random.default_rng(1000 + seed).uniform(0.2, 0.8, dim)


def sphere(optimum):
    return lambda X: ((X - optimum) ** 2).sum(1)


def zdt1(X):
    g = 1 + 9 * X[:, 1:].mean(1)
    return np.column_stack([X[:, 0], g * (1 - np.sqrt(X[:, 0] / g))])


# Known results


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_beats_random_search_after_200_evaluations(name):
    best = {who: [] for who in (name, "random")}
    for seed in range(10):
        for who in best:
            F = evolve(who, sphere(shifted(seed, 8)), task(8, budget=200), 200, seed).F
            best[who].append(F.min())
    assert np.median(best[name]) < 0.6 * np.median(best["random"])


@pytest.mark.parametrize("name", ["ga", "ga-steady", "de", "de-steady", "pso", "cmaes"])
def test_an_optimum_in_a_corner_is_found_and_not_only_approached(name):
    """Hyperparameters are often best at a bound, and slopes differ from gene to gene."""
    slope, corner = np.array([1.0, -2.0, 4.0, -8.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert median(name, lambda X: (X - corner) @ slope, task(4, budget=400), 400) == 0.0


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("ga", 2e-3),
        ("de", 1e-3),
        ("pso", 1e-3),
        ("cmaes", 1e-6),
        ("sa", 1e-4),
        ("eda", 1e-4),
        ("de-steady", 3e-4),
        ("ga-steady", 2e-3),
    ],
)
def test_an_8d_sphere_is_solved_in_800_evaluations(name, limit):
    best = [evolve(name, sphere(shifted(s, 8)), task(8, budget=800), 800, s).F.min() for s in range(7)]
    assert np.median(best) <= limit


def test_cmaes_learns_the_axes_of_an_ellipsoid():
    w = 1e4 ** (np.arange(8) / 7)

    def ellipsoid(optimum):
        return lambda X: (w * (X - optimum) ** 2).sum(1)

    best = [evolve("cmaes", ellipsoid(shifted(s, 8)), task(8), 800, s).F.min() for s in range(7)]
    assert np.median(best) <= 0.05


@pytest.mark.parametrize(("name", "volume"), [("nsga2", 0.854), ("paes", 0.86)])
def test_the_front_of_zdt1_is_covered_in_2000_evaluations(name, volume):
    found = [hypervolume(evolve(name, zdt1, task(6, m=2), 2000, seed).F, [1.1, 1.1]) for seed in range(5)]
    assert np.median(found) >= volume


@pytest.mark.parametrize("crossover", ["uniform", "n-point"])
def test_a_binary_ga_solves_one_max(crossover):
    binary = task(30, kind=genes([2] * 30, ordered=False))
    results = evolve("ga", lambda X: (X < 0.5).sum(1), binary, 3000, crossover=crossover)
    assert results.F.min() == 0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_mixed_space_is_searched_in_all_its_kinds_of_genes(name):
    kind = genes([0, 0, 12, 12, 5, 2, 300], ordered=[True, True, True, True, False, False, True])

    def f(X):
        bins = operators.bins(X[:, 2:], kind.cardinality[2:])
        off = np.abs(bins[:, [0, 1, 4]] / [12, 12, 300] - [2 / 12, 9 / 12, 0.3]).sum(1)
        return ((X[:, :2] - 0.3) ** 2).sum(1) + off + (bins[:, 2] != 3) + (bins[:, 3] != 1)

    mixed = task(7, kind=kind, budget=400)
    assert median(name, f, mixed, 400) < 0.6 * median("random", f, mixed, 400)


@pytest.mark.parametrize("name", LEARNERS)
def test_constraints_are_met_before_fitness_counts(name):
    """The unconstrained optimum is forbidden, and so is most of the space."""
    results = evolve(
        name, lambda X: X.sum(1), task(4, budget=400), 400, violation=lambda X: np.maximum(0, 2.4 - X.sum(1))
    )
    feasible = results.violation == 0
    assert results.F[feasible].min() < 2.6


def test_a_margin_keeps_integers_of_cmaes_moving_after_the_step_size_has_shrunk():
    kind = genes([0, 0, 0, 0, 20, 20, 20, 2])

    def f(X):
        bins = operators.bins(X[:, 4:], kind.cardinality[4:])
        return ((X[:, :4] - 0.7) ** 2).sum(1) * 100 + np.abs(bins[:, :3] - [3, 11, 17]).sum(1) + bins[:, 3]

    assert median("cmaes", f, task(8, kind=kind), 1500, seeds=7) < 1e-3


def test_a_margin_keeps_the_choices_of_a_one_hot_category_within_reach():
    """The best choice is worse than the others until the numbers are right, by when the model has converged on them."""
    kind = SimpleNamespace(**vars(genes([0] * 6)), parameter=("x", "y", "c", "c", "c", "c"))

    def f(X):
        near = ((X[:, :2] - 0.7) ** 2).sum(1)
        return near + np.where(
            X[:, 2:].argmax(1) == 3, np.where(near < 1e-3, -1.0, 0.3), 0.1 * (X[:, 2:].argmax(1) > 0)
        )

    assert median("cmaes", f, task(6, kind=kind), 600, seeds=9) < -0.9


# Hostile tasks


@pytest.mark.parametrize("population", [1, 2, 3, 7])
@pytest.mark.parametrize("dim", [0, 1, 60])
@pytest.mark.parametrize("name", LEARNERS)
def test_any_population_works_in_any_dimension(name, dim, population):
    m = 2 if name in MULTI else 1
    results = evolve(
        name, lambda X: X.sum(1)[:, None] * np.ones(m), task(dim, m=m), 12 * population, population=population
    )
    assert results.X.shape == (12 * population, dim)


@pytest.mark.parametrize("name", LEARNERS)
def test_failures_told_as_enormous_fitness_do_not_stop_the_search(name):
    def f(X):
        broken = (np.floor(X[:, 0] * 1e6) % 10) < 3  # 30 %, scattered
        return np.where(broken, 1e30, ((X - 0.3) ** 2).sum(1))

    problem = task(6, budget=600)
    assert median(name, f, problem, 600) < 0.6 * median("random", f, problem, 600)


@pytest.mark.parametrize("told", [0.0, 1e30, -1e30])
@pytest.mark.parametrize("name", LEARNERS)
def test_constant_fitness_is_survived(name, told):
    results = evolve(name, lambda X: np.full(len(X), told), task(3), 800)
    assert len(np.unique(results.X, axis=0)) > 100


@pytest.mark.parametrize("name", LEARNERS)
def test_genes_of_every_cardinality_stay_legal(name):
    kind = genes([1, 2, 3, 4, 100_000, 0, 1, 2, 3, 4], ordered=[True] * 6 + [False] * 4)
    results = evolve(name, lambda X: X.sum(1), task(10, kind=kind), 400)
    assert len(results) == 400


@pytest.mark.parametrize("name", LEARNERS)
def test_a_population_below_one_is_refused_by_name(name):
    with pytest.raises(UsageError, match="population = 0"):
        evolve(name, sphere(0.3), task(2), 10, population=0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ga", {"crossover": "blend"}, "crossover = 'blend'"),
        ("ga", {"elites": -1}, "elites = -1"),
        ("de", {"strategy": "best/2/bin"}, "strategy = 'best/2/bin'"),
        ("pso", {"topology": "star"}, "topology = 'star'"),
        ("pso", {"neighborhood_size": 0}, "neighborhood_size = 0"),
        ("paes", {"max_archive_size": 0}, "max_archive_size = 0"),
    ],
)
def test_an_impossible_option_is_refused_by_name(name, options, message):
    with pytest.raises(UsageError, match=message):
        evolve(name, sphere(0.3), task(2), 10, **options)


# Replay


@pytest.mark.parametrize("name", ENDLESS)
def test_the_same_seed_gives_the_same_stream_bit_for_bit(name):
    runs = [evolve(name, sphere(0.3), task(5, budget=300), 300, seed).X for seed in (3, 3, 4)]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("name", LEARNERS)
def test_only_the_order_of_fitness_counts(name):
    """Ranks are all a single-objective algorithm may use: units, offsets and outliers change nothing."""
    plain = evolve(name, lambda X: ((X - 0.3) ** 2).sum(1), task(4, budget=300), 300).X
    warped = evolve(name, lambda X: 1e6 * np.sqrt(((X - 0.3) ** 2).sum(1)) - 5e5, task(4, budget=300), 300).X
    assert np.array_equal(plain, warped)


@pytest.mark.parametrize("name", ["random", "sobol", "ga-steady", "de-steady"])
@given(cuts=st.lists(st.integers(1, 70), min_size=1, max_size=6))
@settings(max_examples=10, deadline=None)
def test_the_stream_does_not_depend_on_how_many_are_asked_for_at_once(name, cuts):
    def stream(sizes):
        optimizer = get(name).target(task(3), np.random.default_rng(5))
        optimizer.tell(Evaluations(sphere(0.3))(np.random.default_rng(0).random((30, 3))))
        proposals = (optimizer.ask(n) for n in sizes)
        return np.concatenate([p.X if isinstance(p, Population) else p for p in proposals])

    pieces, whole = stream(cuts), stream([sum(cuts)])
    n = min(len(pieces), len(whole))
    assert np.array_equal(pieces[:n], whole[:n])


@pytest.mark.parametrize("name", ["ga-steady", "de-steady"])
def test_a_steady_optimizer_never_waits_whatever_is_outstanding(name):
    optimizer, evaluate = get(name).target(task(3), np.random.default_rng(0), population=5), Evaluations(sphere(0.3))
    outstanding = [optimizer.ask(1) for _ in range(40)]
    for late in reversed(outstanding):
        optimizer.tell(evaluate(late))
        assert optimizer.ask(2).X.shape == (2, 3)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_known_before_is_built_upon(name):
    """A baseline near the optimum, told from outside once the run is on, draws the search towards it."""

    def late(known):
        problem, evaluate = task(20, budget=100), Evaluations(sphere(0.2))
        optimizer = get(name).target(problem, np.random.default_rng(0), population=10)
        if hasattr(optimizer, "send"):
            proposal = next(optimizer)
            problem.known = known
            for _ in range(9):
                proposal = optimizer.send(evaluate(proposal))
        else:
            optimizer.tell(known)
            for _ in range(90):
                optimizer.tell(evaluate(optimizer.ask(1)))
        return np.median(np.concatenate([r.F[:, 0] for r in evaluate.told])[-30:])

    baseline = Evaluations(sphere(0.2))(np.full((1, 20), 0.21))
    assert late(baseline) < 0.8 * late(Results.none(20, 1))


@pytest.mark.parametrize("name", ["ga", "de", "pso", "paes", "nsga2", "sa", "ga-steady", "de-steady"])
def test_children_name_parents_that_were_told_before(name):
    optimizer, evaluate = get(name).target(task(4), np.random.default_rng(0), population=6), Evaluations(sphere(0.3))
    proposals = []
    proposal = next(optimizer) if hasattr(optimizer, "send") else optimizer.ask(6)
    for _ in range(5):
        results = evaluate(proposal)
        if hasattr(optimizer, "send"):
            proposal = optimizer.send(results)
        else:
            optimizer.tell(results)
            proposal = optimizer.ask(6)
        proposals.append((proposal.parents, int(results.numbers[-1])))
    assert all(
        parents.shape[0] == 6 and (parents >= 0).all() and (parents <= last).all() for parents, last in proposals
    )


# Operators


def test_n_point_crossover_exchanges_whole_segments():
    A, B = np.zeros((200, 9)), np.ones((200, 9))
    for points in (1, 2, 3):
        C, D = operators.n_point(A, B, points, np.random.default_rng(0))
        cuts = (np.diff(C) != 0).sum(1)
        assert cuts.max() == points
        assert (C[:, 0] == 0).all()
        assert np.array_equal(C + D, np.ones((200, 9)))
    segment = operators.n_point(A, B, 2, np.random.default_rng(0))[0].sum(1)
    assert segment.max() > 3  # and not one gene a cut


@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
@settings(deadline=None)
def test_mutation_moves_a_discrete_gene_by_a_bin_at_least(seed, k, ordered):
    rng, kind = np.random.default_rng(seed), genes([k] * 5, ordered)
    X = rng.random((20, 5))
    before = operators.bins(X, kind.cardinality)
    operators.mutate(X, kind, 1.0, 1000.0, rng)
    after = operators.bins(X, kind.cardinality)
    assert ((after != before) == (k > 1)).all()
    assert (after >= 0).all()
    assert (after < k).all()


def test_mutation_changes_at_least_one_gene_of_every_row():
    rng = np.random.default_rng(0)
    X = rng.random((500, 40))
    before = X.copy()
    operators.mutate(X, genes([0] * 40), 0.001, 20.0, rng)
    assert (before != X).any(1).all()


def test_categories_are_never_averaged():
    rng, kind = np.random.default_rng(0), genes([7], ordered=False)
    A, B = np.full((500, 1), 0.5 / 7), np.full((500, 1), 6.5 / 7)
    C, D = operators.sbx(A, B, 2.0, operators.unordered(kind), rng)
    assert np.isin(np.round(C * 7 - 0.5, 6), [0, 6]).all()
    assert np.allclose(C + D, A + B)


@given(st.floats(-1e6, 1e6))
def test_reflection_folds_any_number_into_the_unit_interval(x):
    folded = float(operators.reflect(np.array(x)))
    assert 0 <= folded <= 1
    assert min(abs((folded - x) % 2), abs((folded + x) % 2), 2 - (folded - x) % 2, 2 - (folded + x) % 2) < 1e-6


@given(st.integers(1, 40), st.integers(0, 6), st.integers(0, 2**32))
def test_a_latin_hypercube_visits_every_stratum_of_every_gene_once(n, dim, seed):
    X = latin_hypercube(n, dim, np.random.default_rng(seed))
    assert np.array_equal(np.sort(np.floor(X * n), axis=0), np.tile(np.arange(n)[:, None], (1, dim)))


@given(st.integers(4, 30), st.integers(0, 2**32))
def test_donors_of_differential_evolution_are_distinct(n, seed):
    from evohpo.optimizers.de import others

    donors = np.vstack([np.arange(n), others(n, 3, np.random.default_rng(seed))])
    assert all(len(np.unique(column)) == 4 for column in donors.T)
    assert donors.min() == 0
    assert donors.max() == n - 1


def test_a_ring_of_particles_follows_its_neighbours_only():
    from evohpo.optimizers.pso import _leaders

    best_first = np.array([4, 0, 1, 2, 3, 5, 6, 7])  # particle 4 is the best, then 0
    assert _leaders(best_first, 3).tolist() == [0, 0, 1, 4, 4, 4, 5, 0]
    assert _leaders(best_first, 8).tolist() == [4] * 8


def test_the_archive_of_paes_keeps_the_ends_of_the_front_and_its_size():
    results = evolve("paes", lambda X: np.column_stack([X[:, 0], 1 - X[:, 0]]), task(1, m=2), 400, max_archive_size=12)
    from evohpo.optimizers.paes import _admit, _occupancy

    archive = results.take(slice(0))
    for i in range(len(results)):
        archive = _admit(archive, results.take([i]), 12, 2, 0.5)
    assert len(archive) == 12
    assert archive.F[:, 0].min() == results.F[:, 0].min()
    assert archive.F[:, 1].min() == results.F[:, 1].min()
    assert _occupancy(archive.F, 2).max() <= 4


def test_sobol_points_fill_the_square_more_evenly_than_random_ones():
    from scipy.stats import qmc

    points = {name: get(name).target(task(2), np.random.default_rng(0)).ask(256)[:256] for name in ("sobol", "random")}
    assert qmc.discrepancy(points["sobol"]) < 0.1 * qmc.discrepancy(points["random"])


def test_a_grid_is_told_in_full_and_ends():
    space = SimpleNamespace(grid=lambda resolution: [{"x": i} for i in range(resolution**2)])
    encoding = SimpleNamespace(encode=lambda configs: np.array([[c["x"] / 1000] for c in configs]))
    grid = get("grid").target(task(1, space=space, encoding=encoding), np.random.default_rng(0), resolution=12)
    rows = []
    while (more := grid.ask(10)) is not None:
        rows.append(more)
    assert np.array_equal(np.concatenate(rows)[:, 0] * 1000, np.arange(144))
    with pytest.raises(UsageError, match=r"problem\.space"):
        get("grid").target(task(1), np.random.default_rng(0))
