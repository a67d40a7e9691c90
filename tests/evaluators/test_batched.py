"""What holds for objectives that evaluate a whole population at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.evaluators import Batched, BatchedInline, Evaluator, Failed, Finished, Inline, Job
from evohpo.evaluators.batched import columns
from tests.evaluators.running import end_of, run


@pytest.fixture
def evaluator():
    with BatchedInline() as made:
        yield made


def jobs(objective, *configs):
    return [Job(number, config, objective) for number, config in enumerate(configs)]


def test_it_is_an_evaluator(evaluator):
    assert isinstance(evaluator, Evaluator)


def test_all_jobs_are_evaluated_by_one_call(evaluator):
    calls = []

    def objective(columns):
        calls.append(columns)
        return {"loss": columns["x"] ** 2, "size": columns["x"].astype(int)}

    seen = run(evaluator, *jobs(Batched(objective), {"x": 1.0}, {"x": 2.0}, {"x": 3.0}))
    assert len(calls) == 1
    assert [events[-1].value for events in seen.values()] == [{"loss": x * x, "size": x} for x in (1, 2, 3)]
    assert {type(v) for events in seen.values() for v in events[-1].value.values()} == {float, int}
    assert evaluator.wait(0.0) == []


def test_one_array_is_the_only_metric(evaluator):
    seen = run(evaluator, *jobs(Batched(lambda c: c["x"] + 1), {"x": 1}, {"x": 2}))
    assert [events[-1].value for events in seen.values()] == [2, 3]


def test_absent_parameters_are_none(evaluator):
    table = columns([{"x": 1.0, "m": 0.9}, {"x": 2.0}])
    assert table["x"].dtype == float
    assert table["m"].dtype == object
    assert table["m"].tolist() == [0.9, None]


values = st.one_of(
    st.lists(st.integers(-(2**53), 2**53), min_size=1),
    st.lists(st.floats(allow_nan=False), min_size=1),
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.one_of(st.none(), st.integers(), st.text(), st.tuples(st.integers(), st.integers())), min_size=1),
)


@given(values)
def test_columns_hold_what_the_trials_have(column):
    array = columns([{"p": value} for value in column])["p"]
    assert array.shape == (len(column),)
    assert array.tolist() == column


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ([1.0, 2.0], "the result has shape (2,) for 3 trials"),
        ({"loss": np.zeros(3), "size": np.zeros(4)}, "metric 'size' has shape (4,) for 3 trials"),
        (np.zeros((3, 2)), "shape (3, 2)"),
        (1.0, "shape ()"),
        ([[1.0], [1.0, 2.0], 3.0], "cannot be made an array"),
    ],
)
def test_results_of_another_length_fail_all_trials(evaluator, result, reason):
    seen = run(evaluator, *jobs(Batched(lambda c: result), {"x": 1}, {"x": 2}, {"x": 3}))
    for events in seen.values():
        assert isinstance(events[-1], Failed)
        assert events[-1].kind == "value"
        assert reason in events[-1].reason


def test_what_it_raises_fails_all_trials(evaluator):
    def objective(columns):
        raise SystemExit("no")

    seen = run(evaluator, *jobs(Batched(objective), {"x": 1}, {"x": 2}))
    assert [(e[-1].kind, e[-1].reason) for e in seen.values()] == [("raised", "SystemExit: no")] * 2
    assert "raise SystemExit" in seen[1][-1].traceback


def test_other_evaluators_run_it_one_trial_at_a_time():
    with Inline() as evaluator:
        assert end_of(evaluator, Batched(lambda c: {"loss": c["x"] * 2}), {"x": 1.5}).value == {"loss": 3.0}


def test_a_trial_taken_back_before_its_call_fails(evaluator):
    for job in jobs(Batched(lambda c: c["x"]), {"x": 1}, {"x": 2}):
        evaluator.submit(job)
    evaluator.stop(0)
    events = evaluator.wait(None)
    assert [(e.number, e.kind) for e in events if isinstance(e, Failed)] == [(0, "stopped")]
    assert [(e.number, e.value) for e in events if isinstance(e, Finished)] == [(1, 2)]


def test_misuse_is_refused(evaluator):
    with pytest.raises(UsageError, match="wraps a function"):
        Batched(3)
    with pytest.raises(UsageError, match="trial 0"):
        evaluator.submit(Job(0, {}, lambda params: 1.0))


@pytest.mark.parametrize("end", [{"trials": 30}, {"stop": eh.Stop(target=0.5)}])
def test_an_optimizer_that_never_waits_comes_to_an_end(end):
    objective = eh.Batched(lambda columns: {"loss": columns["x"]})
    study = eh.tune(
        objective, {"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", seed=1, progress=False, **end
    )
    assert len(study.trials) <= end.get("trials", 10_000)
