"""The forms an author may write an optimizer in: they are one and the same, checked the same, told the same."""

# ruff: noqa: NPY002 - that the legacy global generator stays untouched is what is tested
from __future__ import annotations

import itertools
import random
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evohpo.errors import OptimizerError, UsageError
from evohpo.optimizers import Population, Problem, optimizer, registry, resolve
from tests.optimizers.hosting import Host, results, sphere, two_spheres


@pytest.fixture(autouse=True)
def _names():
    yield
    for name in [name for name in registry._registered if name.startswith("test-")]:
        del registry._registered[name]


# ---- one algorithm in every form


def climb(problem, rng, population=6):
    """Steps around the best so far, as a generator."""
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        X = np.clip(X[F.argmin()] + rng.normal(0, 0.1, X.shape), 0, 1)
        F = yield X


def climb_calling(evaluate, problem, rng, population=6):
    X = rng.random((population, problem.dim))
    F = evaluate(X)
    while True:
        X = np.clip(X[F.argmin()] + rng.normal(0, 0.1, X.shape), 0, 1)
        F = evaluate(X)


class Climber:
    """Over arrays."""

    def __init__(self, problem, rng, population=6):
        self.rng, self.X, self.out = rng, rng.random((population, problem.dim)), False

    def ask(self, n):
        if self.out:
            return np.empty((0, self.X.shape[1]))
        self.out = True
        return self.X

    def tell(self, results):
        self.X = np.clip(results.X[results.F[:, 0].argmin()] + self.rng.normal(0, 0.1, self.X.shape), 0, 1)
        self.out = False


class PairClimber(Climber):
    def tell(self, X, F):
        super().tell(results(X, F))


class BareClimber:
    """Lists of points in, lists of values out; knows only a dimension and a generator."""

    def __init__(self, dim, rng):
        self.rng, self.X = rng, rng.random((6, dim))

    def ask(self):
        return [x.tolist() for x in self.X]

    def tell(self, xs, fs):
        assert isinstance(xs[0], list)
        assert isinstance(fs[0], float)
        self.X = np.clip(np.array(xs[int(np.argmin(fs))]) + self.rng.normal(0, 0.1, self.X.shape), 0, 1)


def climber_factory(problem, rng):
    return Climber(problem, rng)


def climb_factory(problem, rng):
    return climb(problem, rng)


class ListClimber(BareClimber):
    def tell(self, told):
        super().tell([x for x, _ in told], [f for _, f in told])


FORMS = [
    climb, climb_calling, Climber, PairClimber, BareClimber, ListClimber, climber_factory, climb_factory,
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_same_trajectory(form):
    assert np.array_equal(Host(form, seed=3).run(8), Host(climb, seed=3).run(8))


def test_a_live_object_gives_the_same_trajectory():
    host = Host(Climber(Problem(3, None), np.random.default_rng(3)))
    assert np.array_equal(host.run(8), Host(climb, seed=3).run(8))


def test_the_nine_line_differential_evolution_of_the_documentation_runs():
    @optimizer("test-my-de")
    def my_de(problem, rng, population=20, weight=0.8, crossover=0.9):
        X = rng.random((population, problem.dim))
        F = yield X
        while True:
            a, b, c = (X[rng.permutation(population)] for _ in range(3))
            children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
            G = yield children
            better = G < F
            X, F = np.where(better[:, None], children, X), np.where(better, G, F)

    host = Host("test-my-de", dim=8)
    host.run(60)
    assert host.sizes == [20] * 60
    best = [F.min() for F in host.F]
    assert min(best) < 0.05 * best[0]


# ---- the generator and its generations


@given(order=st.permutations(range(7)), cuts=st.sets(st.integers(1, 6), max_size=3))
@settings(max_examples=60, deadline=None)
def test_fitness_comes_in_the_order_of_the_rows_whatever_order_it_is_told_in(order, cuts):
    seen = []

    def spy(problem, rng):
        seen.append((yield rng.random((7, problem.dim))))

    host = Host(spy)
    X = host.ask()
    F = np.arange(7.0) * 10
    bounds = [0, *sorted(cuts), 7]
    for low, high in itertools.pairwise(bounds):
        assert not len(host.ask().X)  # a generation is out
        rows = list(order[low:high])
        host.optimizer.tell(results(X.X[rows], F[rows], [X.keys[i] for i in rows]))
    assert host.ask() is None
    assert seen[0].tolist() == F.tolist()


def test_keys_of_the_author_come_back_row_by_row():
    told = []

    @optimizer("test-keys", told="results")
    def keyed(problem, rng):
        told.append((yield Population(rng.random((4, problem.dim)), keys=["a", "b", "c", "d"], operator="dice")))
        told.append((yield rng.random((2, problem.dim))))

    host = Host("test-keys")
    host.shuffle = np.random.default_rng(0)
    host.run()
    assert list(told[0].keys) == ["a", "b", "c", "d"]
    assert np.array_equal(told[0].X, host.X[0])
    assert told[0].numbers.tolist() == [0, 1, 2, 3]
    assert not told[1].keys


def test_what_is_told_cannot_be_written_to():
    @optimizer("test-writer", told="results")
    def writer(problem, rng):
        told = yield rng.random((3, problem.dim))
        for array in (told.X, told.F, told.violation, told.steps, told.failed, told.numbers):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        yield np.zeros((1, problem.dim))

    assert len(Host("test-writer").run()) == 4


def test_the_author_may_use_the_same_buffer_again():
    def recycler(problem, rng):
        X = np.zeros((2, problem.dim))
        while True:
            yield X
            X += 0.25

    host = Host(recycler)
    host.run(3)
    assert [X[0, 0] for X in host.X] == [0.0, 0.25, 0.5]


def test_generations_are_counted():
    host = Host(climb)
    assert host.optimizer.generation == -1
    for generation in range(3):
        host.step()
        assert host.optimizer.generation == generation


def test_points_that_were_never_asked_for_become_known():
    lengths = []

    def curious(problem, rng):
        lengths.append(len(problem.known))
        F = yield rng.random((2, problem.dim))
        lengths.append(len(problem.known))
        assert F.shape == (2,)
        yield problem.known.X[[0]]

    host = Host(curious)
    stranger = results(np.full((1, 3), 0.125), [7.0], [None], [-1])
    host.optimizer.tell(stranger)
    asked = host.ask()
    host.optimizer.tell(stranger)
    host.optimizer.tell(results(asked.X, [1, 2], list(asked.keys)))
    assert host.ask().X.tolist() == [[0.125] * 3]
    assert lengths == [1, 2]
    assert host.problem.known.F.tolist() == [[7.0], [7.0]]


def test_a_row_that_is_told_twice_is_an_error_of_the_host():
    host = Host(climb)
    asked = host.ask()
    row = results(asked.X[:1], [1.0], [asked.keys[0]])
    host.optimizer.tell(row)
    with pytest.raises(UsageError, match="told once"):
        host.optimizer.tell(row)


def test_a_multi_objective_optimizer_gets_one_column_an_objective_even_if_there_is_one():
    shapes = []

    @optimizer("test-multi", objectives="multi")
    def multi(problem, rng):
        while True:
            shapes.append((yield rng.random((4, problem.dim))).shape)

    Host("test-multi", two_spheres, n_objectives=2).run(2)
    Host("test-multi").run(2)
    assert shapes == [(4, 2), (4, 1)]


def test_a_generator_that_returns_is_done():
    host = Host(lambda problem, rng: iter_twice(problem))
    host.run(5)
    assert (host.sizes, host.done) == ([1, 1], True)
    assert host.optimizer.ask(1) is None


def iter_twice(problem):
    yield np.zeros((1, problem.dim))
    yield np.ones((1, problem.dim))


def test_closing_runs_the_finally_clauses():
    ended = []

    def tidy(problem, rng):
        try:
            while True:
                yield rng.random((1, problem.dim))
        finally:
            ended.append(True)

    host = Host(tidy)
    host.step()
    host.optimizer.close()
    assert ended == [True]
    assert host.optimizer.ask(1) is None


def test_guests_in_turns_do_not_influence_each_other():
    alone = Host(climb, seed=1).run(6)
    a, b = Host(climb, seed=1), Host(climb, seed=2)
    for _ in range(6):
        a.step()
        b.step()
    assert np.array_equal(np.concatenate(a.X), alone)


def test_generators_leave_global_streams_alone():
    before, numpys = random.getstate(), np.random.get_state()[1].copy()
    Host(climb).run(5)
    assert random.getstate() == before
    assert np.array_equal(np.random.get_state()[1], numpys)


# ---- what is refused

BAD = {
    "one dimension": (np.full(3, 0.5), r"shape \(3,\), not \(rows, 3\): a single row is x\[None\]"),
    "another width": (np.zeros((2, 4)), r"shape \(2, 4\), not \(rows, 3\)"),
    "NaN": (np.array([[0.1, 0.2, 0.3], [0.1, np.nan, 0.3]]), r"gene 1 = nan in row 1: genes are numbers in \[0, 1\]"),
    "infinity": (np.array([[np.inf, 0.2, 0.3]]), "gene 0 = inf in row 0"),
    "outside": (np.array([[0.1, 0.2, 1.0001]]), "gene 2 = 1.0001 in row 0"),
    "below": (np.array([[-0.5, 0.2, 1.0]]), "gene 0 = -0.5 in row 0"),
    "text": ([["a", "b", "c"]], "list that is no matrix of numbers"),
    "ragged": ([[0.1, 0.2, 0.3], [0.1]], "list that is no matrix of numbers"),
    "nothing": (None, r"shape \(\)"),
    "parents of another number": (Population(np.zeros((2, 3)), parents=np.zeros((3, 2), int)), "2 rows but 3 parents"),
    "keys of another number": (Population(np.zeros((2, 3)), keys=["a"]), "2 rows but 1 keys"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_population_is_refused_with_its_place(what):
    bad, message = BAD[what]

    def careless(problem, rng):
        yield rng.random((2, problem.dim))
        yield bad

    host = Host(careless)
    host.step()
    with pytest.raises(OptimizerError, match=r"careless' proposed for generation 1.*" + message):
        host.step()
    with pytest.raises(OptimizerError, match="cannot go on after"):
        host.step()


@pytest.mark.parametrize("what", [what for what in BAD if what != "nothing"])
def test_the_array_protocol_is_checked_alike(what):
    bad, message = BAD[what]

    class Careless:
        def ask(self, n):
            return bad

        def tell(self, results):
            pass

    with pytest.raises(OptimizerError, match=message):
        Host(Careless()).step()


@pytest.mark.parametrize("empty", [np.empty((0, 3)), []])
def test_a_generator_that_yields_nobody_would_loop_for_ever_and_is_refused(empty):
    def idle(problem, rng):
        while True:
            yield empty

    with pytest.raises(OptimizerError, match="no row at all: a generator that is done returns"):
        Host(idle).step()


def test_rounding_beyond_the_cube_is_clipped():
    def rounder(problem, rng):
        yield np.array([[-1e-12, 0.5, 1 + 1e-12]])

    assert Host(rounder).run().tolist() == [[0.0, 0.5, 1.0]]


def test_an_error_of_the_author_comes_out_with_its_traceback():
    def faulty(problem, rng):
        yield rng.random((2, problem.dim))
        [][1]

    host = Host(faulty)
    host.step()
    with pytest.raises(OptimizerError, match=r"faulty' raised IndexError in generation 1") as caught:
        host.step()
    frames = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert frames[-1].name == "faulty"


def test_an_error_at_the_start_names_the_optimizer():
    class Broken(Climber):
        def __init__(self, problem, rng):
            raise ValueError("no luck")

    with pytest.raises(OptimizerError, match=r"Broken' could not be started, ValueError: no luck"):
        Host(Broken)


# ---- spellings of ask and tell


class Sequential:
    """Asked and told one point at a time."""

    def __init__(self, dim, seed):
        self.rng, self.dim, self.told = np.random.default_rng(seed), dim, []

    def ask(self):
        return self.rng.random(self.dim)

    def tell(self, x, f):
        self.told.append((x, f))


class Keyed(Sequential):
    def ask(self):
        self.next = getattr(self, "next", 0) + 1
        return f"point {self.next}", tuple(self.rng.random(self.dim))

    def tell(self, key, x, f):
        self.told.append((key, x, f))


class KeyedLists(Keyed):
    def ask(self):
        return [super(KeyedLists, self).ask() for _ in range(4)]


def guest(host):
    return host.optimizer._guest


def test_single_points_are_asked_for_as_many_as_there_are_workers():
    host = Host(Sequential)
    host.run(2, n=5)
    assert host.sizes == [5, 5]
    X, F = np.concatenate(host.X), np.concatenate(host.F)
    assert np.array_equal([x for x, _ in guest(host).told], X)
    assert [f for _, f in guest(host).told] == F.tolist()


def test_keys_stay_with_their_points_in_whatever_order_they_are_told():
    host = Host(Keyed)
    host.shuffle = np.random.default_rng(1)
    host.run(1, n=6)
    told = guest(host).told
    assert sorted(key for key, *_ in told) == [f"point {i}" for i in range(1, 7)]
    assert [key for key, *_ in told] != sorted(key for key, *_ in told)
    for key, x, f in told:
        i = int(key.split()[1]) - 1
        assert (type(x), x, f) == (tuple, tuple(host.X[0][i]), host.F[0][i])


def test_a_list_is_told_together_and_in_its_order():
    host = Host(KeyedLists)
    host.shuffle = np.random.default_rng(1)
    host.run(2)
    (keys, xs, fs), second = guest(host).told
    assert keys == ["point 1", "point 2", "point 3", "point 4"]
    assert np.array_equal(xs, host.X[0])
    assert fs == host.F[0].tolist()
    assert second[0][0] == "point 5"


def test_no_list_is_asked_for_while_one_is_out():
    host = Host(KeyedLists)
    asked = host.ask()
    assert len(asked.X) == 4
    assert not len(host.ask().X)
    host.optimizer.tell(results(asked.X[:3], sphere(asked.X[:3]), list(asked.keys)[:3]))
    assert not len(host.ask().X)
    assert not guest(host).told


def test_a_bare_object_that_has_nothing_now_is_asked_again_and_one_that_never_has_is_done():
    class OneAtATime(Sequential):
        def ask(self):
            if len(self.told) >= 3 or getattr(self, "asked", 0) > len(self.told):
                return None
            self.asked = len(self.told) + 1
            return super().ask()

    host = Host(OneAtATime)
    asked = host.ask()
    assert len(asked.X) == 1
    assert not len(host.ask().X)
    host.optimizer.tell(results(asked.X, [1.0], list(asked.keys)))
    host.run()
    assert (len(guest(host).told), host.done) == (3, True)


def test_a_bare_object_does_not_hear_of_points_it_never_proposed():
    host = Host(Sequential)
    host.optimizer.tell(results(np.zeros((1, 3)), [1.0], [None], [-1]))
    assert not guest(host).told
    assert len(host.problem.known) == 1


def test_in_one_dimension_a_number_is_a_point():
    class Line:
        told = ()

        def ask(self):
            return 0.25

        def tell(self, x, f):
            self.told = (*self.told, x)

    host = Host(Line(), dim=1)
    assert host.run(1, n=2).tolist() == [[0.25], [0.25]]
    assert guest(host).told == (0.25, 0.25)


def test_bare_points_outside_are_refused():
    class Outside(Sequential):
        def ask(self):
            return [0.5, 1.5, 0.5]

    with pytest.raises(OptimizerError, match=r"gene 1 = 1\.5"):
        Host(Outside).step()


def test_a_tell_that_nobody_can_call_is_refused():
    class Strange(Sequential):
        def tell(self):
            pass

    with pytest.raises(UsageError, match="tell takes 0 parameters"):
        Host(Strange)


def test_an_object_with_its_own_count_of_generations_shows_it():
    class Counting(Climber):
        generation = 4

    assert Host(Counting).optimizer.generation == 4
    assert Host(Climber).optimizer.generation is None


def test_only_what_the_signature_names_is_given():
    given = {}

    def nosy(problem, rng, space, dim, seed):
        given.update(space=space, dim=dim, seed=seed)
        yield np.zeros((1, dim))

    Host(nosy).run(1)
    first = given["seed"]
    Host(nosy).run(1)
    assert (given["space"], given["dim"], given["seed"]) == (None, 3, first)
    Host(nosy, seed=2).run(1)
    assert given["seed"] != first


def test_a_seed_is_drawn_only_where_it_is_wanted():
    assert np.array_equal(Host(climb, seed=3).run(1), np.random.default_rng(3).random((6, 3)))
    assert not resolve(climb).live
