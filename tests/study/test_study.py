"""Ask and tell by hand, baselines, duplicates, results that are none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import loss

SPACE = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}


def sphere(params):
    return params["x"] ** 2 + params["y"] ** 2


def new(**arguments):
    return eh.Study(SPACE, **{"minimize": "loss", "optimizer": "de", "population": 6, "seed": 1, **arguments})


def test_ask_and_tell_by_hand_improve():
    study = new()
    for _ in range(30):
        for trial in study.ask(4):
            study.tell(trial, {"loss": sphere(trial.params)})
    assert study.best.metrics["loss"] < 0.05
    assert study.best.params["x"] == pytest.approx(0, abs=0.3)


def test_a_generational_optimizer_has_nothing_to_give_until_its_generation_is_told():
    study = new()
    trials = study.ask(20)
    assert len(trials) == 6
    assert study.ask(1) == []
    for trial in trials[:-1]:
        study.tell(trial, sphere(trial.params))
    assert study.ask(1) == []
    study.tell(trials[-1], sphere(trials[-1].params))
    assert len(study.ask(20)) == 6


def test_a_steady_optimizer_always_has_a_proposal():
    study = new(optimizer="de-steady")
    assert len(study.ask(50)) == 50


def test_maximising_is_minimising_the_negative():
    down = eh.tune(sphere, SPACE, minimize="m", optimizer="ga", trials=60, seed=4, progress=False)
    up = eh.tune(lambda p: -sphere(p), SPACE, maximize="m", optimizer="ga", trials=60, seed=4, progress=False)
    assert [t.params for t in down.trials] == [t.params for t in up.trials]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "None"), (math.nan, "not a finite number"), (math.inf, "not a finite number"), ("0.5", "str"),
        ({"los": 1.0}, "what came: 'los'"), ({}, "what came: nothing"), ({"loss": None}, "None"), (np.zeros(3), "shape (3,)"),
        ({"loss": [1]}, "list"), (True, "bool"), ({"loss": "0.3"}, "str"), ([1.0], "list"), ({3: 1.0}, "int"), (1j, "complex"),
    ],
)  # fmt: skip
def test_a_result_that_is_none_is_a_failure_with_its_reason(value, reason):
    study = eh.tune(lambda _: value, SPACE, minimize="loss", optimizer="random", trials=2, seed=1, progress=False)
    assert {t.status for t in study.trials} == {eh.Status.FAILED}
    assert reason in study.trials[0].error
    assert list(study.table()["error"]) == [t.error for t in study.trials]


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.array(0.5), {"loss": np.float64(0.5)}, {"loss": 0.5, "note": "fine", "extra": 3}]
)
def test_numbers_of_any_make_are_results(value):
    study = eh.tune(lambda _: value, SPACE, minimize="loss", optimizer="random", trials=1, seed=1, progress=False)
    assert study.best.metrics["loss"] == 0.5
    assert type(study.best.metrics["loss"]) is float


def test_further_metrics_are_kept():
    study = new()
    (trial,) = study.ask(1)
    study.tell(trial, {"loss": 1.0, "seconds_to_train": 3, "gap": math.nan})
    assert study.table()["seconds_to_train"][0] == 3


def test_a_trial_ends_once():
    study = new()
    (trial,) = study.ask(1)
    study.tell(trial, 1.0)
    with pytest.raises(eh.UsageError, match="ended already"):
        study.tell(trial, 2.0)
    with pytest.raises(eh.UsageError, match="no trial 99"):
        study.tell(99, 2.0)


def test_an_error_told_by_hand_is_a_failure():
    study = new()
    (trial,) = study.ask(1)
    study.tell(trial, error=RuntimeError("out of memory"))
    assert trial.status is eh.Status.FAILED
    assert trial.error == "RuntimeError: out of memory"


def test_a_baseline_is_a_trial_of_its_own_and_reaches_the_optimizer():
    told = []

    class Listens:
        def __init__(self, problem, rng):
            self.rng, self.dim = rng, problem.dim

        def ask(self, n):
            return self.rng.random((n, self.dim))

        def tell(self, results):
            told.extend(zip(results.numbers.tolist(), results.F[:, 0].tolist(), results.X.tolist(), strict=True))

    study = new(optimizer=Listens)
    trial = study.attach({"x": 0.5, "y": -0.5}, {"loss": 0.5}, label="baseline")
    study.ask(1)
    assert (trial.number, trial.label, trial.status) == (0, "baseline", eh.Status.COMPLETED)
    assert told == [(-1, 0.5, [0.75, 0.25])]
    assert study.table()["label"][0] == "baseline"


def test_a_baseline_outside_the_space_is_refused_with_its_name():
    study = new()
    with pytest.raises(eh.IllegalValue, match="x = 3"):
        study.attach({"x": 3, "y": 0}, {"loss": 0.5})
    with pytest.raises(eh.IllegalValue, match="loss"):
        study.attach({"x": 0.3, "y": 0}, {"los": 0.5})
    assert study.trials == []


def test_a_table_of_earlier_results_is_attached_and_bad_rows_are_named(tmp_path, mixed_space):
    rows = pd.DataFrame([{**c, "loss": loss(c)} for c in mixed_space.sample(100, np.random.default_rng(1))])
    rows.loc[7, "learning_rate"] = 5.0
    rows.to_csv(tmp_path / "rows.csv", index=False)
    study = eh.Study(mixed_space, minimize="loss", optimizer="ga", seed=1)
    with pytest.warns(eh.EvohpoWarning, match=r"1 of 100 rows not attached: row 7: learning_rate = 5.0"):
        trials = study.attach(tmp_path / "rows.csv", label="last year")
    assert len(trials) == 99
    assert {t.label for t in trials} == {"last year"}
    assert study.best.metrics["loss"] == pytest.approx(rows.drop(index=7)["loss"].min())
    population = study.ask(20)
    for trial in population:
        study.tell(trial, loss(trial.params))
    children = study.ask(20)
    assert np.mean([loss(t.params) for t in children]) < rows["loss"].mean()


def test_initial_configurations_come_first_completed_by_the_mid_point(mixed_space):
    study = eh.tune(
        loss,
        mixed_space,
        minimize="loss",
        optimizer="ga",
        trials=5,
        initial=[{"layers": 2}, {"solver": "adam"}],
        seed=1,
        progress=False,
    )
    assert [t.label for t in study.trials] == ["initial", "initial", "", "", ""]
    assert study.trials[0].params["layers"] == 2
    assert study.trials[0].params["learning_rate"] == pytest.approx(10**-2.5)
    assert "momentum" not in study.trials[1].params


def test_a_duplicate_costs_nothing():
    calls = []

    def count(params):
        calls.append(params)
        return float(params["a"])

    study = eh.tune(
        count, {"a": eh.Integer(0, 3)}, minimize="loss", optimizer="random", trials=60, seed=1, progress=False
    )
    assert len(study.trials) == 60
    assert len(calls) == 4
    assert all(t.metrics["loss"] == t.params["a"] for t in study.trials)
    assert sum(t.job.startswith("reused") for t in study.trials) == 56


def test_a_duplicate_of_a_running_trial_waits_for_it():
    study = eh.Study({"a": eh.Integer(0, 1)}, minimize="loss", optimizer="random", seed=1)
    trials = study.ask(5)
    assert len(trials) == 2
    study.tell(trials[0], 3.0)
    assert all(t.metrics["loss"] == 3.0 for t in study.trials if t.params == trials[0].params)


def test_a_store_with_a_duplicate_of_a_failed_trial_opens_again(tmp_path):
    def objective(params):
        if params["a"] == 1:
            raise ValueError("one")
        return float(params["a"])

    study = eh.tune(
        objective, {"a": eh.Integer(0, 3)}, minimize="loss", optimizer="random", trials=20, seed=1,
        store=tmp_path / "study.db", progress=False,
    )  # fmt: skip
    assert any(t.failed and t.job.startswith("reused") for t in study.trials)
    study.close()
    pd.testing.assert_frame_equal(eh.load(tmp_path / "study.db").table(), study.table())


def test_duplicates_are_measured_again_where_asked_for():
    calls = []
    eh.tune(
        lambda p: calls.append(p) or 1.0, {"a": eh.Integer(0, 3)}, minimize="loss", optimizer="random", trials=20,
        duplicates="evaluate", seed=1, progress=False,
    )  # fmt: skip
    assert len(calls) == 20


def test_failed_trials_are_told_as_bad_as_the_worst():
    seen = []

    @eh.optimizer("test-listener")
    def listener(problem, rng):
        while True:
            seen.append((yield rng.random((4, problem.dim))))

    values = iter([1.0, 3.0, None, 2.0, None, 9.0, 0.0, 1.0] * 2)
    eh.tune(lambda _: next(values), SPACE, minimize="loss", optimizer=listener, trials=12, seed=1, progress=False)
    assert seen[0].tolist() == [1.0, 3.0, 5.0, 2.0]
    assert seen[1].tolist() == [5.0, 9.0, 0.0, 1.0]


def test_infeasible_trials_rank_behind_feasible_ones_for_an_optimizer_without_constraints():
    seen = []

    @eh.optimizer("test-listener-2")
    def listener(problem, rng):
        while True:
            seen.append((yield rng.random((4, problem.dim))))

    values = iter([(1.0, 5.0), (100.0, 0.5), (0.0, 1.5), (50.0, 1.0)] * 3)

    def objective(_):
        a, b = next(values)
        return {"loss": a, "seconds": b}

    study = eh.tune(
        objective,
        SPACE,
        minimize="loss",
        constraints=["seconds <= 1"],
        optimizer=listener,
        trials=8,
        seed=1,
        progress=False,
    )
    assert np.argsort(seen[0]).tolist() == [3, 1, 2, 0]
    assert study.best.metrics["loss"] == 50.0
    assert study.table()["violation"].tolist()[:4] == [4.0, 0.0, 0.5, 0.0]


def test_several_objectives_have_a_front_and_no_single_best():
    study = eh.tune(
        lambda p: {"a": p["x"] ** 2, "b": (p["x"] - 1) ** 2}, SPACE, minimize=["a", "b"], optimizer="nsga2", generations=8,
        population=12, seed=1, progress=False,
    )  # fmt: skip
    with pytest.raises(eh.UsageError, match="front"):
        _ = study.best
    front = study.front()
    points = np.array([t.fitness for t in study.trials])
    expected = [i for i, p in enumerate(points) if not any((q <= p).all() and (q < p).any() for q in points)]
    assert [t.number for t in front] == expected
    assert study.hypervolume([1, 4]) > 0


def test_a_stored_study_can_be_read_without_its_optimizer(tmp_path):
    class Mine:
        def __init__(self, problem, rng):
            self.rng, self.dim = rng, problem.dim

        def ask(self, n):
            return self.rng.random((n, self.dim))

        def tell(self, results):
            pass

    path = tmp_path / "study.db"
    study = eh.tune(sphere, SPACE, minimize="loss", optimizer=Mine, trials=10, seed=1, store=path, progress=False)
    loaded = eh.load(path)
    pd.testing.assert_frame_equal(loaded.table(), study.table())
    with pytest.raises(eh.UsageError, match="your own code"):
        loaded.ask(1)
    assert len(eh.load(path, optimizer=Mine).ask(2)) == 2


def test_a_longer_budget_goes_on_as_if_it_had_been_given_at_once(tmp_path):
    def search(store, *budgets):
        for trials in budgets:
            study = eh.tune(
                sphere,
                SPACE,
                minimize="loss",
                optimizer="pso",
                population=7,
                trials=trials,
                seed=1,
                store=store,
                progress=False,
            )
        return study.table().drop(columns=["seconds", "worker"])

    pd.testing.assert_frame_equal(search(tmp_path / "a.db", 10, 23, 40), search(tmp_path / "b.db", 40))


def test_a_study_of_another_space_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "study.db"
    eh.tune(sphere, SPACE, minimize="loss", optimizer="ga", trials=5, seed=1, store=path, progress=False)
    before = path.read_bytes()
    with pytest.raises(eh.UsageError, match=r"study\.db holds another study: space"):
        eh.tune(
            sphere, {"x": eh.Continuous(-2, 1)}, minimize="loss", optimizer="ga", trials=5, store=path, progress=False
        )
    with pytest.raises(eh.UsageError, match=r"optimizer\.name"):
        eh.tune(sphere, SPACE, minimize="loss", optimizer="de", trials=5, store=path, progress=False)
    assert path.read_bytes() == before


def test_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "study.db"
    with eh.Study(SPACE, minimize="loss", optimizer="ga", store=path, seed=1) as study:
        study.ask(1)
        with pytest.raises(eh.StoreError, match="another process is writing"):
            eh.Study(SPACE, minimize="loss", optimizer="ga", store=path, seed=1)
        assert len(eh.load(path).trials) == 1  # reading is free
    assert len(eh.Study(SPACE, minimize="loss", optimizer="ga", store=path, seed=1).trials) == 1


@pytest.mark.parametrize("content", [b"not a database at all, just text" * 50, b"SQLite format 3\x00" + bytes(200)])
def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(eh.StoreError, match=r"notes\.txt"):
        eh.tune(sphere, SPACE, minimize="loss", optimizer="ga", trials=5, store=path, progress=False)
    assert path.read_bytes() == content


def test_an_optimizer_that_does_not_repeat_itself_is_found_out_and_the_study_goes_on(tmp_path):
    import itertools

    counter = itertools.count()

    @eh.optimizer("test-forgetful")
    def forgetful(problem, rng):
        salt = next(counter)  # what a clock or a global generator does
        while True:
            yield np.clip(rng.random((5, problem.dim)) + 0.01 * salt, 0, 1)

    path = tmp_path / "study.db"

    def search(trials):
        return eh.tune(
            sphere, SPACE, minimize="loss", optimizer=forgetful, trials=trials, seed=1, store=path, progress=False
        )

    search(7)
    with pytest.warns(eh.EvohpoWarning, match=r"does not repeat itself: trial 0 differs in the gene of 'x'"):
        study = search(20)
    assert len(study.trials) == 20
    with pytest.warns(eh.EvohpoWarning, match="does not repeat itself: trial 10"):
        assert len(search(30).trials) == 30


def test_name_owner_and_description_travel_with_the_study(tmp_path):
    path = tmp_path / "study.db"
    eh.Study(SPACE, minimize="loss", name="digits", owner="ana", description="first try", store=path).close()
    settings = eh.load(path).settings
    assert (settings.name, settings.owner, settings.description) == ("digits", "ana", "first try")


class Interrupting:
    """A connection during whose `nth` statement of a kind Ctrl-C comes, before or after it is carried out."""

    def __init__(self, db, statement, after):
        self.db, self.statement, self.after, self.armed = db, statement, after, True

    def __getattr__(self, name):
        return getattr(self.db, name)

    def execute(self, statement, *arguments):
        return self.strike(statement, lambda: self.db.execute(statement, *arguments))

    def executemany(self, statement, *arguments):
        return self.strike(statement, lambda: self.db.executemany(statement, *arguments))

    def strike(self, statement, call):
        hit = self.armed and statement.startswith(self.statement)
        self.armed = self.armed and not hit
        if hit and not self.after:
            raise KeyboardInterrupt
        result = call()
        if hit:
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
def test_an_interrupt_in_the_middle_of_a_commit_loses_and_doubles_nothing(statement, after, tmp_path):
    space, store = {"x": eh.Continuous(0, 1)}, tmp_path / "s.db"
    study = eh.Study(space, minimize="loss", optimizer="random", seed=1, store=store)
    study.tell(study.ask()[0], 1.0)
    journal = study._chronicle.journal
    journal._db = Interrupting(journal._db, statement, after)
    with pytest.raises(KeyboardInterrupt):
        study.ask()
    study.tell(1, 2.0)
    study.tell(study.ask()[0], 3.0)
    study.close()
    assert [t.metrics["loss"] for t in eh.load(store).trials] == [1.0, 2.0, 3.0]
