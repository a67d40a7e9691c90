"""Spaces: configurations in and out, conditions, constraints, grids, sizes, text."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evohpo.space
from evohpo.errors import IllegalDefinition, IllegalValue, UnknownName, UsageError
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space, Static, at_least, at_most, between
from tests.space import strategies

quick = settings(deadline=None, max_examples=100)
SOLVER = Categorical(["sgd", "adam", "lbfgs"])


@pytest.fixture
def space():
    return Space(
        {
            "rate": Continuous(1e-4, 1e-1, "log"), "epochs": Integer(10, 50), "batch": Ordinal([32, 64, 128]),
            "solver": SOLVER,
            "momentum": Continuous(0, 0.99, when={"solver": "sgd"}),
            "nesterov": Categorical([True, False], when="momentum > 0.5"),
            "seed": 100,
        }
    )  # fmt: skip


@quick
@given(strategies.spaces(), st.data())
def test_configurations_come_back_from_their_chromosomes_exactly(space, data):
    configs = space.decode(data.draw(strategies.chromosomes(len(space.searched))))
    again = space.decode(space.encode(configs))
    assert again == configs
    assert [list(map(type, c.values())) for c in again] == [list(map(type, c.values())) for c in configs]


@quick
@given(strategies.spaces(), st.integers(0, 99))
def test_samples_are_legal_and_validate_leaves_them_as_they_are(space, seed):
    for config in [*space.sample(10, np.random.default_rng(seed)), space.default()]:
        assert list(config) == [n for n in space.names if n in config]
        assert space.validate(config) == config
        assert space.complete(config) == config
        assert list(space.validate(dict(reversed(config.items())))) == list(config)


@quick
@given(strategies.spaces())
def test_a_space_comes_back_from_json_and_from_its_repr(space):
    assert Space.from_json(space.to_json()) == space
    assert Space.from_json(space.to_json()).to_json() == space.to_json()
    names = {
        n: getattr(evohpo.space, n) for n in ("Space", "Continuous", "Integer", "Categorical", "Ordinal", "Static")
    }
    assert eval(repr(space), names) == space
    X = strategies.uniform(20, len(space.searched))
    twin = Space.from_json(space.to_json())
    assert repr(twin.decode(X)) == repr(space.decode(X))
    for other in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert other == space
        assert repr(other.decode(X)) == repr(space.decode(X))


@quick
@given(strategies.constrained())
def test_constraints_come_back_from_json(space):
    assert Space.from_json(space.to_json()) == space


@quick
@given(strategies.constrained(), st.integers(0, 99))
def test_samples_satisfy_the_constraints(space, seed):
    for config in space.sample(20, np.random.default_rng(seed)):
        assert space.feasible(config)
        assert space.validate(config) == config


def test_samples_are_uniform_on_what_the_constraints_leave():
    space = Space({"a": Integer(1, 4), "b": Integer(1, 4)}, ["a <= b"])
    counts = {}
    for config in space.sample(20_000, np.random.default_rng(3)):
        counts[space.key(config)] = counts.get(space.key(config), 0) + 1
    assert len(counts) == 10
    assert all(abs(n - 2000) < 6 * math.sqrt(2000) for n in counts.values())


def test_samples_are_legal_where_hardly_anything_is():
    space = Space({"a": Continuous(0, 1), "b": Continuous(0, 1)}, ["abs(a - b) < 0.00002"])
    assert all(space.feasible(c) for c in space.sample(50, np.random.default_rng(0)))


def test_the_same_generator_gives_the_same_samples_in_another_process(space):
    code = (
        "import sys, numpy as np; from evohpo.space import Space;"
        "print(repr(Space.from_json(sys.stdin.read()).sample(5, np.random.default_rng(1))))"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], input=space.to_json(), capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        assert done.stdout.strip() == repr(space.sample(5, np.random.default_rng(1)))


# ---- conditions


def test_a_parameter_that_does_not_apply_is_absent_and_so_are_its_children(space):
    for config in space.sample(200, np.random.default_rng(0)):
        assert ("momentum" in config) == (config["solver"] == "sgd")
        assert ("nesterov" in config) == (config.get("momentum", 0) > 0.5)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"a": 2}, "a == 2"), ({"a": [1, 2]}, "a in [1, 2]"), ({"a": {2}}, "a in [2]"), ({"a": at_least(2)}, "a >= 2"),
        ({"a": at_most(2)}, "a <= 2"), ({"a": between(1, 2)}, "1 <= a <= 2"),
        ({"a": 2, "odd-b": "x{}"}, "a == 2 and `odd-b` == 'x{}'"),
        ({"odd-b": at_least("x{")}, "`odd-b` >= 'x{'"), ({"a": np.int64(2)}, "a == 2"), ("a > 1 or `odd-b` == 'y'",
        "a > 1 or `odd-b` == 'y'"),
    ],
)  # fmt: skip
def test_every_way_to_say_a_condition_becomes_text(when, text):
    space = Space({"a": Integer(1, 3), "odd-b": Categorical(["x{}", "y"]), "child": Continuous(0, 1, when=when)})
    assert space.parameters["child"].when == text
    assert Space.from_json(space.to_json()).parameters["child"].when == text


@pytest.mark.parametrize(
    ("parent", "value"),
    [
        (7, 7),
        (True, True),
        (None, None),
        ("a", "a"),
        (Categorical([True, False]), False),
        (Categorical([None, 1]), None),
    ],
)
def test_conditions_on_static_parents_truth_values_and_none(parent, value):
    space = Space({"p": parent, "child": Integer(1, 3, when={"p": value})})
    applies = [
        ("child" in c) == (c["p"] is value or c["p"] == value) for c in space.sample(30, np.random.default_rng(0))
    ]
    assert all(applies)


BAD = {
    "unknown": ({"solvr": "sgd"}, "did you mean 'solver'"),
    "later": ({"last": 1}, "comes later"),
    "itself": ("child > 0.5", "itself"),
    "value it cannot take": ({"solver": "sdg"}, "never true"),
    "number it cannot reach": ({"n": 5000}, "never true"),
    "number beyond a continuous one": ("rate > 0.5", "never true"),
    "nothing to choose from": ({"solver": []}, "never true"),
    "no text": (3, "write when="),
    "empty dict": ({}, "write when="),
    "no name": ({3: 4}, "write when="),
    "unparsable": ("solver = 'sgd'", "not understood"),
    "empty": ("", "text such as"),
    "object": ({"solver": object()}, "must be text"),
    "infinite": ({"n": [math.inf]}, "must be text"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_condition_is_refused_with_the_parameters_name(what):
    when, reason = BAD[what]
    with pytest.raises(IllegalDefinition, match=reason) as caught:
        Space(
            {
                "solver": SOLVER,
                "n": Integer(1, 4999),
                "rate": Continuous(0, 0.5),
                "child": Continuous(0, 1, when=when),
                "last": Integer(1, 2),
            }
        )
    assert caught.value.parameter == "child"


@pytest.mark.parametrize(
    "when", [{"n": 4321}, "n > 4998", "rate == 0.123456", "0.1 < rate < 0.10001", "n % 97 == 13", "n * rate == 7919.0"]
)
def test_a_condition_that_is_seldom_met_is_legal(when):
    space = Space({"n": Integer(1, 4999), "rate": Continuous(0, 0.5), "child": Continuous(0, 1, when=when)})
    assert list(space.conditions) == ["child"]


# ---- complete, default, validate


def test_complete_keeps_what_is_given_and_adds_what_is_missing(space):
    assert space.complete({"solver": "adam", "epochs": 12.0}) == {
        "rate": 0.003162277660168, "epochs": 12, "batch": 64, "solver": "adam", "seed": 100,
    }  # fmt: skip
    assert "nesterov" in space.complete({"solver": "sgd", "momentum": 0.9})


def test_defaults_come_before_mid_points():
    space = Space(
        {"a": Integer(1, 9, default=2), "b": Ordinal(["x", "y", "z"], default="z"), "c": Categorical([1, 2], default=2)}
    )
    assert space.default() == {"a": 2, "b": "z", "c": 2}


@quick
@given(strategies.constrained(), st.data())
def test_completing_a_part_of_a_legal_configuration_moves_only_what_is_missing(space, data):
    config = space.sample(1, np.random.default_rng(data.draw(st.integers(0, 99))))[0]
    partial = {n: v for n, v in config.items() if n != "momentum" and data.draw(st.booleans())}
    try:
        completed = space.complete(partial)
    except IllegalValue:  # honest: the legal rest may be too small to be found
        assert len(partial) > 1
        return
    assert partial.items() <= completed.items()
    assert space.validate(completed) == completed


def test_the_default_is_repaired_where_the_constraints_forbid_it():
    space = Space({"a": Integer(1, 9), "b": Integer(1, 9)}, ["a + 3 <= b"])
    assert space.feasible(space.default())
    assert space.complete({"a": 6})["b"] == 9


def test_completing_never_drops_a_given_value_to_satisfy_a_constraint():
    space = Space(
        {"solver": SOLVER, "momentum": Continuous(0, 1, when={"solver": "sgd"}), "n": Integer(1, 9)},
        ["solver == 'adam' or n >= 8"],
    )
    completed = space.complete({"momentum": 0.25})
    assert completed["momentum"] == 0.25
    assert completed["solver"] == "sgd"
    assert completed["n"] >= 8


def test_what_no_completion_makes_legal_is_refused_with_the_constraint():
    space = Space({"a": Integer(1, 9), "b": Integer(1, 5)}, ["a < b"])
    with pytest.raises(IllegalValue, match="a < b"):
        space.complete({"a": 7})


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"solvr": "sgd"}, "solvr", "did you mean 'solver'"), ({"solver": "adam"}, "momentum", "does not apply"),
        ({"epochs": 51}, "epochs", "outside"), ({"epochs": None}, "epochs", "whole number"), ({"seed": 3}, "seed", "static"),
        ({"rate": "0.1"}, "rate", "must be a number"), ({"batch": 100}, "batch", "not one of 32, 64, 128"),
    ],
)  # fmt: skip
def test_an_illegal_configuration_is_refused_with_the_culprits_name(space, change, name, reason):
    legal = {"rate": 0.01, "epochs": 20, "batch": 64, "solver": "sgd", "momentum": 0.1}
    assert space.validate(legal) == {**legal, "seed": 100}
    for method in (space.validate, space.complete):
        with pytest.raises(IllegalValue, match=reason) as caught:
            method({**legal, **change})
        assert caught.value.name == name


def test_a_missing_value_is_refused_by_validate(space):
    with pytest.raises(IllegalValue, match="missing"):
        space.validate({"rate": 0.01})


def test_a_broken_constraint_is_told_with_the_values():
    space = Space({"a": Integer(1, 9), "b": Integer(1, 9)}, ["a <= b"])
    with pytest.raises(IllegalValue, match=r"'a <= b' \(a = 5, b = 2\)"):
        space.validate({"a": 5, "b": 2})


@pytest.mark.parametrize("config", [None, [1, 2], "abc", 3])
def test_what_is_no_configuration_is_refused(space, config):
    with pytest.raises(IllegalValue, match="must be a dict"):
        space.validate(config)


# ---- constraints


def test_a_constraint_on_what_does_not_apply_is_satisfied(space):
    limited = Space(space.parameters, ["momentum <= 0.5"])
    assert limited.feasible({"solver": "adam"})
    assert not limited.feasible({"solver": "sgd", "momentum": 0.6})


@pytest.mark.parametrize("texts", [["a > b", "a < b"], ["a + b > 100"], ["seed == 2"]])
def test_constraints_that_leave_nothing_are_refused(texts):
    with pytest.raises(IllegalDefinition, match="leave nothing"):
        Space({"a": Integer(1, 9), "b": Integer(1, 9), "seed": 1}, texts)


def test_a_constraint_with_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(IllegalDefinition, match="did you mean 'hidden_1'"):
        Space({"hidden_1": Integer(1, 9), "b": Integer(1, 9)}, "hiden_1 <= b")


# ---- keys, grid, size


def test_keys_tell_configurations_apart(space):
    configs = space.sample(300, np.random.default_rng(0))
    for a, b in itertools.pairwise(configs):
        assert (space.key(a) == space.key(b)) == (a == b)
        assert hash(space.key(a)) == hash(space.key(dict(reversed(a.items()))))


def test_the_grid_has_each_legal_configuration_once(space):
    configs = space.grid(3)
    assert len({space.key(c) for c in configs}) == len(configs) == 3 * 3 * 3 * (2 + (2 + 2 * 1))
    assert {c["rate"] for c in configs} == {1e-4, 0.003162277660168, 1e-1}
    assert all(space.validate(c) == c for c in configs)
    assert {c["epochs"] for c in space.grid({"epochs": 2, "rate": 1, "momentum": 1})} == {10, 50}


def test_the_grid_keeps_to_the_constraints():
    space = Space({"a": Integer(1, 4), "b": Integer(1, 4)}, ["a < b"])
    assert [tuple(c.values()) for c in space.grid()] == [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]


def test_a_grid_that_is_too_large_is_refused_before_it_is_made():
    with pytest.raises(UsageError, match="smaller resolution than 100"):
        Space({f"x{i}": Continuous(0, 1) for i in range(40)}).grid(100)


def test_branches_of_a_conditional_space_add_up_in_its_grid():
    branches = {f"x{b}{i}": Continuous(0, 1, when={"b": b}) for b in range(6) for i in range(3)}
    assert len(Space({"b": Categorical(list(range(6))), **branches}).grid(10)) == 6 * 10**3


@pytest.mark.parametrize("resolution", [0, -1, 2.5, True, {"a": 0}, {"b": 3}])
def test_a_resolution_that_is_none_is_refused(resolution):
    with pytest.raises((UsageError, UnknownName)):
        Space({"a": Continuous(0, 1)}).grid(resolution)


@quick
@given(st.data())
def test_the_size_is_the_number_of_different_configurations(data):
    kinds = st.sampled_from(
        [
            Integer(1, 3),
            Integer(1, 5, "log"),
            Categorical([1, 1.0, None]),
            Ordinal(["a"]),
            Continuous(0, 1, step=0.5),
            7,
        ]
    )
    texts = st.sampled_from([None, "a == 2", "a in (1, 3) and b == True", "b == False or a > 1", "c == 2"])
    parameters = {
        "a": Integer(1, 3),
        "b": Categorical([True, False]),
        "c": Integer(1, 3, when=data.draw(st.sampled_from([None, "a == 3"]))),
    }
    for name in "defg":
        kind = data.draw(kinds)
        parameters[name] = kind if kind == 7 else type(kind)(**{**vars_of(kind), "when": data.draw(texts)})
    space = Space(parameters)
    assert space.size == len({space.key(c) for c in space.grid(10)})
    assert type(space.size) is int


def vars_of(parameter):
    return {name: getattr(parameter, name) for name in parameter.__dataclass_fields__}


def test_the_size_of_a_continuous_space_is_infinite_and_of_a_huge_one_exact():
    assert Space({"a": Continuous(0, 1), "b": Integer(1, 2)}).size == math.inf
    assert Space({f"x{i}": Integer(1, 10**6) for i in range(50)}).size == 10**300
    assert Space({"p": SOLVER, **{f"x{i}": Integer(1, 10**6, when={"p": "sgd"}) for i in range(9)}}).size == 2 + 10**54


def test_a_space_of_static_values_has_one_configuration():
    space = Space({"a": 1, "b": "x", "c": Static([1])})
    assert (space.size, space.searched, space.grid(), space.default()) == (
        1,
        (),
        [{"a": 1, "b": "x", "c": [1]}],
        {"a": 1, "b": "x", "c": [1]},
    )
    assert space.sample(3, np.random.default_rng(0)) == [space.default()] * 3
    assert space.encode(space.sample(3, np.random.default_rng(0))).shape == (3, 0)
    assert space.key(space.default()) == ()
    assert Space({"a": 1}, ["a > 0"]).sample(2, np.random.default_rng(0)) == [{"a": 1}] * 2


# ---- text and the rest


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "null", "[]", "3", "{}", "[" * 100_000,
        '{"parameters": []}', '{"parameters": {}}', '{"parameters": {"": 1}}', '{"parameters": {"a": [1]}}',
        '{"parameters": {"a": 1}, "constraints": 3}', '{"parameters": {"a": 1}, "constraints": [3]}',
        '{"parameters": {"a": {"type": "real"}}}', '{"parameters": {"a": {"type": ["x"]}}}',
        '{"parameters": {"a": {"type": "integer"}}}',
        '{"parameters": {"a": {"type": "integer", "low": 1, "hi": 2}}}',
        '{"parameters": {"a": {"type": "integer", "low": "x", "high": 2}}}',
        '{"parameters": {"a": {"type": "integer", "low": 1, "high": 2, "when": [1]}}}',
        '{"parameters": {"a": {"type": "continuous", "low": NaN, "high": 2}}}',
        '{"parameters": {"a": {"type": "categorical", "choices": {}}}}',
    ],
)  # fmt: skip
def test_json_that_defines_no_space_is_refused(text):
    with pytest.raises(IllegalDefinition):
        Space.from_json(text)


def test_json_is_plain(space):
    data = json.loads(space.to_json())
    assert data["parameters"]["epochs"] == {"type": "integer", "low": 10, "high": 50}
    assert data["parameters"]["momentum"]["when"] == "solver == 'sgd'"


def test_spaces_of_different_types_or_order_are_different():
    assert Space({"a": Categorical([1])}) != Space({"a": Categorical([1.0])})
    assert Space({"a": Categorical([1])}) != Space({"a": Categorical([True])})
    assert Space({"a": 1, "b": 2}) != Space({"b": 2, "a": 1})
    assert Space({"a": 1}) != {"a": 1}


def test_a_space_is_a_collection_of_names(space):
    assert len(space) == 7
    assert list(space) == list(space.names) == list(space.parameters)
    assert "rate" in space
    assert "rat" not in space


def test_a_space_is_made_of_a_dict_that_is_not_empty():
    for given_parameters in ({}, [], None, 3):
        with pytest.raises(IllegalDefinition, match="made of a dict"):
            Space(given_parameters)


def test_odd_names_work_everywhere():
    names = ["learning-rate", "lambda", "class", "a.b", "0", "log", "λ", "ABSENT", "type", "x y"]
    parameters = {n: Integer(1, 4) for n in names} | {f"{n} child": Integer(1, 2, when={n: at_least(3)}) for n in names}
    space = Space(parameters, [f"`{a}` <= `{b}`" for a, b in itertools.pairwise(names)][:3])
    for config in space.sample(20, np.random.default_rng(0)):
        assert space.validate(config) == config
        assert all((f"{n} child" in config) == (config[n] >= 3) for n in names)
    assert Space.from_json(space.to_json()) == space


def test_a_static_value_may_apply_only_where_its_condition_holds():
    space = Space(
        {"solver": Categorical(["sgd", "adam"]), "nesterov": Static(True, when={"solver": "sgd"}), "x": Integer(1, 2)}
    )
    assert space.decode([[0.1, 0.1], [0.9, 0.1]]) == [
        {"solver": "sgd", "nesterov": True, "x": 1},
        {"solver": "adam", "x": 1},
    ]
    assert space.complete({"solver": "adam"}) == {"solver": "adam", "x": 2}
    assert space.validate({"solver": "adam", "x": 1}) == {"solver": "adam", "x": 1}
    assert len(space.grid(2)) == space.size == 4
    assert Space.from_json(space.to_json()) == space
    with pytest.raises(IllegalValue, match="nesterov"):
        space.validate({"solver": "adam", "nesterov": True, "x": 1})
