"""What holds for all evaluators that call an objective."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

import evohpo
from evohpo.errors import UsageError
from evohpo.evaluators import Evaluator, Failed, Finished, Inline, Job, Paused, Processes, Reported, Started, Threads
from tests.evaluators import hostile
from tests.evaluators.running import end_of, run

MAKERS = {"inline": Inline, "threads": lambda: Threads(2), "processes": lambda: Processes(2)}


@pytest.fixture(scope="module", params=MAKERS)
def evaluator(request):
    with MAKERS[request.param]() as made:
        yield made


def test_it_is_an_evaluator(evaluator):
    assert isinstance(evaluator, Evaluator)


def test_a_value_comes_back(evaluator):
    assert end_of(evaluator, hostile.square, {"x": 3.0}).value == 9.0


def test_events_come_in_order_and_end_once(evaluator):
    seen = run(evaluator, *[Job(i, {"n": i}, hostile.counts) for i in range(6)])
    for number, events in seen.items():
        assert [type(e) for e in events] == [Started] + [Reported] * number + [Finished]
        assert [e.step for e in events[1:-1]] == list(range(1, number + 1))
        assert events[-1].worker == events[0].worker != ""
    assert evaluator.wait(0.0) == []


def test_a_generator_ends_with_its_last_yield_or_its_return_value(evaluator):
    end = end_of(evaluator, hostile.counts, {"n": 3})
    assert (end.value, end.steps, end.stopped) == ({"step": 3}, 3, False)
    assert end_of(evaluator, hostile.counts_and_returns, {"n": 3}).value == {"total": 3}
    assert end_of(evaluator, hostile.counts, {"n": 0}).value is None


def test_a_context_tells_of_its_trial(evaluator):
    end = end_of(evaluator, hostile.double, {}, number=7, seed=11, step=4, resources={"gpu": [1]})
    assert end.value == {"number": 7, "seed": 11, "step": 4, "gpu": [1]}


def test_a_second_parameter_with_a_default_is_left_alone_unless_it_is_called_ctx(evaluator):
    assert end_of(evaluator, hostile.keeps_default).value == 3
    assert end_of(evaluator, hostile.context_by_name, number=5).value == 5


def test_a_directory_is_made_when_first_asked_for(evaluator, tmp_path):
    directory = tmp_path / "trials" / "8"
    assert end_of(evaluator, hostile.square, {"x": 1.0}, directory=directory).value == 1.0
    assert not directory.exists()
    assert end_of(evaluator, hostile.writes, directory=directory).value == {"size": 1}
    assert (directory / "note").read_text() == "here"
    assert end_of(evaluator, hostile.writes).value == {"size": 1}  # a temporary one where none was given


@pytest.mark.parametrize("objective", [hostile.marks_its_end, hostile.reports])
def test_a_trial_is_stopped_at_exactly_its_step_and_tidies_up(evaluator, tmp_path, objective):
    jobs = [Job(i, {"n": 9, "path": str(tmp_path / str(i))}, objective) for i in range(4)]

    def stop(event):
        if event.step == event.number + 2:
            evaluator.stop(event.number)

    for number, events in run(evaluator, *jobs, verdict=stop).items():
        end = events[-1]
        assert isinstance(end, Finished)
        assert (end.stopped, end.steps, end.value) == (True, number + 2, {"at": number + 2})
        assert (tmp_path / str(number)).read_text() == f"{number + 2} closed"


@pytest.mark.parametrize("objective", [hostile.marks_its_end, hostile.reports])
def test_a_trial_is_paused_after_its_step(evaluator, tmp_path, objective):
    job = Job(0, {"n": 9, "path": str(tmp_path / "0")}, objective)
    end = run(evaluator, job, verdict=lambda e: e.step == 2 and evaluator.stop(0, pause=True))[0][-1]
    assert isinstance(end, Paused)
    assert end.step == 2


def steps_of(events):
    return [(e.step, e.metrics, e.resumed) for e in events if isinstance(e, Reported)]


def pause_at(evaluator, step):
    return lambda event: event.step == step and evaluator.stop(event.number, pause=True)


def test_a_paused_generator_stays_in_memory_and_goes_on(evaluator, tmp_path):
    first = Job(0, {"n": 4, "path": str(tmp_path / "0")}, hostile.marks_its_end)
    run(evaluator, first, verdict=pause_at(evaluator, 2))
    assert (tmp_path / "0").read_text() == "2"  # not closed
    events = run(evaluator, replace(first, step=2))[0]
    assert steps_of(events) == [(3, {"at": 3}, "suspended"), (4, {"at": 4}, "")]
    assert (events[-1].steps, events[-1].value) == (4, {"at": 4})


def test_other_trials_run_while_one_is_paused(evaluator):
    run(evaluator, Job(0, {"n": 4}, hostile.counts), verdict=pause_at(evaluator, 2))
    assert len(run(evaluator, *[Job(i, {"n": 2}, hostile.counts) for i in range(1, 6)])) == 5
    events = run(evaluator, Job(0, {"n": 4}, hostile.counts, step=2))[0]
    assert steps_of(events)[0] == (3, {"step": 3}, "suspended")


def test_a_paused_generator_can_be_paused_again_and_stopped(evaluator, tmp_path):
    job = Job(0, {"n": 9, "path": str(tmp_path / "0")}, hostile.marks_its_end)
    for step in (0, 1, 2):
        end = run(evaluator, replace(job, step=step), verdict=pause_at(evaluator, step + 1))[0][-1]
        assert isinstance(end, Paused)
    end = run(evaluator, replace(job, step=3), verdict=lambda e: evaluator.stop(0))[0][-1]
    assert (end.stopped, end.steps, (tmp_path / "0").read_text()) == (True, 4, "4 closed")


def test_a_paused_generator_that_is_not_wanted_any_more_is_closed(evaluator, tmp_path):
    jobs = [Job(i, {"n": 9, "path": str(tmp_path / str(i))}, hostile.marks_its_end) for i in range(8)]
    run(evaluator, jobs[0], verdict=pause_at(evaluator, 2))
    evaluator.stop(0)
    run(evaluator, *jobs[1:])  # a worker process hears of it with its next job
    assert (tmp_path / "0").read_text() == "2 closed"


@pytest.mark.parametrize("objective", [hostile.counts, hostile.counts_by_report])
def test_where_it_is_gone_from_memory_a_trial_is_run_again_up_to_its_step(evaluator, objective):
    events = run(evaluator, Job(0, {"n": 7}, objective, step=5))[0]
    assert [(step, resumed) for step, _, resumed in steps_of(events)] == [(6, "re-run"), (7, "")]
    assert events[-1].steps == 7


@pytest.mark.parametrize("objective", [hostile.keeps_a_checkpoint, hostile.keeps_a_checkpoint_by_report])
def test_a_trial_that_looks_at_its_step_goes_on_from_its_checkpoint(evaluator, tmp_path, objective):
    job = Job(0, {"n": 4}, objective, directory=tmp_path / "0")
    first = run(evaluator, job, verdict=lambda e: e.step == 2 and evaluator.stop(0))[0]
    assert steps_of(first) == [(1, {"sum": 1}, ""), (2, {"sum": 2}, "")]
    assert steps_of(run(evaluator, replace(job, step=2))[0]) == [(3, {"sum": 3}, "checkpoint"), (4, {"sum": 4}, "")]
    assert len((tmp_path / "0" / "steps").read_text()) == 4  # none was run twice


def test_an_objective_that_swallows_the_stop_is_still_stopped(evaluator):
    end = run(evaluator, Job(0, {}, hostile.swallows_the_stop), verdict=lambda e: evaluator.stop(0))[0][-1]
    assert (end.stopped, end.steps, end.value) == (True, 1, {"loss": 0.0})


def test_a_generator_that_will_not_close_is_still_stopped(evaluator):
    end = run(evaluator, Job(0, {}, hostile.will_not_close), verdict=lambda e: evaluator.stop(0))[0][-1]
    assert (end.stopped, end.steps, end.value) == (True, 1, {"loss": 1.0})


def test_a_queued_trial_that_is_stopped_fails_without_having_begun(evaluator):
    jobs = [Job(i, {"n": 1}, hostile.counts) for i in range(4)]
    for job in jobs:
        evaluator.submit(job)
    evaluator.stop(3)
    events = []
    while len([e for e in events if isinstance(e, Finished | Failed)]) < 4:
        events += evaluator.wait(1.0)
    mine = [e for e in events if e.number == 3]
    assert [(type(e), e.kind) for e in mine] == [(Failed, "stopped")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("value", "ValueError: first second xxx"),
        ("exit", "SystemExit: 3"),
        ("generator", "GeneratorExit: odd"),
        ("memory", "MemoryError"),
        ("stop", "StopIteration: odd"),
        ("unprintable", "UnprintableError: (its message cannot be shown)"),
    ],
)
def test_whatever_is_raised_ends_the_trial_with_its_reason(evaluator, error, reason):
    end = end_of(evaluator, hostile.raises, {"error": error})
    assert isinstance(end, Failed)
    assert end.kind == "raised"
    assert end.reason.startswith(reason)
    assert len(end.reason) <= 500
    assert "\n" not in end.reason
    assert 'raise ERRORS[params["error"]]()' in end.traceback
    assert "calling.py" not in end.traceback


def test_endless_recursion_fails(evaluator):
    end = end_of(evaluator, hostile.recurses)
    assert end.reason.startswith("RecursionError")
    assert len(end.traceback) <= 20_000


def test_an_error_at_a_later_step_keeps_the_steps(evaluator):
    end = end_of(evaluator, hostile.raises_at_a_step)
    assert (end.kind, end.reason, end.steps) == ("raised", "ValueError: at step two", 1)


def test_steps_must_grow(evaluator):
    end = end_of(evaluator, hostile.reports_backwards)
    assert "step = 2: steps must grow" in end.reason


def test_a_generator_may_not_report(evaluator):
    end = end_of(evaluator, hostile.reports_from_a_generator)
    assert "write `yield {...}`" in end.reason


def test_numpy_numbers_become_plain_ones(evaluator):
    value = end_of(evaluator, hostile.numpy_values).value
    assert value == {"a": 0.5, "b": 3, "c": 7, "d": True}
    assert [type(v) for v in value.values()] == [float, int, int, bool]


def test_params_are_the_objectives_own(evaluator):
    job = Job(0, {"x": 1}, hostile.mutates)
    assert run(evaluator, job)[0][-1].value == 99
    assert job.params == {"x": 1}


def test_seconds_leave_out_the_time_of_the_study(evaluator, tmp_path):
    for objective in (hostile.counts, hostile.reports):
        job = Job(0, {"n": 2, "path": str(tmp_path / "x")}, objective)
        end = run(evaluator, job, verdict=lambda e: time.sleep(0.2))[0][-1]
        assert end.seconds < 0.2


def test_a_job_without_objective_is_refused(evaluator):
    with pytest.raises(UsageError, match="trial 3 has no objective"):
        evaluator.submit(Job(3, {}))


def test_it_can_be_used_again_after_close():
    for make in MAKERS.values():
        evaluator = make()
        for _ in range(2):
            assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0
            evaluator.close()
            evaluator.close()


@pytest.mark.parametrize("make", [Threads, Processes])
def test_legal_arguments_are_named_where_others_are_given(make):
    with pytest.raises(UsageError, match="workers=0"):
        make(0)
    with pytest.raises(UsageError, match="timeout=-1"):
        make(1, timeout=-1)
    with make() as evaluator:
        assert evaluator.capacity == 0
        with pytest.raises(UsageError, match=r"workers=\.\.\."):
            evaluator.submit(Job(0, {}, hostile.square))


@pytest.mark.parametrize("make", [lambda: Inline(), lambda: Threads(1), lambda: Processes(1)])
def test_a_trial_beyond_its_time_fails(make):
    with make() as evaluator:
        end = end_of(evaluator, slow_steps, timeout=0.3)
        assert (end.kind, end.reason) == ("timeout", "took longer than 0.3 s")


def slow_steps(params):
    for _ in range(100):
        time.sleep(0.1)
        yield {"loss": 1.0}


def test_names_are_offered_by_the_package():
    assert evohpo.Inline is Inline
    assert evohpo.Processes is Processes
    with pytest.raises(AttributeError, match="Nonsense"):
        evohpo.evaluators.Nonsense  # noqa: B018


# ---- this process


def test_ctrl_c_leaves_an_inline_trial_with_its_generator_closed():
    closed = []

    def interrupted(params):
        try:
            yield {"loss": 1.0}
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with Inline() as evaluator:
        evaluator.submit(Job(0, {}, interrupted))
        evaluator.wait(None)
        with pytest.raises(KeyboardInterrupt):
            evaluator.wait(None)
        assert closed == [True]
        assert evaluator.wait(None) == []


def test_closing_inline_closes_the_running_generator():
    closed = []

    def objective(params):
        try:
            yield {"loss": 1.0}
        finally:
            closed.append(True)

    with Inline() as evaluator:
        evaluator.submit(Job(0, {}, objective))
        evaluator.wait(None)
    assert closed == [True]


def test_inline_runs_plain_objectives_on_the_callers_thread():
    with Inline() as evaluator:
        assert (
            end_of(evaluator, lambda params: threading.current_thread().name).value == threading.current_thread().name
        )


def test_a_hung_thread_is_given_up_and_replaced():
    release = threading.Event()

    def hangs(params):
        if params["hang"]:
            release.wait(60)
        return 1.0

    began = time.monotonic()
    with Threads(1, timeout=0.2) as evaluator:
        seen = run(evaluator, Job(0, {"hang": True}, hangs), Job(1, {"hang": False}, hangs))
        assert seen[0][-1].kind == "timeout"
        assert seen[1][-1].value == 1.0
        release.set()  # what the first returns now is ignored
        assert evaluator.wait(0.1) == []
    assert time.monotonic() - began < 10


def test_closing_threads_does_not_wait_for_hung_ones():
    release = threading.Event()
    began = time.monotonic()
    with Threads(2) as evaluator:
        evaluator.submit(Job(0, {}, lambda params: release.wait(60)))
        evaluator.wait(None)
    assert time.monotonic() - began < 10
    release.set()


def test_a_thread_stopped_within_a_step_ends_at_its_report():
    step = threading.Event()

    def objective(params):
        yield {"loss": 1.0}
        step.wait(60)
        yield {"loss": 2.0}
        yield {"loss": 3.0}

    with Threads(1) as evaluator:
        evaluator.submit(Job(0, {}, objective))
        while not any(isinstance(e, Reported) for e in evaluator.wait(None)):
            pass
        assert evaluator.wait(0.05) == []  # goes on to its second step
        evaluator.stop(0)
        step.set()
        end = evaluator.wait(None)[-1]
        assert (end.stopped, end.value, end.steps) == (True, {"loss": 2.0}, 2)


def test_a_function_stopped_before_any_report_fails():
    release = threading.Event()
    with Threads(1) as evaluator:
        evaluator.submit(Job(0, {}, lambda params: release.wait(60)))
        evaluator.wait(None)
        evaluator.stop(0)
        end = evaluator.wait(None)[-1]
        assert (end.kind, end.reason) == ("stopped", "stopped before its first report")
    release.set()


def test_importing_the_evaluators_loads_nothing_heavy():
    heavy = {"numpy", "psutil", "cloudpickle", "pandas"}
    code = f"import sys, evohpo.evaluators.processes; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "", done.stderr


@pytest.mark.parametrize("make", MAKERS.values())
def test_a_time_limit_of_months_is_legal(make):
    with make() as evaluator:
        assert end_of(evaluator, hostile.square, {"x": 2.0}, timeout=1e12).value == 4.0
