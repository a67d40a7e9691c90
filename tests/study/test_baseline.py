"""Constraints relative to a baseline: the first trial is it, and it is measured before all others."""

from __future__ import annotations

import pytest

import evohpo as eh
from tests.conftest import untimed

SPACE = {"x": eh.Continuous(0, 1, default=0.2), "kind": eh.Categorical(["a", "b"])}
RELATIVE = {"maximize": "accuracy", "minimize": "size", "constraints": ["accuracy >= 1.5 * baseline"]}


def train(params):
    return {"accuracy": params["x"] + 0.1 * (params["kind"] == "b"), "size": params["x"] ** 2}


def search(objective=train, **arguments):
    usual = {"optimizer": "nsga2", "population": 8, "generations": 3, "seed": 1, "progress": False}
    return eh.tune(objective, eh.Space(SPACE), **{**RELATIVE, **usual, **arguments})


def expected(study):
    """Violations by hand."""
    bound = 1.5 * study.trials[0].metrics["accuracy"]
    return [max(0.0, bound - t.metrics["accuracy"]) / bound for t in study.trials]


def test_without_one_of_the_users_the_defaults_are_the_baseline():
    study = search()
    assert (study.trials[0].params, study.trials[0].label) == ({"x": 0.2, "kind": "a"}, "baseline")
    assert [t.violation for t in study.trials] == pytest.approx(expected(study))
    assert len(study.trials) == 1 + 3 * 8


def test_the_first_configuration_given_is_the_baseline():
    study = search(initial=[{"x": 0.4}, {"x": 0.1}])
    assert study.trials[0].params == {"x": 0.4, "kind": "a"}
    assert [t.violation for t in study.trials] == pytest.approx(expected(study))


def test_a_result_that_is_attached_first_is_the_baseline():
    study = eh.Study(SPACE, **RELATIVE, optimizer="random", seed=1)
    study.attach({"x": 0.5, "kind": "a"}, {"accuracy": 0.6, "size": 1.0}, label="baseline")
    for trial in study.ask(4):
        study.tell(trial, train(trial.params))
    assert [t.violation for t in study.trials] == pytest.approx(expected(study))
    assert study.goals.thresholds == pytest.approx({"accuracy": 0.9})


@pytest.mark.parametrize("optimizer", ["nsga2", "random", "de-steady"])
@pytest.mark.parametrize("workers", [2, 8])
def test_nothing_runs_beside_the_baseline_and_the_table_is_the_same_with_any_number_of_workers(optimizer, workers):
    how = {"optimizer": optimizer, "lookahead": 8, "generations": None, "trials": 20}
    one, many = search(**how), search(workers=workers, evaluator=eh.Threads(workers), **how)
    assert untimed(one).equals(untimed(many))


def test_a_study_goes_on_with_its_baseline(tmp_path):
    store = tmp_path / "s.db"
    search(store=store, generations=1)
    study, other = search(store=store), search()
    assert untimed(study).equals(untimed(other))
    assert eh.load(store).goals.thresholds == study.goals.thresholds != {}


@pytest.mark.parametrize(
    "pruner", [eh.ASHA(9), eh.ASHA(9, kind="promotion"), eh.SuccessiveHalving(4, 9), eh.Hyperband(9)]
)
def test_a_pruner_judges_by_the_baseline_too(pruner):
    def steps(params):
        for step in range(1, 10):
            yield {"accuracy": params["x"] * step / 9, "size": 1 - params["x"]}

    study = search(steps, pruner=pruner)
    assert study.trials[0].ended
    assert all(t.ended for t in study.trials)
    assert [t.violation for t in study.trials] == pytest.approx(expected(study))


def test_a_baseline_that_fails_ends_the_study_with_its_reason(tmp_path):
    def broken(params):
        raise RuntimeError("no data")

    with pytest.raises(eh.UsageError, match=r"the baseline, trial 0, failed \(RuntimeError: no data\)"):
        search(broken, store=tmp_path / "s.db")
    assert eh.load(tmp_path / "s.db").trials[0].failed


def test_results_cannot_be_judged_while_the_baseline_is_out():
    study = eh.Study(SPACE, **RELATIVE, optimizer="random", seed=1)
    (trial,) = study.ask(4)
    assert study.ask(4) == []
    with pytest.raises(eh.UsageError, match="trial 0, the baseline of the constraints, has not ended"):
        study.attach({"x": 0.5, "kind": "a"}, {"accuracy": 0.6, "size": 1.0})
    study.tell(trial, train(trial.params))
    assert len(study.ask(4)) == 4
