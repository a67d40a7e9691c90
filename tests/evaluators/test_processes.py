"""What holds for worker processes, whatever objectives do to them."""

import gc
import json
import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from evohpo.errors import UsageError
from evohpo.evaluators import Failed, Finished, Job, Processes, Reported, Started, processes, tree
from tests.evaluators import hostile
from tests.evaluators.running import end_of, eventually, gone, run

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture(scope="module")
def evaluator():
    with Processes(1) as made:
        yield made


def mark_of(evaluator):
    return evaluator._guardian.run


# ---- crashes


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("exit", "crashed", "exit code 3"),
        ("segfault", "crashed", "killed by SIGSEGV"),
        ("SIGABRT", "crashed", "killed by SIGABRT"),
        ("SIGKILL", "lost", "its worker was lost: killed by SIGKILL (by the system, if memory ran out)"),
        ("SIGTERM", "lost", "its worker was lost: killed by SIGTERM"),
    ],
)
def test_a_crash_fails_its_trial_and_the_next_one_runs(evaluator, how, kind, reason):
    end = end_of(evaluator, hostile.dies, {"how": how})
    assert isinstance(end, Failed)
    assert (end.kind, end.reason) == (kind, reason)
    assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0


def test_a_lost_trial_starts_again_and_repeats_no_report(evaluator, tmp_path):
    seen = run(evaluator, Job(0, {"path": str(tmp_path / "died")}, hostile.dies_once))[0]
    assert [type(e) for e in seen] == [Started, Reported, Reported, Reported, Finished]
    assert [e.step for e in seen[1:4]] == [1, 2, 3]


def test_without_retries_a_lost_trial_fails(tmp_path):
    with Processes(1, retries=0) as evaluator:
        end = end_of(evaluator, hostile.dies_once, {"path": str(tmp_path / "died")})
        assert (end.kind, end.steps) == ("lost", 2)


def test_an_idle_worker_that_dies_is_replaced_silently():
    with Processes(1, retries=0) as evaluator:
        first = end_of(evaluator, hostile.pid).value
        psutil.Process(first).kill()
        eventually(lambda: gone(first), "it lives")
        assert end_of(evaluator, hostile.pid).value != first


def test_workers_live_on_between_trials(evaluator):
    assert len({end_of(evaluator, hostile.pid).value for _ in range(5)}) == 1


@needs_fork
def test_a_crash_is_noticed_though_a_forked_child_holds_the_connection(evaluator):
    began = time.monotonic()
    end = end_of(evaluator, hostile.fork_survives_a_crash)
    assert (end.kind, end.reason) == ("crashed", "exit code 7")
    assert time.monotonic() - began < 10


@needs_fork
def test_a_forked_child_that_comes_back_says_nothing(evaluator):
    worker = end_of(evaluator, hostile.pid).value
    assert end_of(evaluator, hostile.child_comes_back).value == {"pid": float(worker)}
    assert end_of(evaluator, hostile.pid).value == worker


# ---- limits


@pytest.mark.parametrize("how", ["sleep", "busy", "gil", "regex", "deaf"])
def test_a_hung_trial_is_killed_at_its_time(how):
    with Processes(1, timeout=0.4) as evaluator:
        began = time.monotonic()
        end = end_of(evaluator, hostile.hangs, {"how": how})
        assert (end.kind, end.reason) == ("timeout", "took longer than 0.4 s")
        assert 0.4 <= end.seconds < 5
        assert time.monotonic() - began < 10
        assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0


def test_a_jobs_own_timeout_goes_before(evaluator):
    assert end_of(evaluator, hostile.hangs, {"how": "sleep"}, timeout=0.3).kind == "timeout"


def test_time_of_the_study_does_not_count(evaluator):
    seen = run(evaluator, Job(0, {"n": 3}, hostile.counts, timeout=0.3), verdict=lambda e: time.sleep(0.2))
    assert isinstance(seen[0][-1], Finished)


def test_a_trial_stopped_in_the_middle_of_a_step_is_killed_soon(evaluator):
    evaluator.submit(Job(0, {"how": "sleep"}, hostile.hangs))
    while not evaluator.wait(1.0):
        pass
    evaluator.stop(0)
    until = time.monotonic() + 20
    events = []
    while not events:
        assert time.monotonic() < until
        events = evaluator.wait(1.0)
    assert [(type(e), e.kind, e.reason) for e in events] == [(Failed, "stopped", "stopped before its first report")]


def test_a_stopped_trial_that_hangs_while_tidying_up_keeps_its_result(evaluator):
    end = run(evaluator, Job(0, {}, hostile.hangs_at_its_end), verdict=lambda e: evaluator.stop(0))[0][-1]
    assert (type(end), end.stopped, end.value) == (Finished, True, {"loss": 1.0})


@pytest.mark.parametrize("objective", [hostile.eats, hostile.child_eats])
def test_a_trial_that_eats_memory_is_killed(objective):
    with Processes(1, memory=200e6) as evaluator:
        end = end_of(evaluator, objective)
        assert end.kind == "memory"
        assert end.reason.startswith("used 2") or end.reason.startswith("used 3")
        assert end.reason.endswith("MB, the limit is 200 MB")
        assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0


# ---- nothing stays behind


@needs_fork
@pytest.mark.parametrize("then", ["hang", "crash", "finish"])
def test_no_descendant_outlives_its_worker(tmp_path, then):
    path = tmp_path / "pids"
    with Processes(1, timeout=20.0) as evaluator:
        evaluator.submit(Job(0, {"path": str(path), "then": then}, hostile.breeds))
        events = []
        eventually(lambda: events.extend(evaluator.wait(0.1)) or (path.exists() and path.read_text()), "no children")
        daemon, naked = map(int, path.read_text().split())
        mark = mark_of(evaluator)
        if then == "hang":
            assert {daemon, naked} <= {p.pid for p in tree.members(mark)}
        if then == "finish":
            while not any(isinstance(e, Finished) for e in events):
                events += evaluator.wait(1.0)
            assert daemon in {p.pid for p in tree.members(mark)}  # libraries keep pools between trials
        elif then == "crash":
            while not any(isinstance(e, Failed) for e in events):
                events += evaluator.wait(1.0)
            assert daemon not in {p.pid for p in tree.members(mark)}
    assert tree.members(mark) == []
    if then != "crash":  # an orphan with an environment of its own cannot be told from a stranger
        assert gone(naked)
    else:
        psutil.Process(naked).kill()


@needs_fork
@pytest.mark.parametrize("how", ["kill", "raise", "exit", "sys.exit"])
def test_nothing_outlives_the_driver(tmp_path, how):
    code = f"""
        import os, signal, sys, time
        from evohpo.evaluators import Job, Processes
        from tests.evaluators import hostile
        evaluator = Processes(2)
        evaluator.submit(Job(0, {{"path": {str(tmp_path / "pids")!r}, "then": "hang"}}, hostile.breeds))
        evaluator.submit(Job(1, {{"how": "gil"}}, hostile.hangs))
        started = 0
        while started < 2:
            started += len(evaluator.wait(None))
        while not os.path.exists({str(tmp_path / "pids")!r}):
            time.sleep(0.01)
        print(evaluator._guardian.run, evaluator._guardian.scratch, flush=True)
        if {how!r} == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif {how!r} == "raise":
            raise RuntimeError
        elif {how!r} == "exit":
            os._exit(0)
        sys.exit()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    mark, scratch = done.stdout.split()
    eventually(lambda: not tree.members(mark), "processes stay behind")
    eventually(lambda: not Path(scratch).exists(), "its folder stays behind")


def test_workers_see_to_themselves_if_the_guardian_is_killed_too(tmp_path):
    code = """
        import os, signal
        from evohpo.evaluators import Job, Processes
        from tests.evaluators import hostile
        evaluator = Processes(1)
        evaluator.submit(Job(1, {"how": "busy"}, hostile.hangs))
        while not evaluator.wait(None):
            pass
        print(evaluator._guardian.run, evaluator._guardian.process.pid, flush=True)
        evaluator._guardian.process.kill()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    mark = done.stdout.split()[0]
    eventually(lambda: not tree.members(mark), "processes stay behind")


def test_close_ends_hung_workers_and_the_guardian():
    evaluator = Processes(2)
    evaluator.submit(Job(0, {"how": "sleep"}, hostile.hangs))
    evaluator.submit(Job(1, {"x": 1.0}, hostile.square))
    while not any(isinstance(e, Finished) for e in evaluator.wait(1.0)):
        pass
    mark, guardian = mark_of(evaluator), evaluator._guardian
    began = time.monotonic()
    evaluator.close()
    assert time.monotonic() - began < 8
    assert tree.members(mark) == []
    assert guardian.process.returncode == 0
    assert not guardian.scratch.exists()


def test_closing_tidies_up_trials_that_wait_for_a_verdict(tmp_path):
    with Processes(1) as evaluator:
        evaluator.submit(Job(0, {"n": 9, "path": str(tmp_path / "x")}, hostile.marks_its_end))
        while not any(isinstance(e, Reported) for e in evaluator.wait(1.0)):
            pass
    assert (tmp_path / "x").read_text() == "1 closed"


def test_no_file_descriptor_is_left_open():
    def descriptors():
        return psutil.Process().num_fds()

    with Processes(2) as evaluator:
        end_of(evaluator, hostile.square, {"x": 1.0})
    before = descriptors()
    with Processes(2) as evaluator:
        run(evaluator, *[Job(i, {"how": "exit"}, hostile.dies) for i in range(3)])
    assert descriptors() == before


# ---- what an objective is, and what it may print


def test_lambdas_and_closures_are_sent(evaluator):
    offset = 5
    assert end_of(evaluator, lambda params: params["x"] + offset, {"x": 1}).value == 6


def test_an_objective_is_sent_once_and_keeps_its_state(evaluator):
    calls = []

    def objective(params):
        calls.append(params["x"])
        return len(calls)

    assert [end_of(evaluator, objective, {"x": i}).value for i in range(3)] == [1, 2, 3]
    assert calls == []


def test_a_script_without_a_main_guard_runs(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import enum
        from evohpo.evaluators import Finished, Job, Processes
        from helper import half

        class Color(enum.Enum):
            RED = 1

        def objective(params):
            return {"half": half(params["x"]), "red": params["color"] is Color.RED}

        with Processes(2) as evaluator:
            for number in range(4):
                evaluator.submit(Job(number, {"x": number, "color": Color.RED}, objective))
            values = {}
            while len(values) < 4:
                values |= {e.number: e.value for e in evaluator.wait(10.0) if isinstance(e, Finished)}
        print(sorted(values.items()))
        """)
    )
    (tmp_path / "helper.py").write_text("def half(x):\n    return x / 2\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stdout.strip() == str([(i, {"half": i / 2, "red": True}) for i in range(4)]), done.stderr


def test_megabytes_may_be_printed(capfd):
    with Processes(1) as evaluator:
        assert end_of(evaluator, hostile.prints).value == {"ok": 1.0}
    assert len(capfd.readouterr().out) >= 20_000_000


def test_streams_may_be_closed():
    with Processes(1) as evaluator:
        assert end_of(evaluator, hostile.closes_its_streams).value == {"ok": 1.0}
        assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0


def test_a_value_that_cannot_be_sent_fails_with_its_type(evaluator):
    end = end_of(evaluator, hostile.returns_a_lock)
    assert end.kind == "value"
    assert "metric 'lock' is _thread.lock" in end.reason


def test_a_report_that_cannot_be_sent_fails_its_trial(evaluator):
    def objective(params):
        yield {"loss": 1.0}
        yield hostile.returns_a_lock(params)

    end = end_of(evaluator, objective)
    assert (end.kind, end.steps) == ("value", 2)


def test_an_objective_that_cannot_be_sent_is_refused_at_once(evaluator):
    with pytest.raises(UsageError, match=r"cannot be sent to another process .*Threads"):
        evaluator.submit(Job(0, {}, _holds_a_lock()))


def _holds_a_lock():
    import threading

    lock = threading.Lock()
    return lambda params: lock.locked()


def test_an_objective_that_cannot_be_loaded_fails_its_trials(evaluator):
    end = end_of(evaluator, hostile.Unloadable())
    assert (end.kind, end.reason) == ("raised", "ImportError: no such module here")


def test_an_objective_that_kills_workers_while_it_loads_fails_its_trials():
    with Processes(1) as evaluator:
        end = end_of(evaluator, hostile.KillsItsWorker())
        assert end.kind == "lost"
        assert "exit code 5" in end.reason
        assert end_of(evaluator, hostile.square, {"x": 2.0}).value == 4.0


def test_workers_that_cannot_start_fail_the_trials(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with Processes(2) as evaluator:
        seen = run(evaluator, *[Job(i, {"x": 1.0}, hostile.square) for i in range(3)])
        for events in seen.values():
            assert [type(e) for e in events] == [Failed]
            assert events[0].kind == "lost"
            assert "3 workers in a row did not start (exit code 1)" in events[0].reason


# ---- their surroundings


def test_native_threads_share_the_cores(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 8)
    for name, value in {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "64"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    names = {"names": "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS"}
    with Processes(2) as evaluator:
        assert list(end_of(evaluator, hostile.environment, names).value.values()) == ["1", "4", "4"]
    with Processes(2, threads=3) as evaluator:
        assert list(end_of(evaluator, hostile.environment, names).value.values()) == ["3", "3", "3"]


def test_workers_are_out_of_the_terminals_reach_and_import_little():
    with Processes(1) as evaluator:
        assert end_of(evaluator, hostile.session).value == {"own": True, "modules": False}


def test_many_workers_run_at_once():
    with Processes(6) as evaluator:
        began = time.monotonic()
        seen = run(evaluator, *[Job(i, {}, lambda params: time.sleep(1.0)) for i in range(6)])
        assert len({events[0].worker for events in seen.values()}) == 6
        assert time.monotonic() - began < 6 * 1.0


def test_a_study_within_a_trial_ends_with_it(tmp_path):
    def outer(params):
        with Processes(1) as inner:
            inner.submit(Job(0, {"how": "gil"}, hostile.hangs))
            while True:
                inner.wait(None)

    with Processes(1, timeout=2.0) as evaluator:
        evaluator.submit(Job(0, {}, outer))
        eventually(lambda: evaluator.wait(0.0) or evaluator._guardian is not None, "no start")
        mark = mark_of(evaluator)
        events = []
        eventually(lambda: events.extend(evaluator.wait(0.1)) or len(tree.members(mark)) >= 3, "no inner worker")
        while not any(isinstance(e, Failed) for e in events):
            events += evaluator.wait(1.0)
        assert tree.members(mark) == []  # outer worker, inner guardian, inner worker


def test_ctrl_c_reaches_the_driver_alone():
    code = """
        import json, os, signal, threading, time
        from evohpo.evaluators import Job, Processes
        evaluator = Processes(1)
        evaluator.submit(Job(0, {}, lambda params: time.sleep(600)))
        while not evaluator.wait(None):
            pass
        threading.Timer(0.3, lambda: os.killpg(0, signal.SIGINT)).start()
        try:
            evaluator.wait(None)
        except KeyboardInterrupt:
            alive = evaluator._workers[0].process.poll() is None
            evaluator.close()
            print(json.dumps(alive))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert json.loads(done.stdout) is True, done.stderr


def test_every_trial_ends_once_whatever_kills_the_workers():
    def objective(params):
        for _ in range(3):
            time.sleep(0.01)
            yield {"loss": 1.0}

    rng = random.Random(1)
    with Processes(3, retries=100) as evaluator:

        def kill_one(event):
            if event.step == 2 and event.number % 3 == 0:
                rng.choice(evaluator._workers).process.kill()

        seen = run(evaluator, *[Job(i, {}, objective) for i in range(30)], verdict=kill_one)
    for events in seen.values():
        assert [type(e) for e in events] == [Started, Reported, Reported, Reported, Finished]


def test_a_forgotten_evaluator_ends_its_workers():
    evaluator = Processes(1)
    end_of(evaluator, hostile.square, {"x": 1.0})
    mark = mark_of(evaluator)
    assert len(tree.members(mark)) == 1
    del evaluator
    gc.collect()
    assert tree.members(mark) == []


@needs_fork
def test_a_forked_copy_of_the_driver_leaves_the_workers_alone():
    with Processes(1) as evaluator:
        worker = end_of(evaluator, hostile.pid).value
        child = os.fork()
        if child == 0:
            evaluator.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert end_of(evaluator, hostile.pid).value == worker


@needs_fork
def test_a_crash_is_noticed_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    with Processes(1) as evaluator:
        end = end_of(evaluator, hostile.fork_survives_a_crash)
        assert (end.kind, end.reason) == ("crashed", "exit code 7")
