"""Trials as jobs of TorchX on this machine: components, their arguments, how jobs end."""

from __future__ import annotations

import signal
import sys

import pytest

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.evaluators import Finished, Job
from tests.evaluators.launchers import components
from tests.evaluators.running import run

LOSS = {"loss": r"loss=(\S+)"}
QUICK = {"workers": 1, "poll": 0.02, "settle": 0.5}


@pytest.fixture
def trial(tmp_path, this_python):
    """Run one trial to its end and return all its events."""

    def run_one(component, params=None, verdict=None, **options):
        with eh.TorchX(component, LOSS, **{**QUICK, **options}) as evaluator:
            decide = None if verdict is None else lambda event: verdict(evaluator, event)
            return run(evaluator, Job(3, params or {}, directory=tmp_path / "trial"), verdict=decide)[3]

    return run_one


def test_hyperparameters_are_arguments_of_the_component(trial, tmp_path):
    constants = {"folder": "{directory}", "scale": 2}
    events = trial(
        components.train, {"x": 1.5, "layers": [8, 16]}, constants=constants, environment={"FURTHER": "word"}
    )
    assert events[-1].value == {"loss": 3.0}
    assert (tmp_path / "trial" / "said.txt").read_text() == "[8, 16] 3 word\n"
    assert events[0].worker == "torchx:local_cwd"


def test_those_that_it_does_not_name_follow_as_words(trial, tmp_path):
    (tmp_path / "train.py").write_text("import sys; print(sys.argv[1:]); print('loss=1')")
    params = {"text": "a 'b' $c ${app_id} $$ {number}", "rate": 1e-05, "name": "no {rate}"}
    trial("utils.python", params, constants={"script": str(tmp_path / "train.py"), "*": ["first", "{number}"]})
    given = (tmp_path / "trial" / "stdout.txt").read_text().splitlines()[0]
    assert given == str(["first", "3", "--text", params["text"], "--rate", "1e-05"])


def test_a_component_in_a_file_has_a_name(trial, tmp_path):
    params = {"x": 2.0, "layers": [], "folder": str(tmp_path)}
    assert trial(f"{components.__file__}:train", params)[-1].value == {"loss": 2.0}


def test_a_job_that_fails_has_failed(trial):
    end = trial(components.failing)[-1]
    assert (end.kind, end.reason) == ("raised", "the job failed: out of luck")


def test_a_job_that_is_stopped_is_cancelled(trial):
    events = trial(
        components.sleeping, verdict=lambda evaluator, event: evaluator.stop(event.number), steps=r"epoch=(\d+)"
    )
    assert (type(events[-1]), events[-1].stopped, events[-1].value) == (Finished, True, {"loss": 1.0})


def test_handlers_of_signals_stay(trial):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    trial(components.failing)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def tuned(component, space, **options):
    evaluator = eh.TorchX(component, LOSS, **options)
    eh.tune(None, space, minimize="loss", optimizer="random", trials=2, progress=False, evaluator=evaluator)


@pytest.mark.parametrize(
    ("options", "space", "message"),
    [
        ({}, {"x": eh.Continuous(0, 1), "rate": eh.Continuous(0, 1)}, "train takes no 'rate': it takes folder, layers"),
        (
            {"constants": {"folder": "{rate}"}},
            {"x": eh.Continuous(0, 1), "rate": eh.Continuous(0, 1)},
            "needs 'layers'",
        ),
        ({"constants": {"x": 1}}, {"x": eh.Continuous(0, 1)}, "'x' is a hyperparameter and in constants= too"),
        ({"constants": {"y": 1}}, {"x": eh.Continuous(0, 1)}, "constants= names 'y', which train does not take"),
        ({"constants": {"*": ["word"]}}, {"x": eh.Continuous(0, 1)}, r"train has no \*args"),
        ({"scheduler": "cron"}, {"x": eh.Continuous(0, 1)}, "scheduler='cron': TorchX has .*kubernetes"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(options, space, message):
    with pytest.raises(UsageError, match=message):
        tuned(components.train, space, **options)


def test_a_component_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"no component 'utils\.no_such'"):
        eh.TorchX("utils.no_such", LOSS)


def test_without_torchx_there_is_a_word(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchx.runner", None)
    with pytest.raises(UsageError, match=r"pip install 'evohpo\[torchx\]'"):
        eh.TorchX("utils.python", LOSS)
