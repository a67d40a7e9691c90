"""Rung levels, brackets, and the last step of a trial."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.pruners.steps import max_steps_of
from evohpo.trials.brackets import halving, levels, plan


@pytest.mark.parametrize(
    ("min_steps", "max_steps", "eta", "expected"),
    [
        (1, 81, 3, [1, 3, 9, 27, 81]),
        (1, 56, 3, [1, 3, 9, 27, 56]),
        (1, 1000, 10, [1, 10, 100, 1000]),  # a logarithm in floating point ends at 100
        (1, 243, 3, [1, 3, 9, 27, 81, 243]),
        (2, 50, 4, [2, 8, 32, 50]),
        (5, 5, 3, [5]),
    ],
)
def test_rungs_are_powers_of_eta_and_the_last_step(min_steps, max_steps, eta, expected):
    assert levels(min_steps, max_steps, eta) == expected
    assert eh.ASHA(max_steps=max_steps, min_steps=min_steps, eta=eta).rungs == expected


@given(st.integers(1, 50), st.integers(0, 5000), st.integers(2, 10))
def test_rungs_grow_by_eta_up_to_the_last_step_whatever_the_numbers(min_steps, more, eta):
    rungs = levels(min_steps, min_steps + more, eta)
    assert rungs[0] == min_steps
    assert rungs[-1] == min_steps + more
    assert all(b == a * eta for a, b in pairwise(rungs[:-1]))
    assert all(a < b <= a * eta for a, b in pairwise(rungs))


def test_hyperband_has_the_brackets_of_dask_ml():
    """Figures of Dask-ML's HyperbandSearchCV for max_iter=27."""
    brackets = plan(27)
    assert [(b.n, b.rungs, b.sizes) for b in brackets] == [
        (27, (1, 3, 9, 27), (27, 9, 3, 1)),
        (12, (3, 9, 27), (12, 4, 1)),
        (6, (9, 27), (6, 2)),
        (4, (27,), (4,)),
    ]
    assert [b.steps for b in brackets] == [81, 78, 90, 108]
    assert (sum(b.n for b in brackets), sum(b.steps for b in brackets)) == (49, 357)


def test_hyperband_has_the_brackets_of_the_paper():
    """Li et al. (2018), table 1: R = 81, eta = 3."""
    assert [list(zip(b.sizes, b.rungs, strict=True)) for b in plan(81)] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_successive_halving_ends_with_one_trial_of_all_steps():
    assert halving(10, 2, 50, 3).rungs == (2, 6, 50)
    assert halving(1, 1, 50, 3).rungs == (50,)
    assert halving(100, 1, 8, 2).sizes == (100, 50, 25, 12)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"epochs": 81}, 81),
        ({"max_epochs": eh.Integer(10, 50)}, 50),
        ({"max-epochs": eh.Ordinal([10, 20])}, 20),
        ({"num_epoch": eh.Integer(10, 40)}, 40),
        ({"x": 5}, None),
        ({"epochs": "many"}, None),
    ],
)
def test_the_last_step_is_found_in_the_space(parameters, expected):
    assert max_steps_of(eh.Space(parameters | {"rate": eh.Continuous(0, 1)})) == expected


def test_a_pruner_takes_the_last_step_from_the_space():
    study = eh.Study({"x": eh.Continuous(0, 1), "epochs": 9}, minimize="loss", pruner=eh.ASHA(), optimizer="random")
    assert study.pruner.rungs == [1, 3, 9]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: eh.ASHA(max_steps=0), "max_steps=0"),
        (lambda: eh.ASHA(max_steps=9, eta=1), "eta=1"),
        (lambda: eh.ASHA(max_steps=9, min_steps=10), "max_steps=9.*at least 10"),
        (lambda: eh.ASHA(max_steps=9, kind="halving"), "'stopping', 'promotion'"),
        (lambda: eh.ASHA(rungs=[3, 1]), "steps that grow"),
        (lambda: eh.ASHA(rungs=[1, 30], max_steps=9), "no rung may be above"),
        (lambda: eh.ASHA(max_steps=9, brackets=0), "brackets=0"),
        (lambda: eh.Hyperband(max_steps=2.5), "max_steps=2.5"),
        (lambda: eh.SuccessiveHalving(0, max_steps=9), "n=0"),
        (lambda: eh.Percentile(100), "percentile=100"),
        (lambda: eh.Median(min_trials=0), "min_trials=0"),
        (lambda: eh.Plateau(patience=0), "patience=0"),
        (lambda: eh.Plateau(tol=-1), "tol=-1"),
        (lambda: eh.Median() & eh.Hyperband(9), "Hyperband pauses trials"),
        (lambda: eh.Median() | 3, "no pruner"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(make, says):
    with pytest.raises(UsageError, match=says):
        make()


@pytest.mark.parametrize("pruner", [eh.ASHA(), eh.PASHA(), eh.Hyperband(), eh.SuccessiveHalving(9)])
def test_without_a_last_step_it_says_how_to_give_one(pruner):
    with pytest.raises(UsageError, match=r"max_steps=\.\.\..*'epochs'"):
        eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", pruner=pruner, optimizer="random")
