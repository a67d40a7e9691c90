"""Ranks, fronts, crowding and hypervolume, against definitions spelled out pair by pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evohpo.trials.pareto import crowding, domination_ranks, front, hypervolume

SHAPES = st.tuples(st.integers(0, 25), st.integers(1, 4))
FITNESS = SHAPES.flatmap(lambda shape: arrays(float, shape, elements=st.integers(0, 4).map(float)))  # many ties
TASKS = FITNESS.flatmap(
    lambda F: st.tuples(st.just(F), arrays(float, len(F), elements=st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 1e30])))
)


def dominates(a, b, va=0.0, vb=0.0):
    if va > 0 or vb > 0:
        return va < vb
    return bool((a <= b).all() and (a < b).any())


def peeled(F, V):
    """Return ranks by taking away the undominated, again and again."""
    ranks, left, rank = np.full(len(F), -1), list(range(len(F))), 0
    while left:
        best = [i for i in left if not any(dominates(F[j], F[i], V[j], V[i]) for j in left)]
        ranks[best] = rank
        left, rank = [i for i in left if i not in best], rank + 1
    return ranks


@given(TASKS)
def test_ranks_are_those_of_peeling_off_fronts_one_by_one(given_task):
    F, V = given_task
    assert domination_ranks(F, V).tolist() == peeled(F, V).tolist()


@given(FITNESS)
def test_without_violation_all_are_feasible(F):
    assert domination_ranks(F).tolist() == peeled(F, np.zeros(len(F))).tolist()


@given(TASKS)
def test_the_front_is_what_no_feasible_row_dominates(given_task):
    F, V = given_task
    feasible = [i for i in range(len(F)) if V[i] == 0]
    expected = [i for i in feasible if not any(dominates(F[j], F[i]) for j in feasible)]
    assert np.flatnonzero(front(F, V)).tolist() == expected


@given(FITNESS)
def test_crowding_adds_up_the_gaps_between_neighbours_of_a_front(F):
    ranks = domination_ranks(F)
    expected = np.zeros(len(F))
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        for column in F.T:
            by = rows[np.argsort(column[rows], kind="stable")]
            span = column[by[-1]] - column[by[0]]
            for before, row, after in zip(by, by[1:], by[2:], strict=False):
                expected[row] += (column[after] - column[before]) / span if span else 0
            expected[[by[0], by[-1]]] = np.inf
    assert np.allclose(crowding(F, ranks), expected)


@given(FITNESS, st.floats(0.1, 10))
def test_crowding_knows_no_units(F, unit):
    ranks = domination_ranks(F)
    assert np.allclose(crowding(F, ranks), crowding(F * unit + 3, ranks))


def test_hypervolume_is_the_share_of_the_box_that_is_dominated():
    rng = np.random.default_rng(0)
    F, points = rng.random((20, 3)), rng.random((200_000, 3)) * 0.9
    dominated = np.zeros(len(points), bool)
    for row in F:
        dominated |= (row <= points).all(1)
    assert abs(hypervolume(F, [0.9] * 3) - dominated.mean() * 0.9**3) < 0.005


def test_rows_beyond_the_reference_and_no_rows_have_no_volume():
    assert hypervolume(np.array([[2.0, 0.0], [0.0, 1.0]]), [1, 1]) == 0
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0
