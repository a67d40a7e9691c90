"""What a study does with pruners: what optimizers are told, what is kept, and how it goes on after a kill."""

import contextlib
import shutil
import sqlite3

import numpy as np
import pytest

import evohpo as eh
from evohpo.pruners.naming import describe_pruner
from tests.conftest import untimed
from tests.pruners.conftest import curve
from tests.pruners.test_product import walk

SPACE = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
STEADY = {"asha": eh.ASHA(27), "promotion": eh.ASHA(27, kind="promotion"), "pasha": eh.PASHA(27), "median": eh.Median(),
          "hyperband": eh.Hyperband(27), "halving": eh.SuccessiveHalving(9, 27),
          "either": eh.ASHA(27, kind="promotion") | eh.Plateau(2, 0.01)}  # fmt: skip


def start(pruner, optimizer="ga", store=None, **more):
    return eh.Study(
        SPACE, minimize="loss", optimizer=optimizer, pruner=pruner, population=6, seed=1, store=store, **more
    )


@pytest.mark.parametrize("optimizer", ["ga", "random", walk, "dehb"], ids=lambda o: o if isinstance(o, str) else "user")
@pytest.mark.parametrize("name", STEADY)
def test_killed_after_any_event_a_study_ends_with_the_same_table(tmp_path, name, optimizer):
    pruner, trials = STEADY[name], 14
    full, cut = tmp_path / "full.db", tmp_path / "cut.db"
    whole = start(pruner, optimizer, full).run(curve, trials=trials, progress=False)
    with contextlib.closing(sqlite3.connect(full)) as db:
        last = db.execute("SELECT MAX(id) FROM events").fetchone()[0]
    for event in range(2, last, max(1, last // 12)):
        shutil.copy(full, cut)
        with contextlib.closing(sqlite3.connect(cut)) as db, db:
            db.execute("DELETE FROM events WHERE id > ?", (event,))
        again = start(pruner, optimizer, cut).run(curve, trials=trials, progress=False)
        tables = [untimed(study) for study in (whole, again)]
        assert tables[0].equals(tables[1]), f"killed after event {event}"
        assert whole.curves().equals(again.curves()), f"killed after event {event}"


def test_a_killed_trial_goes_on_after_its_last_report_and_the_table_says_how(tmp_path):
    calls = []

    def objective(params):
        for metrics in curve(params):
            calls.append(1)
            if len(calls) == 40:
                raise KeyboardInterrupt
            yield metrics

    study = start(eh.ASHA(27), store=tmp_path / "study.db").run(objective, trials=10, progress=False)
    broken = next(t for t in study.trials if not t.ended)
    reached = broken.steps
    assert study.stopped == {"interrupted": True}
    study = start(eh.ASHA(27), store=tmp_path / "study.db").run(objective, trials=10, progress=False)
    row = study.table().loc[broken.number]
    assert (row["resumed"], row["steps"] >= reached) == ("re-run", True)
    steps = study.curves().query(f"number == {broken.number}")["step"]
    assert list(steps) == list(range(1, row["steps"] + 1))  # none is lost, none is there twice


def test_what_is_reported_is_kept_of_stopped_failed_and_unfinished_trials():
    def objective(params):
        yield from (m for s, m in enumerate(curve(params), 1) if s <= 5)
        raise ValueError("no more")

    study = start(None).run(objective, trials=3, progress=False)
    assert list(study.curves()["step"]) == [1, 2, 3, 4, 5] * 3
    trial = start(None).ask()[0]
    study = start(None)
    trial = study.ask()[0]
    study.report(trial, 3, {"loss": 1.0})
    assert len(study.curves()) == 1


# ---- what optimizers are told


class Listener:
    """An optimizer that writes down what it is told."""

    def __init__(self, problem, rng):
        self.dim, self.rng, self.told = problem.dim, rng, []
        Listener.last = self

    def ask(self, n):
        return self.rng.random((n, self.dim))

    def tell(self, results):
        self.told += zip(
            results.trials.tolist(), results.numbers.tolist(), results.steps.tolist(), results.F[:, 0].tolist(),
            results.final.tolist(), strict=True,
        )  # fmt: skip


@eh.optimizer("test.levels", fidelity=True)
class Levels(Listener):
    """One that wants to know of every rung."""


def by_hand(study, losses):
    """Report losses, one list a trial, until the pruner says otherwise; one more trial is begun, so that all is told."""
    for curve_ in losses:
        trial = study.ask()[0]
        for step, loss in enumerate(curve_, 1):
            if study.report(trial, step, {"loss": loss}) is not eh.Decision.CONTINUE:
                break
        else:
            study.tell(trial, {"loss": curve_[-1]})
    study.ask()
    return Listener.last.told


def test_a_stopped_trial_is_told_no_better_than_one_that_came_further():
    study = start(eh.ASHA(9, eta=3), Listener)
    told = by_hand(study, [[5.0] * 9, [4.0] * 9, [6.0] * 9, [4.5] * 9])
    assert [(number, steps, F) for _, number, steps, F, _ in told] == [
        (0, 9, 5.0),
        (1, 9, 4.0),
        (2, 1, 6.0),  # worse than all that came further as it is
        (3, 3, 5.0),  # 4.5 at step 3 is not to be better than 5.0 at step 9
    ]
    assert study.trials[3].metrics == {"loss": 4.5}  # what people see is what was measured


def test_results_of_one_step_are_moved_together_behind_those_that_came_further():
    study = start(eh.ASHA(9, eta=3), Listener)
    by_hand(study, [[1.0] * 3 + [50.0] * 6, [1.0] * 3 + [40.0] * 6, [1.0] * 9])
    told = {n: F for n, _, _, F, _ in by_hand(study, [[2.0], [3.0], [2.5]])}
    assert told == {0: 50.0, 1: 40.0, 2: 1.0, 4: 50.0, 5: 51.0, 6: 50.5}


def test_the_optimizer_with_an_eye_for_fidelity_is_told_every_rung_as_measured():
    study = start(eh.ASHA(9, eta=3), "test.levels")
    told = by_hand(study, [[9 - s for s in range(9)], [1.0] * 9])
    assert [(n, steps, F, final) for n, number, steps, F, final in told if n == 0 and number == 0] == [
        (0, 1, 9.0, False), (0, 3, 7.0, False), (0, 9, 1.0, True)
    ]  # fmt: skip


def test_a_paused_trial_is_told_at_its_pause_and_when_it_went_on_as_a_stranger():
    study = start(eh.ASHA(9, eta=2, kind="promotion"), Listener)
    first, second = study.ask(2)
    assert study.report(first, 1, {"loss": 1.0}) is eh.Decision.PAUSE
    assert study.report(second, 1, {"loss": 2.0}) is eh.Decision.PAUSE
    again = study.ask()[0]
    assert (again.number, again.steps, str(second.status)) == (0, 1, "paused")
    study.ask()  # from here on the optimizer is seen not to wait
    study.ask()
    assert [(n, number, steps) for n, number, steps, *_ in Listener.last.told] == [(0, 0, 1), (1, 1, 1)]
    assert study.report(first, 2, {"loss": 0.5}) is eh.Decision.PAUSE
    study.ask()
    assert [(n, number, steps) for n, number, steps, *_ in Listener.last.told][2:] == [(0, -1, 2)]


def test_a_generator_with_an_eye_for_fidelity_gets_rungs_behind_the_results_of_its_generation():
    seen = []

    @eh.optimizer("test.rungs", fidelity=True, told="results")
    def rungs(problem, rng):
        while True:
            seen.append((yield rng.random((4, problem.dim))))

    eh.tune(curve, SPACE, minimize="loss", optimizer="test.rungs", pruner=eh.ASHA(9), trials=8, seed=1, progress=False)
    told = seen[0]
    assert told.final[:4].all()
    assert not told.final[4:].any()
    assert sorted(set(told.steps[4:].tolist())) == [1, 3]
    assert set(told.trials[4:].tolist()) <= set(told.trials[:4].tolist())


# ---- ask and tell


def test_ask_returns_paused_trials_that_may_go_on_and_ends_those_that_may_not():
    study = start(eh.SuccessiveHalving(3, max_steps=9), "random")
    trials = study.ask(3)
    for trial, loss in zip(trials, [3.0, 1.0, 2.0], strict=True):
        assert study.report(trial, 3**0, {"loss": loss}) is eh.Decision.PAUSE
    again = study.ask(1)
    assert [t.number for t in again] == [1]
    assert [str(t.status) for t in trials] == ["stopped", "running", "stopped"]
    assert study.report(again[0], 9, {"loss": 0.5}) is eh.Decision.STOP
    assert str(trials[1].status) == "completed"


def test_a_generation_of_paused_trials_is_raced_to_its_end_before_the_next_one():
    study = start(eh.ASHA(9, kind="promotion"), "ga").run(curve, trials=18, progress=False)
    by_generation = [[str(t.status) for t in study.trials if t.generation == g] for g in range(3)]
    assert all(statuses.count("stopped") >= 2 for statuses in by_generation)
    assert study.ledger.history[0] is not None


def test_a_study_does_not_share_its_pruner():
    pruner = eh.ASHA(27)
    tables = [untimed(start(pruner).run(curve, trials=12, progress=False)) for _ in range(2)]
    assert tables[0].equals(tables[1])


def test_a_duplicate_of_a_paused_trial_waits_for_its_end():
    @eh.optimizer("test.same")
    class Same:
        def ask(self, n):
            return np.full((1, 2), 0.5)

        def tell(self, results):
            pass

    study = start(eh.Hyperband(9), "test.same").run(curve, trials=5, progress=False)
    assert {str(t.status) for t in study.trials} <= {"completed", "stopped"}
    assert [t.job for t in study.trials[1:]] == ["reused 0"] * 4


# ---- names, and what the store keeps


def test_a_pruner_can_be_given_by_its_name():
    study = eh.Study(SPACE | {"epochs": 9}, minimize="loss", pruner="asha", optimizer="random")
    assert study.pruner.rungs == [1, 3, 9]
    with pytest.raises(eh.UnknownName, match="asha"):
        eh.Study(SPACE, minimize="loss", pruner="ash", optimizer="random")


@pytest.mark.parametrize(
    "pruner", [eh.ASHA(27, eta=2), eh.Hyperband(max_steps=9) | eh.Plateau(tol=0.1), eh.ASHA(rungs=[1, 4])]
)
def test_a_store_knows_its_pruner_and_refuses_another_one(tmp_path, pruner):
    path = tmp_path / "study.db"
    start(pruner, store=path).run(curve, trials=3, progress=False)
    with eh.load(path) as study:
        assert study.settings.pruner == describe_pruner(pruner) == describe_pruner(study.pruner)
    with pytest.raises(eh.UsageError, match=r"pruner\.name is .* there and \"median\" here"):
        start(eh.Median(), store=path)
    with pytest.raises(eh.UsageError, match=r"pruner is .* there and null here"):
        start(None, store=path)
    with start(pruner, store=path) as study:
        assert len(study.trials) == 3


def test_a_pruner_of_the_users_own_is_asked_for_when_a_study_goes_on(tmp_path):
    path = tmp_path / "study.db"
    start(Own(), store=path).run(curve, trials=3, progress=False)
    with start(Own(), store=path) as study:
        assert {t.steps for t in study.run(curve, trials=6, progress=False).trials} == {3}


class Own:
    """No more than `report`."""

    def report(self, trial, step, value):
        return eh.Decision.STOP if step >= 3 else eh.Decision.CONTINUE
