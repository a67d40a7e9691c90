"""The algorithms of inspyred by name, and its live objects."""

# ruff: noqa: NPY002 - that the legacy global generator stays untouched is what is tested
from __future__ import annotations

import gc
import random
import threading

import inspyred
import numpy as np
import pytest

from evohpo.errors import OptimizerError, UsageError
from evohpo.optimizers import inspyred_operators as operators
from evohpo.optimizers import resolve, use
from tests.optimizers.hosting import Host, sphere, two_spheres

SINGLE = ["inspyred.ga", "inspyred.es", "inspyred.sa", "inspyred.dea", "inspyred.eda", "inspyred.pso", "inspyred.aco"]
MULTI = ["inspyred.nsga2", "inspyred.paes"]
NAMES = SINGLE + MULTI
GENERATIONAL = [name for name in NAMES if name != "inspyred.sa"]  # annealing takes one step at a time
LIVE = {
    "GA": lambda: inspyred.ec.GA(random.Random(1)),
    "ES": lambda: inspyred.ec.ES(random.Random(1)),
    "SA": lambda: inspyred.ec.SA(random.Random(1)),
    "DEA": lambda: inspyred.ec.DEA(random.Random(1)),
    "EDA": lambda: inspyred.ec.EDA(random.Random(1)),
    "PSO": lambda: inspyred.swarm.PSO(random.Random(1)),
    "ACS": lambda: inspyred.swarm.ACS(random.Random(1), components=[]),
    "NSGA2": lambda: inspyred.ec.emo.NSGA2(random.Random(1)),
    "PAES": lambda: inspyred.ec.emo.PAES(random.Random(1)),
    "class": lambda: inspyred.swarm.PSO,
    "custom": lambda: inspyred.ec.EvolutionaryComputation(random.Random(1)),
}
ANY = [*NAMES, *LIVE]


@pytest.fixture(autouse=True)
def _no_guest_stays():
    yield
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "evohpo guest"]


def host(what, objective=None, **kwargs):
    spec = LIVE[what]() if what in LIVE else what
    multi = resolve(spec).traits.objectives == "multi"
    return Host(spec, objective or (two_spheres if multi else sphere), n_objectives=2 if multi else 1, **kwargs)


def failing(X):
    """Three of ten points fail: they are told as bad as anything can be."""
    F = two_spheres(X)
    F[np.sin(1e4 * X.sum(1)) > 0.588] = 1e30
    return F


def volume(F):
    from evohpo.trials.pareto import hypervolume

    return hypervolume(F, [2, 2])


def evaluated(what, objective, evaluations=200, **kwargs):
    """Return all fitness of a run, `(evaluations, m)`."""
    talk = host(what, objective, **kwargs)
    while sum(talk.sizes) < evaluations:
        assert talk.step()
    return np.concatenate(talk.F)[:evaluations].reshape(evaluations, -1)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "inspyred.aco"])
def test_single_objective_names_beat_random_search_on_a_shifted_sphere(name):
    found = np.median([evaluated(name, sphere, dim=8, seed=s).min() for s in range(5)])
    by_chance = np.median([sphere(np.random.default_rng(s).random((200, 8))).min() for s in range(5)])
    assert found < 0.8 * by_chance


@pytest.mark.parametrize("name", MULTI)
def test_multi_objective_names_dominate_more_than_random_search(name):
    found = np.median([volume(evaluated(name, two_spheres, dim=8, seed=s)) for s in range(5)])
    by_chance = np.median([volume(two_spheres(np.random.default_rng(s).random((200, 8)))) for s in range(5)])
    assert found > by_chance


@pytest.mark.parametrize("what", ANY)
def test_the_same_seed_gives_the_same_points_and_another_seed_others(what):
    first, again, other = host(what, seed=1).run(6), host(what, seed=1).run(6), host(what, seed=2).run(6)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("what", ANY)
def test_told_fitness_replayed_gives_the_same_points(what):
    original = host(what, dim=4)
    original.run(8)
    recorded = iter(original.F)
    replay = host(what, lambda X: next(recorded), dim=4)
    assert np.array_equal(replay.run(8), np.concatenate(original.X))


@pytest.mark.parametrize("what", ANY)
@pytest.mark.parametrize("population", [1, 2, 7])
@pytest.mark.parametrize("dim", [1, 3])
def test_any_population_keeps_its_size_in_any_dimension(what, population, dim):
    talk = host(what, dim=dim, population=population)
    talk.run(8)
    expected = 1 if what in ("inspyred.sa", "SA") else population
    # the live DEA makes two children a generation, as it does in inspyred
    children = 2 if what == "DEA" else expected
    assert talk.sizes == [expected] + [children] * 7


@pytest.mark.parametrize("what", ANY)
def test_failures_are_survived(what):
    single = what in SINGLE or (what in LIVE and resolve(LIVE[what]()).traits.objectives == "single")
    talk = host(what, (lambda X: failing(X)[:, 0]) if single else failing)
    talk.run(15)
    assert len(talk.sizes) == 15
    whole = host(what, (lambda X: np.full(len(X), 1e30)) if single else (lambda X: np.full((len(X), 2), 1e30)))
    whole.run(15)
    assert len(whole.sizes) == 15


@pytest.mark.parametrize("what", ANY)
def test_global_streams_are_neither_used_nor_moved(what):
    reference = host(what).run(4)
    random.seed(7)
    np.random.seed(7)
    before, numpys = random.getstate(), np.random.get_state()[1].copy()
    assert np.array_equal(host(what).run(4), reference)
    assert random.getstate() == before
    assert np.array_equal(np.random.get_state()[1], numpys)


@pytest.mark.parametrize("what", ANY)
def test_two_in_turns_are_as_if_alone(what):
    alone = host(what, seed=1).run(12)
    a, b = host(what, seed=1), host(what, lambda X: -two_spheres(X) if b_multi else -sphere(X), seed=2)
    b_multi = b.resolved.traits.objectives == "multi"
    for _ in range(12):
        a.step()
        b.step()
    assert np.array_equal(np.concatenate(a.X), alone)


def test_a_paes_that_was_given_up_does_not_disturb_one_with_more_objectives():
    first = host("PAES")
    first.run(5)
    del first
    three = Host(LIVE["PAES"](), lambda X: np.column_stack([two_spheres(X), X[:, 0]]), n_objectives=3)
    three.run(10)
    assert len(three.sizes) == 10


def test_a_live_object_stays_as_it_was():
    prng = random.Random(1)
    before = prng.getstate()
    algorithm = inspyred.ec.GA(prng)
    variator = algorithm.variator
    assert np.array_equal(Host(algorithm).run(4), Host(algorithm).run(4))
    assert prng.getstate() == before
    assert (algorithm.variator, algorithm.population, algorithm._random) == (variator, None, prng)


def test_the_users_own_operators_are_used():
    calls = []

    @inspyred.ec.variators.mutator
    def nudge(random, candidate, args):
        calls.append(args["strength"])
        return [x + args["strength"] for x in candidate]

    algorithm = inspyred.ec.EvolutionaryComputation(random.Random(1))
    algorithm.variator, algorithm.replacer = nudge, inspyred.ec.replacers.generational_replacement
    assert resolve(algorithm).notes == ()
    talk = Host(use(algorithm, strength=0.25, population=4))
    talk.run(3)
    assert calls == [0.25] * 8
    assert np.array_equal(np.sort(talk.X[1], axis=0), np.sort(np.minimum(talk.X[0] + 0.25, 1), axis=0))


@pytest.mark.parametrize("what", ["GA", "NSGA2", "custom"])
def test_defaults_that_make_no_new_values_are_replaced_and_said_so(what):
    talk = host(what, population=10)
    talk.run(4)
    assert not np.isin(talk.X[-1], talk.X[0]).all()
    assert any("no new values of real genes" in note for note in talk.resolved.notes)


def test_options_of_a_live_object_are_those_of_its_evolve():
    sizes = Host(use(LIVE["PSO"](), population=5, inertia=0.1)).run(2).shape
    assert sizes == (10, 3)
    with pytest.raises(UsageError, match=r"'pop_size' is set by the study"):
        Host(use(LIVE["PSO"](), pop_size=5)).step()


def test_a_ring_of_neighbours_is_another_swarm_than_a_star():
    star, ring = Host("inspyred.pso").run(4), Host(use("inspyred.pso", neighborhood_size=3)).run(4)
    assert np.array_equal(star[:20], ring[:20])
    assert not np.array_equal(star, ring)
    with pytest.raises(UsageError, match="choose 'star', or 'ring' with a size"):
        Host(use("inspyred.pso", topology="star", neighborhood_size=3)).step()


def test_names_refuse_unknown_options():
    with pytest.raises(UsageError, match="did you mean 'max_archive_size'"):
        resolve(use("inspyred.paes", max_archive=100))


def test_an_ant_colony_with_components_of_its_own_is_refused():
    components = [inspyred.swarm.TrailComponent((0, 1), 1.0)]
    with pytest.raises(UsageError, match=r"ACS\(prng, components=\[\]\)"):
        resolve(inspyred.swarm.ACS(random.Random(1), components))


def test_ants_find_the_bins_that_are_good():
    talk = Host("inspyred.aco", lambda X: (np.floor(X * 10) != 3).sum(1).astype(float), dim=4)
    talk.run(60)
    assert np.mean([F.mean() for F in talk.F[-5:]]) < 0.5 * talk.F[0].mean()
    assert min(F.min() for F in talk.F) == 0


def test_an_error_of_a_users_operator_says_where():
    algorithm = inspyred.ec.GA(random.Random(1))
    algorithm.variator = [wrong_variator]
    with pytest.raises(OptimizerError, match=r"'inspyred.GA' raised ZeroDivisionError in generation 1"):
        Host(algorithm).run(3)


def wrong_variator(random, candidates, args):
    return 1 / 0


# ---- the operators that replace inspyred's


class One:
    """An individual that minimises two objectives, as inspyred compares them."""

    def __init__(self, *fitness, candidate=()):
        self.fitness, self.candidate = list(fitness), list(candidate)

    def __gt__(self, other):
        pairs = list(zip(self.fitness, other.fitness, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    def __lt__(self, other):
        return other > self


def test_the_archive_of_paes_has_distinct_members_none_dominated_and_is_bounded():
    rng, grid, archive = np.random.default_rng(1), operators.Grid(), []
    args = {"max_archive_size": 30, "num_grid_divisions": 4}
    for _ in range(1000):
        x, worse = rng.random(), rng.random() * 0.2
        archive = grid.archive(random.Random(1), [One(x, 1 - x + worse)], archive, args)
    fitness = [tuple(one.fitness) for one in archive]
    assert len(set(fitness)) == len(fitness) == 30
    assert not any(a > b for a in archive for b in archive)
    assert max(grid.crowd(archive, 4)) <= 4  # thirty along a line through sixteen cells a side


def test_a_newcomer_pushes_out_of_the_fullest_cell_or_is_turned_away_from_it():
    grid, args = operators.Grid(), {"max_archive_size": 4, "num_grid_divisions": 2}
    crowded = [One(0.0, 1.0), One(0.01, 0.99), One(0.02, 0.98), One(1.0, 0.0)]
    lonely = One(0.5, 0.5)
    after = grid.archive(random.Random(1), [lonely], list(crowded), args)
    assert lonely in after
    assert crowded[3] in after
    assert len(after) == 4
    fourth = One(0.03, 0.97)
    assert fourth not in grid.archive(random.Random(1), [fourth], list(crowded), args)


def test_nsga_survival_keeps_the_size_although_there_are_doubles():
    same = [One(1.0, 1.0, candidate=[0.5]) for _ in range(5)]
    better = One(0.5, 0.5, candidate=[0.1])
    apart = One(2.0, 2.0, candidate=[0.9])
    survivors = operators.survive(None, same, same, [apart, better], {})
    assert len(survivors) == 5
    assert survivors[:3] == [better, same[0], apart]


def test_a_model_has_the_standard_deviation_of_the_selected():
    rng = np.random.default_rng(1)
    X = rng.normal([10.0, -3.0], [2.0, 0.5], (2000, 2))
    drawn = np.array(operators.sample_model(random.Random(1), X.tolist(), {"num_offspring": 4000}))
    assert drawn.std(0) == pytest.approx([2.0, 0.5], rel=0.05)
    assert drawn.mean(0) == pytest.approx([10.0, -3.0], abs=0.2)


def test_mutation_always_changes_a_gene():
    mutants = operators.mutate(random.Random(1), [[0.5] * 8] * 200, {"mutation_rate": 0.01})
    changed = (np.array(mutants) != 0.5).sum(1)
    assert changed.min() == 1
    assert changed.mean() < 1.3


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_annealing_cools_whatever_the_unit_of_the_fitness(unit):
    class Scalar:
        def __init__(self, fitness):
            self.fitness = fitness

    prng = random.Random(1)
    args = {"cooling_rate": 0.98}
    accepted = []
    for _ in range(400):
        parent, child = Scalar(0.0), Scalar(unit * (0.5 + prng.random()))
        accepted.append(operators.anneal(prng, [], [parent], [child], args) == [child])
    assert 0.2 < np.mean(accepted[:50]) < 0.6
    assert not any(accepted[-150:])
