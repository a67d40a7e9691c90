"""Launchers of one's own: what is asked of them, and what of users."""

from __future__ import annotations

import sys

import pytest

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.evaluators import Failed, Finished, Job, Launcher
from tests.evaluators.running import run

LOSS = {"loss": r"loss=(\S+)"}
QUICK = {"workers": 1, "poll": 0.02, "settle": 0.5}
ECHO = ["sh", "-c", "echo loss=1"]


def test_the_documented_launcher_is_one_of_thirty_lines(local):
    assert isinstance(local(), Launcher)


def test_it_works_with_pruners_and_a_store(local, tmp_path):
    code = "for e in $(seq 9); do echo epoch=$e loss=$1; done"
    study = eh.tune(
        None, {"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", trials=9, workers=2, seed=1, progress=False,
        pruner=eh.ASHA(max_steps=9), store=tmp_path / "study.db",
        evaluator=eh.Launched(local(), ["sh", "-c", code, "sh", "{x}"], LOSS, steps=r"epoch=(\d+)", poll=0.02),
    )  # fmt: skip
    assert {str(trial.status) for trial in study.trials} == {"completed", "stopped"}
    for trial in study.trials:
        assert trial.metrics["loss"] == trial.params["x"]


def test_a_launcher_without_one_of_the_methods_is_refused():
    with pytest.raises(UsageError, match=r"is no launcher: it has no method submit"):
        eh.Launched(object(), ECHO, LOSS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_exit": "ask"}, "on_exit='ask'"),
        ({"retries": -1}, "retries=-1"),
        ({"poll": 0}, "poll=0"),
        ({"workers": 0}, "workers=0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(local, options, message):
    with pytest.raises(UsageError, match=message):
        eh.Launched(local(), ECHO, LOSS, **options)


def test_a_state_that_is_none_ends_the_study(local, tmp_path):
    class Odd(local):
        def state(self, code):
            return "finished" if code == 0 else super().state(code)

    with (
        pytest.raises(
            UsageError, match=r"Odd\.poll says 'finished' of job .*: must begin with one of waiting, running, done"
        ),
        eh.Launched(Odd(), ECHO, LOSS, **QUICK) as evaluator,
    ):
        run(evaluator, Job(0, {}, directory=tmp_path / "trial"))


def test_what_submit_raises_fails_its_trial(local, tmp_path):
    class Choosy(local):
        def submit(self, name, command, environment, directory, resources):
            if resources["wanted"] and "i001" in name:
                raise ValueError("not this one")
            return super().submit(name, command, environment, directory, resources)

    with eh.Launched(Choosy(), ECHO, LOSS, resources={"wanted": True}, **QUICK) as evaluator:
        jobs = [Job(number, {}, directory=tmp_path / f"trial-{number}") for number in range(3)]
        ends = [events[-1] for events in run(evaluator, *jobs).values()]
    assert [type(end) for end in ends] == [Finished, Failed, Finished]
    assert "not this one" in ends[1].reason


def test_output_that_comes_late_is_waited_for(local, tmp_path):
    class Slow(local):
        reads = 0

        def read(self, job, offset):
            self.reads += 1
            return super().read(job, offset) if self.reads > 5 else (b"", offset)

    with eh.Launched(Slow(), ECHO, LOSS, **{**QUICK, "settle": 20.0}) as evaluator:
        end = run(evaluator, Job(0, {}, directory=tmp_path / "trial"))[0][-1]
    assert end.value == {"loss": 1.0}


def test_metrics_that_do_not_come_are_missing(local, tmp_path):
    with eh.Launched(local(), ["true"], LOSS, **QUICK) as evaluator:
        end = run(evaluator, Job(0, {}, directory=tmp_path / "trial"))[0][-1]
    assert (end.kind, "metric 'loss' is missing" in end.reason) == ("value", True)


def test_an_objective_is_refused(local):
    with (
        pytest.raises(UsageError, match="Launched runs its command and calls no objective"),
        eh.Launched(local(), ECHO, LOSS, **QUICK) as evaluator,
    ):
        evaluator.submit(Job(0, {}, lambda params: 1.0))


def test_scripts_report_where_folders_are_shared(local, tmp_path):
    code = "import evohpo; evohpo.report(1, loss=0.5); evohpo.report(loss=evohpo.trial().params['x'])"
    with eh.Launched(local(), [sys.executable, "-c", code], **QUICK) as evaluator:
        end = run(evaluator, Job(0, {"x": 4.0}, directory=tmp_path / "trial"))[0][-1]
    assert (end.value, end.steps) == ({"loss": 4.0}, 1)
