"""Repair: always legal, as little as possible, a function of the row alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evohpo.errors import IllegalDefinition
from evohpo.space import Binary, Categorical, Configs, Continuous, Index, Integer, OneHot, Ordinal, Real, Space
from tests.space import strategies

quick = settings(deadline=None, max_examples=25)
ENCODINGS = [Real(), OneHot(), Binary(), Binary(bits={"rate": 3}), Index(), Index(4)]
every_encoding = pytest.mark.parametrize("encoding", ENCODINGS, ids=repr)


@every_encoding
@quick
@given(space=strategies.constrained(), seed=st.integers(0, 99))
def test_every_repaired_row_is_legal_and_legal_rows_stay_as_they_are(encoding, space, seed):
    codec = encoding.bind(space)
    X = strategies.uniform(40, codec.dim, seed)
    before = np.array([space.feasible(c) for c in codec.decode(X)])
    original = X.copy()
    repaired, changed = codec.repair(X)
    assert (original == X).all()
    assert (changed == ~before).all()
    assert (repaired[~changed] == X[~changed]).all()
    configs = codec.decode(repaired)
    assert [space.validate(c) for c in configs] == configs
    assert repaired.min() >= 0
    assert repaired.max() <= 1


@every_encoding
@quick
@given(space=strategies.constrained(), seed=st.integers(0, 99))
def test_the_result_depends_on_the_row_alone(encoding, space, seed):
    X = strategies.uniform(30, encoding.bind(space).dim, seed)
    together, _ = encoding.bind(space).repair(X)
    twin = encoding.bind(Space.from_json(space.to_json()))
    backwards = twin.repair(X[::-1])[0][::-1]
    alone = np.concatenate([twin.repair(X[i : i + 1])[0] for i in range(0, 30, 5)])
    assert (together == backwards).all()
    assert (together[::5] == alone).all()


@every_encoding
def test_repairing_twice_changes_nothing_more(encoding):
    space = Space(
        {"rate": Continuous(0, 1), "b": Integer(1, 100, "log"), "c": Categorical(["x", "y"])},
        ["b * rate <= 5", "c == 'x' or rate > 0.2"],
    )
    codec = encoding.bind(space)
    once, _ = codec.repair(strategies.uniform(200, codec.dim))
    twice, changed = codec.repair(once)
    assert not changed.any()
    assert (once == twice).all()


def test_only_genes_of_the_broken_constraints_move():
    space = Space(
        {"a": Integer(1, 9), "b": Integer(1, 9), "c": Continuous(0, 1), "d": Continuous(0, 1), "e": Ordinal([1, 2, 3])},
        ["a <= b", "c + d <= 1"],
    )
    X = strategies.uniform(200, 5)
    ab_broken = np.array([c["a"] > c["b"] for c in space.decode(X)])
    cd_broken = np.array([c["c"] + c["d"] > 1 for c in space.decode(X)])
    moved = space.repair(X)[0] != X
    assert not moved[~ab_broken][:, :2].any()
    assert not moved[~cd_broken][:, 2:4].any()
    assert not moved[:, 4].any()


def test_a_repaired_point_is_next_to_the_bound():
    space = Space({"a": Continuous(0, 1), "b": Continuous(0, 1)}, ["a + b <= 1"])
    repaired, changed = space.repair(strategies.uniform(100, 2))
    assert np.allclose(repaired[changed].sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("limit", [0.2, 0.6, 1.0, 1.5])
def test_a_repaired_point_is_nearly_the_nearest_one_there_is(limit):
    space = Space({"a": Continuous(0, 1), "b": Continuous(0, 1)}, [f"a + b <= {limit}"])
    X = strategies.uniform(300, 2)
    repaired, changed = space.repair(X)
    a = np.clip((limit + X[:, 0] - X[:, 1]) / 2, max(0, limit - 1), min(1, limit))
    nearest = np.linalg.norm(X - np.stack([a, limit - a], 1), axis=1)
    assert (np.linalg.norm(X - repaired, axis=1) <= nearest + 0.05)[changed].all()


def test_repaired_points_are_not_all_the_same():
    space = Space({f"x{i}": Continuous(0, 1) for i in range(4)}, ["x0 + x1 + x2 + x3 <= 1.5"])
    repaired, _ = space.repair(strategies.uniform(100, 4))
    assert len(np.unique(np.round(repaired, 3), axis=0)) > 90


def test_a_conditional_parameters_constraint_can_be_met_by_its_parent_too():
    space = Space(
        {
            "solver": Categorical(["sgd", "adam"]),
            "momentum": Continuous(0, 1, when={"solver": "sgd"}),
            "n": Integer(1, 9),
        },
        ["momentum > 2"],
    )
    repaired, changed = space.repair(strategies.uniform(50, 3))
    assert changed.any()
    assert all(c["solver"] == "adam" for c in space.decode(repaired))


def test_a_code_too_coarse_for_the_constraints_says_so():
    space = Space({"a": Continuous(0, 1)}, ["0.4 < a < 0.6"])
    with pytest.raises(IllegalDefinition, match="leave nothing"):
        Index(2).bind(space).repair(np.array([[0.1]]))


def test_configurations_are_repaired_as_chromosomes_are():
    space = Space({"a": Integer(1, 9), "b": Integer(1, 9), "c": Continuous(0, 1)}, ["a <= b"])
    legal, illegal = {"a": 1, "b": 2, "c": 0.123}, {"a": 8, "b": 2, "c": 0.456}
    (first, second), changed = Configs().bind(space).repair([legal, illegal])
    assert changed.tolist() == [False, True]
    assert first == legal
    assert space.validate(second) == second
    assert second["c"] == 0.456


def test_without_constraints_there_is_nothing_to_repair():
    space = Space({"a": Continuous(0, 1)})
    X = strategies.uniform(5, 1)
    repaired, changed = space.repair(X)
    assert repaired is X
    assert not changed.any()


def test_large_populations_are_repaired_in_little_memory():
    space = Space({f"x{i}": Continuous(0, 1) for i in range(30)}, ["x0 + x1 + x2 <= 1"])
    repaired, changed = space.repair(strategies.uniform(3000, 30))
    assert changed.sum() > 2000
    assert space.satisfied(repaired).all()
