"""The checks for optimizers: each broken optimizer is caught by the check that names its fault, the sound ones pass."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import evohpo as eh
from evohpo.testing import CHECKS, CheckFailed, capability_card, check_optimizer


def de(problem, rng, population=10):
    """A sound optimizer that the broken ones vary."""
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < 0.9, np.clip(a + 0.6 * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)


def leaves_the_cube(problem, rng):
    while True:
        yield rng.normal(0.5, 0.4, (8, problem.dim))


def wrong_shape(problem, rng):
    while True:
        yield rng.random(problem.dim)


def needs_two_genes(problem, rng):
    assert problem.dim > 1, "needs two genes"
    yield from de(problem, rng)


def writes_into_what_it_is_told(problem, rng):
    while True:
        F = yield rng.random((8, problem.dim))
        F -= F.min()


def ignores_its_seed(problem, rng):
    yield from de(problem, np.random.default_rng(7))


class GlobalDraws:
    """An object, since generators' and objects' own code is not given global generators of its own."""

    def __init__(self, problem, rng):
        self.dim = problem.dim

    def ask(self, n):
        return np.array([[random.random() for _ in range(self.dim)] for _ in range(n)])

    def tell(self, results):
        pass


def looks_at_the_clock(problem, rng):
    yield from de(problem, np.random.default_rng(time.perf_counter_ns()))


def gives_up_on_failures(problem, rng):
    while True:
        F = yield rng.random((8, problem.dim))
        if len(np.unique(F)) < len(F):
            raise ZeroDivisionError("all the same")


class Forgets:
    """Its state is kept outside, so that a fresh one does not begin at the beginning."""

    calls = 0

    def __init__(self, problem, rng):
        self.dim, self.rng = problem.dim, rng

    def ask(self, n):
        Forgets.calls += 1
        return np.full((1, self.dim), (Forgets.calls * 0.618) % 1)

    def tell(self, results):
        pass


def uses_the_workers(problem, rng):
    rng.random(problem.workers)
    yield from de(problem, rng)


def only_random(problem, rng):
    while True:
        yield rng.random((8, problem.dim))


BROKEN = [
    (leaves_the_cube, "legal_proposals", "gene"),
    (wrong_shape, "legal_proposals", "x[None]"),
    (needs_two_genes, "one_gene", "needs two genes"),
    (writes_into_what_it_is_told, "told_arrays", "read-only"),
    (GlobalDraws, "global_generators", "random"),
    (ignores_its_seed, "another_seed", "seeds 1 and 2"),
    (looks_at_the_clock, "same_seed", "trial 0 differs"),
    (gives_up_on_failures, "only_failures", "all the same"),
    (Forgets, "resume", "differs"),
    (uses_the_workers, "same_for_any_workers", "1 and 3 workers"),
    (only_random, "better_than_nothing", "random search"),
]


@pytest.mark.parametrize(("optimizer", "check", "reason"), BROKEN, ids=[b[0].__name__ for b in BROKEN])
def test_a_broken_optimizer_is_caught_by_the_check_that_names_its_fault(optimizer, check, reason):
    card = {outcome.check: outcome for outcome in capability_card(optimizer)}
    assert card[check].status == "failed"
    assert reason in card[check].reason
    with pytest.raises(CheckFailed) as caught:
        check_optimizer(optimizer)
    assert card[caught.value.check].status == "failed"
    assert caught.value.check in str(caught.value)


def test_a_sound_optimizer_passes_in_each_form():
    check_optimizer(de)
    check_optimizer(eh.use(de, population=6))
    check_optimizer(de, population=6)
    check_optimizer("pso", topology="ring", expected={"better_than_nothing": "slow and thorough"})


@pytest.mark.parametrize("name", sorted(i.name for i in eh.available_optimizers().values() if i.origin == "evohpo"))
def test_our_own_optimizers_keep_their_promises(name):
    check_optimizer(name)


def test_a_live_object_can_be_checked():
    inspyred = pytest.importorskip("inspyred")
    check_optimizer(inspyred.swarm.PSO(random.Random(1)), expected={"better_than_nothing": "depends on its settings"})


def test_an_expected_failure_has_its_reason_on_the_card():
    card = capability_card(only_random, expected={"better_than_nothing": "it draws blindly"})
    outcome = next(o for o in card if o.check == "better_than_nothing")
    assert outcome.status == "expected"
    assert "it draws blindly" in outcome.reason
    check_optimizer(only_random, expected={"better_than_nothing": "it draws blindly"})


def test_an_expected_failure_of_a_check_that_is_not_there_is_refused():
    with pytest.raises(eh.UnknownName, match="one_gene"):
        capability_card("de", expected={"one_gen": "why not"})


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(eh.UsageError, match="an optimizer is one of"):
        check_optimizer(3)


def test_checking_leaves_the_global_generators_alone():
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002
    before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    capability_card(GlobalDraws)
    check_optimizer("inspyred.ga")
    assert random.getstate() == before[0]
    assert repr(np.random.get_state()) == before[1]  # noqa: NPY002


def test_every_check_has_a_claim_of_one_line():
    for check in CHECKS:
        assert check.__doc__
        assert len(check.__doc__.strip().splitlines()) == 1
        assert check.__doc__.endswith(".")
