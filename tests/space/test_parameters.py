"""Parameters: what can be defined, what is refused and how it is said, and how genes fall on values."""

from __future__ import annotations

import enum
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evohpo.errors import IllegalDefinition, IllegalValue
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space, Static
from tests.space import strategies

quick = settings(deadline=None, max_examples=150)


def one(parameter):
    return Space({"x": parameter})


def values(parameter, genes):
    return [c["x"] for c in one(parameter).decode(np.asarray(genes, float)[:, None])]


@quick
@given(st.data())
def test_both_ends_are_reached_exactly_by_all_kinds(data):
    parameter = data.draw(strategies.continuous() | strategies.stepped() | strategies.integers())
    assert values(parameter, [0.0, 1.0]) == [parameter.low, parameter.high]


@quick
@given(strategies.continuous(), st.data())
def test_a_continuous_value_comes_back_from_its_gene_exactly(parameter, data):
    space = one(parameter)
    configs = space.decode(data.draw(strategies.chromosomes(1, 30)))
    assert space.decode(space.encode(configs)) == configs
    assert [space.validate(c) for c in configs] == configs


def extreme(rng):
    """Return a range of any size, anywhere, and all too often near what a float can hold."""
    scale = rng.choice(["linear", "log", "logit", "reverse_log"])
    if scale == "linear":
        low = rng.choice([0, -1, 1]) * 10 ** rng.uniform(-280, 280)
        high = low + rng.choice([10 ** rng.uniform(-280, 280), abs(low) * 10 ** rng.uniform(-15.5, 3)])
    elif scale == "log":
        low = 10 ** rng.uniform(-300, 300)
        high = rng.choice([low * (1 + 10 ** rng.uniform(-12, 1)), 10 ** rng.uniform(-300, 300)])
    else:
        low = rng.choice([10 ** rng.uniform(-280, -0.1), rng.random()])
        high = rng.choice([1 - 10 ** rng.uniform(-15, -0.1), min(low * (1 + 10 ** rng.uniform(-12, 0)), 0.99)])
    return Continuous(float(min(low, high)), float(max(low, high)), str(scale))


@pytest.mark.parametrize("seed", range(8))
def test_values_of_extreme_ranges_come_back_exactly_too(seed):
    rng = np.random.default_rng(seed)
    checked = 0
    while checked < 150:
        try:
            space = one(extreme(rng))
        except IllegalDefinition:
            continue
        low, high = space.parameters["x"].low, space.parameters["x"].high
        genes = np.concatenate([rng.random(30), [0, 1, 1e-17, 1 - 2**-53], 10 ** rng.uniform(-18, 0, 10)])
        between = [{"x": float(min(max(low + u * (high - low), low), high))} for u in (1e-16, 1e-13, *rng.random(8))]
        configs = space.decode(genes[:, None]) + [space.validate(c) for c in between]
        assert space.decode(space.encode(configs)) == configs, space
        assert [space.validate(c) for c in configs] == configs, space
        checked += 1


@pytest.mark.parametrize(
    ("parameter", "value", "kept"),
    [
        (Continuous(0, 1), 1 / 3, 0.3333333333333), (Continuous(1e-4, 1, "log"), 1 / 3000, 0.0003333333333333),
        (Continuous(0, 1e6), 1e6 / 3, 333333.3333333), (Continuous(0.5, 0.99, "reverse_log"), 2 / 3, 0.6666666666667),
        (Continuous(1e-300, 1e300, "log"), 1 / 3, 0.33333333333),
    ],
)  # fmt: skip
def test_thirteen_digits_are_kept_less_where_the_range_is_extreme(parameter, value, kept):
    assert one(parameter).validate({"x": value}) == {"x": kept}


@quick
@given(strategies.continuous(), st.floats(0, 1))
def test_what_validate_hands_out_comes_back_exactly_and_is_nearly_what_was_given(parameter, part):
    given_value = min(max(parameter.low + part * (parameter.high - parameter.low), parameter.low), parameter.high)
    space = one(parameter)
    config = space.validate({"x": given_value})
    assert space.validate(config) == config
    assert space.decode(space.encode([config])) == [config]
    scale = abs(given_value) if parameter.scale == "log" else parameter.high - parameter.low
    assert abs(config["x"] - given_value) <= 1e-10 * scale + 4e-15 * max(abs(parameter.low), abs(parameter.high))


@pytest.mark.parametrize("value", [0.001, 0.1, 3e-5, 0.25, 1e-12, 7e-30, 0.007])
def test_short_decimals_are_kept_to_the_last_bit_on_a_log_scale(value):
    space = one(Continuous(1e-30, 1, "log"))
    assert space.validate({"x": value}) == {"x": value}
    assert space.decode(space.encode([{"x": value}])) == [{"x": value}]


@pytest.mark.parametrize(
    "parameter", [Continuous(0, 1), Continuous(-3, 3), Continuous(0, 100), Continuous(0, 0.999, "reverse_log")]
)
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 0.001, 0.55])
def test_short_decimals_are_kept_to_the_last_bit_on_other_scales(parameter, value):
    space = one(parameter)
    assert space.decode(space.encode([space.validate({"x": value})])) == [{"x": value}]


@quick
@given(st.integers(1, 400))
def test_bins_of_integers_categories_ordinals_and_steps_have_equal_mass(k):
    centres = (np.arange(7 * k) + 0.5) / (7 * k)
    kinds = [Integer(5, 4 + k), Continuous(0, k - 1, step=1.0)] if k > 1 else []
    for parameter in [*kinds, Categorical(list(range(k))), Ordinal([str(i) for i in range(k)])]:
        counts = {}
        for value in values(parameter, centres):
            counts[value] = counts.get(value, 0) + 1
        assert list(counts.values()) == [7] * k


@quick
@given(st.integers(1, 50), st.integers(1, 300))
def test_a_log_integer_is_the_rounded_exponential_of_a_uniform_number(low, width):
    high = low + width
    span = math.log(high + 0.5) - math.log(low - 0.5)
    for value in {low, low + width // 2, high - 1, high}:
        edges = [(math.log(value + side) - math.log(low - 0.5)) / span for side in (-0.5, 0.5)]
        inside = np.clip([edges[0] + 1e-9, sum(edges) / 2, edges[1] - 1e-9], 0, 1)
        assert values(Integer(low, high, "log"), inside) == [value] * 3
        outside = [u for u in (edges[0] - 1e-9, edges[1] + 1e-9) if 0 <= u <= 1]
        assert value not in values(Integer(low, high, "log"), outside) if outside else True


def test_a_reverse_log_integer_mirrors_a_log_integer():
    u = np.linspace(0, 1, 1001)
    mirrored = [101 - v for v in values(Integer(1, 100, "log"), 1 - u)]
    assert values(Integer(1, 100, "reverse_log"), u) == mirrored


@quick
@given(strategies.integers() | strategies.stepped() | strategies.listed(), st.data())
def test_a_discrete_value_comes_back_from_the_middle_of_its_bin(parameter, data):
    space = one(parameter)
    configs = space.decode(data.draw(strategies.chromosomes(1, 30)))
    assert space.decode(space.encode(configs)) == configs
    assert [type(c["x"]) for c in space.decode(space.encode(configs))] == [type(c["x"]) for c in configs]


@quick
@given(strategies.parameters(), st.data())
def test_values_are_plain_python(parameter, data):
    for config in one(parameter).decode(data.draw(strategies.chromosomes(1))):
        assert type(config["x"]) in (str, int, float, bool, type(None))


def test_the_share_of_a_step_on_a_log_scale_ends_half_a_step_away():
    parameter = Continuous(0.5, 4.5, "log", step=1.0)  # edges 0.25, 1, 2, 3, 4, 5
    edges = np.log(np.array([0.25, 1, 2, 3, 4, 5]) / 0.25) / np.log(5 / 0.25)
    inside = [u for a, b in itertools.pairwise(edges) for u in (a + 1e-9, b - 1e-9)]
    assert values(parameter, inside) == [v for v in (0.5, 1.5, 2.5, 3.5, 4.5) for _ in range(2)]


def test_steps_are_short_decimals():
    assert Space({"x": Continuous(0.1, 0.7, step=0.1)}).grid() == [
        {"x": v} for v in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    ]


def test_one_and_its_float_and_true_are_three_choices():
    space = one(Categorical(["sqrt", 1, 1.0, True, None]))
    configs = space.grid()
    assert [repr(c["x"]) for c in configs] == ["'sqrt'", "1", "1.0", "True", "None"]
    assert len({space.key(c) for c in configs}) == 5
    assert [repr(c["x"]) for c in space.decode(space.encode(configs))] == [repr(c["x"]) for c in configs]
    assert [repr(space.validate(c)["x"]) for c in configs] == [repr(c["x"]) for c in configs]


def test_numbers_of_another_type_are_read_as_the_parameter_has_them():
    space = Space({"n": Integer(1, 9), "o": Ordinal([32, 64]), "f": Continuous(0, 5), "c": Categorical(["a", "b"])})
    config = space.validate({"n": np.int32(3), "o": 64.0, "f": 2, "c": np.str_("b")})
    assert config == {"n": 3, "o": 64, "f": 2.0, "c": "b"}
    assert [type(v) for v in config.values()] == [int, int, float, str]


def test_a_truth_value_is_no_number_and_a_number_no_truth_value():
    for parameter, value in [(Integer(0, 1), True), (Continuous(0, 1), False), (Categorical([True, False]), 1)]:
        with pytest.raises(IllegalValue):
            one(parameter).validate({"x": value})


def test_numpy_scalars_and_enumerations_become_plain_python():
    class Loss(enum.StrEnum):
        HINGE = "hinge"

    space = Space(
        {"x": Categorical([np.int64(3), np.str_("a"), Loss.HINGE]), "y": np.float64(0.5), "z": np.bool_(True)}
    )
    assert [type(v) for v in space.parameters["x"].choices] == [int, str, str]
    assert [type(v) for c in space.decode([[0.0], [0.9]]) for v in c.values()] == [int, float, bool, str, float, bool]


def test_none_is_a_default_where_it_is_a_choice():
    assert one(Categorical([3, None], default=None)).default() == {"x": None}
    assert one(Categorical([3, None])).default() == {"x": 3}
    assert one(Categorical([3, 4], default=None)).default() == {"x": 3}


def test_mid_points_are_taken_on_the_scale():
    space = Space(
        {
            "log": Continuous(1e-4, 1e-2, "log"),
            "int": Integer(1, 3),
            "even": Ordinal([1, 2, 3, 4]),
            "choice": Categorical(["ab"]),
        }
    )
    assert space.default() == {"log": 0.001, "int": 2, "even": 2, "choice": "ab"}


BAD = {
    "low above high": (Continuous(2, 1), "above"),
    "empty range": (Continuous(1, 1), "Static"),
    "empty whole range": (Integer(3, 3), "Static"),
    "infinite": (Continuous(0, math.inf), "finite"),
    "nan": (Continuous(math.nan, 1), "finite"),
    "beyond floats": (Continuous(0, 10**400), "finite"),
    "too wide": (Continuous(-1.7e308, 1.7e308), "too wide"),
    "log of zero": (Continuous(0, 1, "log"), "low > 0"),
    "log integer of zero": (Integer(0, 9, "log"), "low >= 1"),
    "logit at one": (Continuous(0.1, 1, "logit"), "high < 1"),
    "reverse log at one": (Continuous(0.1, 1, "reverse_log"), "high < 1"),
    "too close": (Continuous(1e9, 1e9 + 1e-6, "log"), "too close"),
    "scale": (Continuous(0, 1, "exp"), "scale='exp'"),
    "integer scale": (Integer(1, 9, "logit"), "scale='logit'"),
    "text": (Continuous("0", 1), "must be a number"),
    "bool": (Integer(True, 3), "whole number"),
    "half": (Integer(1, 2.5), "whole number"),
    "infinite integer": (Integer(1, math.inf), "whole number"),
    "too large": (Integer(0, 2**63), r"10\*\*15"),
    "too large for log": (Integer(1, 10**14, "log"), "too large"),
    "off the grid": (Continuous(0, 1, step=0.3), "nearest high is 0.9"),
    "integer off the grid": (Integer(0, 10, step=3), "nearest high is 9"),
    "step too wide": (Integer(0, 2, step=5), "nearest high is 5"),
    "no step": (Integer(0, 2, step=0), "above 0"),
    "tiny step": (Continuous(0, 1, step=1e-9), "million"),
    "no choices": (Categorical([]), "empty"),
    "choices as text": (Categorical("abc"), "must be a list"),
    "choices as set": (Categorical({"a", "b"}), "must be a list"),
    "twice": (Categorical(["a", "b", "a"]), "twice"),
    "object": (Categorical([object]), "must be text"),
    "list": (Categorical([[1], [2]]), "must be text"),
    "nan choice": (Ordinal([1.0, math.nan]), "finite"),
    "huge choice": (Ordinal([1, 10**400]), "too large"),
    "default outside": (Continuous(0, 1, default=2), "default=2"),
    "default not a choice": (Categorical(["a"], default="b"), "default='b'"),
    "default of another kind": (Integer(1, 3, default="2"), "default='2'"),
    "static object": (Static(object()), "static value"),
    "static nan": (Static(math.nan), "static value"),
    "static tuple": (Static((1, 2)), "static value"),
    "static number keys": (Static({1: 2}), "static value"),
    "plain list": ([1, 2], r"Categorical\(\[...\]\)"),
    "plain range": (range(10**12), "plain range"),
    "plain set": ({1, 2}, "plain set"),
    "plain array": (np.arange(3), "plain ndarray"),
    "class": (Continuous, "static value"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_definition_is_refused_with_the_parameters_name_and_the_reason(what):
    parameter, reason = BAD[what]
    with pytest.raises(IllegalDefinition, match=reason) as caught:
        Space({"fine": Integer(1, 3), "learning rate": parameter})
    assert caught.value.parameter == "learning rate"
    assert "'learning rate'" in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", 3, None, "a`b", "x" * 1000])
def test_a_bad_name_is_refused(name):
    with pytest.raises(IllegalDefinition, match="name"):
        Space({name: 1})


def test_whole_floats_are_bounds_of_integers():
    assert one(Integer(2.0, np.float32(5))).parameters["x"] == Integer(2, 5)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Continuous(0, 1), 1.1), (Continuous(0, 1), math.nan), (Continuous(0, 1), "0.5"), (Continuous(0, 1), 10**400),
        (Continuous(0, 1, step=0.1), 0.15), (Integer(0, 9), 2.5), (Integer(0, 9), math.inf), (Integer(0, 9, step=3), 4),
        (Integer(0, 9), None), (Categorical(["a"]), "b"), (Categorical([1, 2]), [1]), (Ordinal([1, 2]), np.arange(2)),
        (Categorical([1, 2]), "1"), (7, 8),
    ],
)  # fmt: skip
def test_an_illegal_value_is_refused_with_name_value_and_reason(parameter, value):
    with pytest.raises(IllegalValue) as caught:
        one(parameter).validate({"x": value})
    assert caught.value.name == "x"
    assert caught.value.value is value
    assert str(caught.value).startswith("x = ")


@quick
@given(strategies.integers(), st.integers(2, 30))
def test_levels_are_distinct_and_reach_both_ends(parameter, resolution):
    levels = [c["x"] for c in one(parameter).grid(resolution)]
    assert levels == sorted(set(levels))
    assert (levels[0], levels[-1]) == (parameter.low, parameter.high)
    assert len(levels) <= resolution


def test_all_values_of_a_log_integer_are_levels_where_the_resolution_allows():
    assert [c["x"] for c in one(Integer(1, 12, "log")).grid(12)] == list(range(1, 13))


def test_static_lists_are_copies_that_no_trial_can_spoil():
    original = [1, {"a": 2}]
    space = Space({"x": Static(original), "n": Integer(1, 3)})
    original.append(3)
    first, second = space.decode([[0.1], [0.9]])
    first["x"][1]["a"] = 99
    assert second["x"] == space.default()["x"] == space.validate({"n": 1})["x"] == [1, {"a": 2}]
