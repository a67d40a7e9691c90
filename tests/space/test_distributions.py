"""Spaces from scikit-learn style dicts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as stats

from evohpo.errors import IllegalDefinition
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space, Static


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["a", "b"], Categorical(("a", "b"))), ([1, 2], Categorical((1, 2))), ([3, 1, 2], Ordinal((3, 1, 2))),
        ((0.1, 1, 10), Ordinal((0.1, 1, 10))),
        ([3, 5, None], Categorical((3, 5, None))), ([True, False, 3], Categorical((True, False, 3))),
        (np.array([1, 2, 4]), Ordinal((1, 2, 4))),
        (np.array(["a", "b", "c"]), Categorical(("a", "b", "c"))), (range(2, 10, 2), Integer(2, 8, step=2)),
        (range(5, 1, -1), Integer(2, 5)),
        (range(2), Categorical((0, 1))), (stats.uniform(1, 4), Continuous(1.0, 5.0)),
        (stats.loguniform(1e-4, 0.1), Continuous(1e-4, 0.1, "log")),
        (stats.reciprocal(a=1e-4, b=0.1), Continuous(1e-4, 0.1, "log")), (stats.randint(1, 10), Integer(1, 9)),
        (stats.randint(3, 4), Static(3)),
        (stats.beta(2, 3), Continuous(0.0, 1.0)), (stats.truncnorm(-1, 2, loc=1), Continuous(0.0, 3.0)),
        (stats.binom(5, 0.5), Integer(0, 5)),
        (7, Static(7)), ("a", Static("a")), (None, Static(None)), ([4], Static(4)), (Static([1, 2]), Static([1, 2])),
        ([[50, 50]], Static([50, 50])), (Integer(1, 3), Integer(1, 3)),
    ],
)  # fmt: skip
def test_a_list_or_distribution_means_a_parameter(given, meant):
    assert Space.from_distributions({"x": given}).parameters["x"] == meant


@pytest.mark.parametrize(
    "given", [stats.norm(0, 1), stats.expon(), stats.poisson(3), stats.loguniform(1, 10, loc=5), stats.halfcauchy()]
)
def test_what_has_no_bounds_or_scale_is_refused_with_advice(given):
    with pytest.raises(IllegalDefinition, match="give Continuous") as caught:
        Space.from_distributions({"fine": [1, 2], "alpha": given})
    assert caught.value.parameter == "alpha"


@pytest.mark.parametrize(
    "given", [[], [(1, 2), (3, 4)], {1, 2}, [1, 1, 2], object(), np.zeros((2, 2)), [object(), object()]]
)
def test_what_no_parameter_can_be_is_refused_with_its_name(given):
    with pytest.raises(IllegalDefinition) as caught:
        Space.from_distributions({"alpha": given})
    assert caught.value.parameter == "alpha"


def test_a_dict_is_needed():
    with pytest.raises(IllegalDefinition, match="dict"):
        Space.from_distributions([{"a": [1]}])


def test_the_draws_of_scipy_lie_in_the_space():
    given = {"u": stats.uniform(-1, 3), "l": stats.loguniform(1e-3, 10), "r": stats.randint(-3, 5), "c": ["a", "b"]}
    space = Space.from_distributions(given, ["u < l or c == 'a'"])
    for seed in range(50):
        draw = {n: d.rvs(random_state=seed) for n, d in given.items() if n != "c"}
        assert space.validate({**draw, "c": "a"}).keys() == given.keys()
