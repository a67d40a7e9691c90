"""What a comparison says: tables, ranks, differences, verdicts."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh
from evohpo.bench import Comparison, statistics
from evohpo.bench.running import Run
from evohpo.errors import UnknownName, UsageError
from evohpo.optimizers.registry import get

FIRST = 1e4


def problem(name="line", **known):
    return eh.problems.Problem(
        name, lambda p: p["x"], eh.Space({"x": eh.Continuous(0, 9)}), eh.Goals.of(minimize="loss"), **known
    )


def made(ends, problems=None, **known):
    """A comparison of which only the last of three trials differs: `ends[label]` has values `(problems, seeds)`."""
    arrays = {label: np.atleast_2d(np.asarray(values, float)) for label, values in ends.items()}
    n_problems, n_seeds = next(iter(arrays.values())).shape
    problems = problems or [problem(f"p{k}" if n_problems > 1 else "line", **known) for k in range(n_problems)]
    runs = {}
    for label, values in arrays.items():
        for k in range(n_problems):
            for seed in range(n_seeds):
                F = np.array([[FIRST], [FIRST], [values[k, seed]]])
                nothing = np.zeros(3)
                runs[k, label, seed] = Run(F, nothing, None, nothing, 0, 0.03, 3, "", ())
    return Comparison(problems, list(arrays), range(n_seeds), 3, runs)


def noise(n, scale=1.0):
    return scale * np.random.default_rng(n).random(n)


def test_a_gap_is_found_and_its_size_is_told():
    values = noise(10)
    comparison = made({"good": values, "bad": values + 2})
    assert comparison.verdict().splitlines()[0] == (
        "good is better than bad: in 10 of 10 seeds, by 2 of loss in the median (2 to 2), p = 0.002."
    )
    row = comparison.differences().iloc[0]
    assert (row["better"], row["a_wins"], row["b_wins"], row["difference"]) == ("good", 10, 0, pytest.approx(-2))


def test_no_gap_is_no_difference():
    text = made({"one": noise(10), "two": noise(10)[::-1]}).verdict()
    assert text.startswith("No difference between one and two: ")


def test_equal_results_are_no_difference():
    text = made({"one": noise(10), "two": noise(10)}).verdict()
    assert text.startswith("No difference between one and two: all 10 seeds ended alike.")


def test_too_few_seeds_are_said_to_be_too_few():
    comparison = made({"good": noise(4), "bad": noise(4) + 2})
    assert "4 pairs of runs are too few to show a difference between 2 optimizers: it takes 7" in comparison.verdict()
    assert "too few" not in made({"good": noise(7), "bad": noise(7) + 2}).verdict()
    assert made({"good": noise(7), "bad": noise(7) + 2}).verdict().startswith("good is better")


def test_the_best_of_many_is_told_from_its_equals_and_from_the_rest():
    comparison = made({"bad": noise(12) + 5, "one": noise(12), "two": noise(12)[::-1], "worst": noise(12) + 8})
    first, *rest = comparison.verdict().splitlines()
    assert "has the best mean rank; no difference between it and" in first
    assert sum("is better than" in line for line in rest) == 2
    assert "Better too: " in "".join(rest)
    assert "bad than worst" in "".join(rest)


def test_of_many_equals_none_is_named():
    same = {name: np.random.default_rng(k).random(10) for k, name in enumerate("abcd")}
    assert made(same).verdict().startswith("No difference between ")


def test_a_gap_over_problems_of_different_scale_is_found():
    scale = np.array([[1.0], [1000.0], [1e-3]])
    values = scale * np.random.default_rng(1).random((3, 6))
    comparison = made({"good": values, "bad": values + scale, "worse": values + 2 * scale})
    assert comparison.verdict().splitlines()[0] == "good is better than all others."
    assert comparison.differences().attrs["friedman"] == pytest.approx(0.0498, abs=1e-3)
    assert "critical difference of mean ranks" in comparison.verdict()


def test_a_maximized_metric_and_its_sign():
    values = noise(10)
    flipped = eh.problems.Problem("line", abs, eh.Space({"x": eh.Continuous(0, 9)}), eh.Goals.of(maximize="score"))
    comparison = made({"low": -values, "high": -values - 3}, [flipped])
    assert comparison.values()[0, :, -1] == pytest.approx(values)
    assert comparison.verdict().startswith("high is better than low")
    assert comparison.table()["mean"].tolist() == pytest.approx([values.mean() + 3, values.mean()])


def test_regret_is_0_at_the_optimum_and_1_at_the_first_trials():
    known = made({"a": [4.0, 2.0], "b": [4.0, 6.0]}, optimum=2.0)
    assert known.regrets[0, :, :, -1].tolist() == [[2 / 9998, 0], [2 / 9998, 4 / 9998]]
    assert (known.regrets[..., 0] == 1).all()
    assert made({"a": [4.0, 3.0], "b": [4.0, 6.0]}).regrets.min() == 0


def test_a_table_has_means_with_intervals_and_the_cost_of_proposals():
    values = noise(10)
    row = made({"good": values, "bad": values + 2}).table().iloc[0]
    assert row["optimizer"] == "good"
    assert row["mean"] == pytest.approx(values.mean())
    assert row["median"] == pytest.approx(np.median(values))
    assert values.min() < row["low"] < row["mean"] < row["high"] < values.max()
    assert row["cpu"] == pytest.approx(0.01)
    assert (row["rank"], row["failed"], row["without"]) == (1, 0, 0)


def test_units_are_left_out_over_several_problems_and_there_for_one():
    comparison = made({"a": [[1, 2], [3, 4]], "b": [[2, 3], [1, 2]]})
    assert "mean" not in comparison.table()
    assert comparison.table("p1").set_index("optimizer").loc["a", "mean"] == 3.5
    with pytest.raises(UnknownName, match="p1"):
        comparison.table("p2")
    with pytest.raises(UsageError, match="say which problem"):
        comparison.values()


def test_ranks_share_ties_and_tell_each_problem():
    ranks = made({"a": [[1, 2], [5, 5]], "b": [[1, 3], [4, 4]]}).ranks().set_index("optimizer")
    assert ranks.loc["a", ["rank", "p0", "p1", "first"]].tolist() == [1.625, 1.25, 2.0, 0.5]
    assert ranks.loc["b", "rank"] == 1.375


def test_all_can_be_asked_after_fewer_trials():
    comparison = made({"good": noise(10), "bad": noise(10) + 2})
    assert comparison.verdict(at=2).startswith("No difference")
    assert comparison.ranks(at=1)["rank"].tolist() == [1.5, 1.5]
    assert (comparison.table(at=1)["mean"] == FIRST).all()
    with pytest.raises(UsageError, match="from 1 to 3"):
        comparison.ranks(at=4)


def test_bootstrap_intervals_hold_the_mean_about_as_often_as_they_say():
    draws = np.random.default_rng(0).standard_normal((300, 1, 25))
    held = [low <= 0 <= high for low, high in map(statistics.interval, draws)]
    assert 0.88 < np.mean(held) < 0.98


@pytest.mark.slow
def test_copies_of_one_algorithm_do_not_differ_in_95_of_100_seeds_and_a_gap_is_found():
    def copy(key):
        def de(problem, rng):
            yield from get("de").target(problem, np.random.default_rng([int(rng.integers(2**32)), key]), population=6)

        return de

    wrong, found = 0, 0
    for k in range(100):
        seeds = range(10 * k, 10 * k + 10)
        same = eh.compare("sphere/2", {"one": copy(1), "two": copy(2)}, trials=24, seeds=seeds, progress=False)
        wrong += not same.verdict().startswith("No difference between one and two")
        if k < 20:
            gap = eh.compare("sphere/2", ["cmaes", "random"], trials=80, seeds=seeds, progress=False)
            found += gap.verdict().startswith("cmaes is better than random")
    assert wrong <= 5
    assert found == 20
