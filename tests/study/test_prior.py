"""Earlier studies of related tasks give a new one its first configurations, and something to learn from."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh

SPACE = {
    "rate": eh.Continuous(1e-4, 1, scale="log"),
    "solver": eh.Categorical(["sgd", "adam"]),
    "momentum": eh.Continuous(0, 1, when={"solver": "sgd"}),
}


def task(best, solver="sgd"):
    def loss(params):
        far = abs(np.log10(params["rate"]) - np.log10(best)) + (params["solver"] != solver)
        return {"loss": float(far + (params.get("momentum", 0.5) - 0.5) ** 2)}

    return loss


def search(objective, space=SPACE, **arguments):
    usual = {"minimize": "loss", "optimizer": "random", "trials": 60, "seed": 1}
    return eh.tune(objective, space, progress=False, **{**usual, **arguments})


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    low = search(task(1e-3), store=folder / "low.db")
    high = search(task(0.3, "adam"), store=folder / "high.db")
    return low, high


def first_ones(study):
    return [t for t in study.trials if t.label == "prior"]


def test_a_study_begins_with_what_did_well_before(earlier):
    study = search(task(2e-3), prior=earlier, trials=8)
    assert [t.number for t in first_ones(study)] == [0, 1, 2, 3, 4]
    alone = search(task(2e-3), trials=8)
    assert study.best.fitness < alone.best.fitness


def test_the_first_ones_are_good_in_one_study_each(earlier):
    first = [t.params for t in first_ones(search(task(2e-3), prior=earlier, trials=8))[:2]]
    assert sorted(p["solver"] for p in first) == ["adam", "sgd"]


def test_paths_and_studies_teach_the_same(earlier):
    stored = search(task(2e-3), prior=[study.store for study in earlier], trials=8)
    assert [t.params for t in stored.trials] == [t.params for t in search(task(2e-3), prior=earlier, trials=8).trials]


def test_one_study_need_not_be_a_list(earlier):
    assert len(first_ones(search(task(2e-3), prior=earlier[0], trials=8))) == 5


def test_another_space_takes_what_fits(earlier):
    space = {
        "rate": eh.Continuous(1e-2, 1, scale="log"),
        "solver": eh.Categorical(["lbfgs", "sgd"]),
        "width": eh.Integer(1, 9),
    }
    study = search(lambda params: params["rate"], space, prior=earlier[:1], trials=6)
    assert {t.params["rate"] for t in first_ones(study)} == {1e-2}
    assert {(t.params["solver"], t.params["width"]) for t in first_ones(study)} == {
        ("sgd", 5),
        ("lbfgs", 5),
    }  # adam is not there


def test_a_killed_study_goes_on_without_its_teachers(earlier, tmp_path):
    whole = search(task(2e-3), prior=earlier, optimizer="ga")
    search(task(2e-3), prior=earlier, optimizer="ga", store=tmp_path / "s.db", trials=3)
    again = search(task(2e-3), optimizer="ga", store=tmp_path / "s.db")
    assert [t.params for t in again.trials] == [t.params for t in whole.trials]


def test_the_users_own_come_first(earlier):
    study = search(task(2e-3), prior=earlier, initial=[{"rate": 0.5}], trials=8)
    assert [t.label for t in study.trials[:2]] == ["initial", "prior"]


def test_a_baseline_is_no_configuration_of_earlier_studies(earlier):
    study = search(task(2e-3), prior=earlier, constraints=["loss <= 2 * baseline"], trials=8)
    assert [t.label for t in study.trials[:2]] == ["baseline", "prior"]


def test_an_optimizer_may_learn_from_all_results(earlier):
    seen = []

    def curious(problem, rng):
        seen.append(problem.prior)
        yield rng.random((4, problem.dim))

    search(task(2e-3), prior=earlier, optimizer=curious, trials=9)
    (X, scores), _ = seen[0]
    assert X.shape == (60, 3)
    assert (scores[0], np.all(np.diff(scores) > 0)) == (0, True)
    assert 0 <= X.min() <= X.max() <= 1


def test_several_objectives_are_ranked_by_domination():
    def two(params):
        return {"a": params["x"] ** 2, "b": (params["x"] - 0.5) ** 2}

    space = {"x": eh.Continuous(-1, 1)}
    before = search(two, space, minimize=["a", "b"])
    study = search(two, space, minimize=["a", "b"], prior=[before], trials=6)
    assert all(-0.02 < t.params["x"] < 0.52 for t in first_ones(study))


@pytest.mark.parametrize(("prior", "what"), [([3], "must be studies"), (["nowhere.db"], "no study there")])
def test_what_is_no_study_is_refused(prior, what):
    with pytest.raises(eh.EvohpoError, match=what):
        search(task(1), prior=prior)


def test_a_study_without_results_is_refused():
    with pytest.raises(eh.UsageError, match="has no results to learn from"):
        search(task(1), prior=[eh.Study(SPACE, minimize="loss", optimizer="random")])
