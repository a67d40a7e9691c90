"""The slowest trials of a generation do not hold up the next one, where a quorum says so."""

from __future__ import annotations

import time

import pytest

import evohpo as eh

SPACE = {"x": eh.Continuous(0, 1)}
SLOW = 0.8  # above it a trial hangs


def hanging(params):
    if params["x"] > SLOW:
        time.sleep(600)
    return {"loss": params["x"]}


def hanging_in_steps(params):
    for step in range(1, 4):
        yield {"loss": params["x"] + 1 / step}
        if params["x"] > SLOW:
            time.sleep(600)


def search(objective, **arguments):
    usual = {"minimize": "loss", "optimizer": "de", "population": 10, "generations": 3, "workers": 4, "seed": 2}
    return eh.tune(objective, SPACE, progress=False, **{**usual, **arguments})


def test_a_generation_goes_on_without_trials_that_hang(tmp_path):
    study = search(hanging, quorum=0.7, store=tmp_path / "s.db")
    late = [t for t in study.trials if t.params["x"] > SLOW]
    assert 0 < len(late) < len(study.trials) == 30
    for trial in late:
        assert (str(trial.status), trial.kind) == ("failed", "stopped")
        assert trial.error == "too late: its generation went on when 70 % of it had ended"
    assert all(str(t.status) == "completed" for t in study.trials if t not in late)
    assert [t.error for t in eh.load(tmp_path / "s.db").trials] == [t.error for t in study.trials]


def test_what_a_late_trial_has_reported_counts():
    study = search(hanging_in_steps, quorum=0.7)
    late = [t for t in study.trials if t.params["x"] > SLOW]
    assert late
    assert {(str(t.status), t.steps) for t in late} == {("stopped", 1)}
    assert all(t.metrics["loss"] == pytest.approx(t.params["x"] + 1) for t in late)


def taking_its_time(params):
    if params["x"] > SLOW:
        time.sleep(1.6)
    elif params["x"] > 0.4:
        time.sleep(0.3)
    return {"loss": params["x"]}


def test_a_late_trial_is_told_when_it_ends():
    known = []

    def remembering(problem, rng):
        for _ in range(4):
            X = rng.random((6, 1))
            X[0] = 0.9 if not len(known) else 0.3
            yield X
            known.append(problem.known)

    study = search(taking_its_time, optimizer=remembering, population=6, generations=4, quorum=0.5)
    assert {str(t.status) for t in study.trials} == {"completed"}
    assert len(known[0]) == 0
    assert {(number, fitness) for k in known for number, fitness in zip(k.trials, k.F[:, 0], strict=True)} >= {(0, 0.9)}


@pytest.mark.parametrize("end", [{"generations": 2}, {"timeout": 1.5}])  # the latter while late trials run
def test_a_study_with_late_trials_goes_on_to_what_it_would_have_done(tmp_path, recwarn, end):
    search(hanging_in_steps, quorum=0.7, store=tmp_path / "s.db", **end)
    study = search(hanging_in_steps, quorum=0.7, store=tmp_path / "s.db", generations=3)
    assert not [w for w in recwarn if "does not repeat itself" in str(w.message)]
    assert len(study.trials) == 30


def test_an_optimizer_that_follows_every_rung_is_not_told_late():
    study = search(hanging_in_steps, optimizer="dehb", pruner=eh.ASHA(max_steps=3), population=None, quorum=0.7)
    late = [t for t in study.trials if t.params["x"] > SLOW and t.steps == 1 and str(t.status) == "stopped"]
    assert len(study.trials) > len(late)


def test_nobody_is_late_while_all_workers_have_something_to_do():
    def steady(params):
        time.sleep(0.01)
        return {"loss": params["x"]}

    study = search(steady, optimizer="random", generations=None, trials=20, quorum=0.1, evaluator=eh.Threads(4))
    assert {str(t.status) for t in study.trials} == {"completed"}


def test_with_one_worker_a_quorum_changes_nothing():
    def quick(params):
        return {"loss": params["x"]}

    with_quorum, without = search(quick, workers=1, quorum=0.5), search(quick, workers=1)
    assert [t.params for t in with_quorum.trials] == [t.params for t in without.trials]
    assert {str(t.status) for t in with_quorum.trials} == {"completed"}


@pytest.mark.parametrize("quorum", [0, -0.1, 1.5, float("nan")])
def test_an_impossible_quorum_is_refused(quorum):
    with pytest.raises(eh.UsageError, match="must be a share of a generation above 0 and at most 1"):
        search(hanging, quorum=quorum)


def test_each_trial_has_a_device_of_its_own():
    def devices(params, ctx):
        import os

        time.sleep(0.05)
        return {"loss": params["x"], "gpu": float(ctx.resources["gpu"][0]), "seen": os.environ["CUDA_VISIBLE_DEVICES"]}

    study = search(devices, workers=2, gpus=2, generations=1)
    assert {(t.metrics["gpu"], t.metrics["seen"]) for t in study.trials} == {(0.0, "0"), (1.0, "1")}


def test_devices_of_an_evaluator_are_its_own_affair():
    with pytest.raises(eh.UsageError, match=r"gpus= is for trials on this machine"):
        search(hanging, gpus=2, evaluator=eh.Threads(2))
