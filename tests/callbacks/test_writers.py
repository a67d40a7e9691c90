"""Writers for tracking services: what they write, read back with the services' own readers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import evohpo as eh
from evohpo.callbacks import MLflowWriter, TensorBoardWriter, WandbWriter
from evohpo.callbacks.records import Names
from evohpo.callbacks.writing import Writer, Written
from tests.callbacks import reading

SERVICES = ["tensorboard", "mlflow", "wandb"]
SPACE = {
    "x": eh.Continuous(-1, 1),
    "solver": eh.Categorical(["sgd", "adam"]),
    "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
    "layers": eh.Categorical(["wide", 16, None]),
    "warm": eh.Categorical([True, False]),
    "seed": 100,
}


def curve(params):
    for step in range(4):
        yield {"acc@1": 1 - params["x"] ** 2 - 1 / (step + 2), "note": "fine", "size": 3}


def writer_of(service, folder):
    return {
        "tensorboard": lambda: TensorBoardWriter(folder / "tb"),
        "mlflow": lambda: MLflowWriter("digits", f"sqlite:///{folder}/mlflow.db"),
        "wandb": lambda: WandbWriter("digits", directory=folder, mode="offline"),
    }[service]()


def runs_of(service, folder, study):
    return {
        "tensorboard": lambda: reading.tensorboard(folder / "tb"),
        "mlflow": lambda: reading.mlflow(f"sqlite:///{folder}/mlflow.db", "digits"),
        "wandb": lambda: reading.wandb(folder, study.settings.id),
    }[service]()


def named(service, name):
    """What a service calls a metric."""
    return name if service == "tensorboard" else name.replace("@", "_")


def search(folder, callbacks, objective=curve, **more):
    arguments = {
        "maximize": "acc@1", "optimizer": "random", "trials": 6, "seed": 1, "store": folder / "s.db", "progress": False,
    }  # fmt: skip
    return eh.tune(objective, SPACE, callbacks=callbacks, **{**arguments, **more})


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """An MLflow database with its tables, which take seconds to make."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(params=SERVICES)
def service(request, tmp_path):
    if request.param == "mlflow":
        shutil.copy(request.getfixturevalue("empty_database"), tmp_path / "mlflow.db")
    return request.param


def check_against(study, service, runs):
    """Every report is there once, at its step; what a trial ended with is its last value; nothing else is there."""
    assert set(runs) == {"study", *(f"trial-{t.number:06d}" for t in study.trials)}
    best = None
    for trial in study.trials:
        run = runs[f"trial-{trial.number:06d}"]
        for metric in ("acc@1", "size"):
            expected = [(step, pytest.approx(metrics[metric], rel=1e-6)) for step, metrics in trial.reports or ()]
            reported = run.curves.get(named(service, metric), [])
            assert reported == expected or not trial.reports
            if trial.metrics:
                assert run.final[named(service, metric)] == pytest.approx(trial.metrics[metric], rel=1e-6)
        assert run.facts["status"] == str(trial.status)
        assert run.end == ("failed" if trial.failed else "good")
    points = dict(runs["study"].curves[f"best/{named(service, 'acc@1')}"])
    for ended, trial in enumerate(study.trials, 1):
        if trial.feasible and (best is None or trial.metrics["acc@1"] > best):
            best = trial.metrics["acc@1"]
        if best is not None:
            assert points.pop(ended) == pytest.approx(best, rel=1e-6)
    assert not points
    assert len(runs["study"].curves) == 1


# ---- what is written


def test_every_report_and_end_is_there_once(service, tmp_path):
    study = search(tmp_path, [writer_of(service, tmp_path)], pruner=eh.ASHA(max_steps=4, eta=2))
    assert {str(t.status) for t in study.trials} == {"completed", "stopped"}
    check_against(study, service, runs_of(service, tmp_path, study))


def test_paused_trials_go_on_in_their_runs(service, tmp_path):
    pruner = eh.ASHA(max_steps=4, eta=2, kind="promotion")
    study = search(tmp_path, [writer_of(service, tmp_path)], pruner=pruner, trials=8)
    runs = runs_of(service, tmp_path, study)
    for trial in study.trials:
        steps = [step for step, _ in runs[f"trial-{trial.number:06d}"].curves[named(service, "acc@1")]]
        assert steps == [step for step, _ in trial.reports]


def test_params_are_those_that_apply_as_numbers_flags_and_texts(service, tmp_path):
    study = search(tmp_path, [writer_of(service, tmp_path)])
    runs = runs_of(service, tmp_path, study)
    assert {t.params["solver"] for t in study.trials} == {"sgd", "adam"}
    texts = {"wide": "wide", 16: "16", None: "null"}
    for trial in study.trials:
        expected = trial.params | {"layers": texts[trial.params["layers"]]}
        written = runs[f"trial-{trial.number:06d}"].params
        if service == "mlflow":  # which has texts only
            expected = {name: str(value) for name, value in expected.items()}
        assert written == expected
        assert type(written["warm"]) is type(expected["warm"])


def test_a_failed_trial_has_its_error_and_a_text_metric_is_a_fact(service, tmp_path):
    def breaks(params):
        yield {"acc@1": 0.5, "note": "first"}
        if params["solver"] == "sgd":
            raise ValueError("diverged | at | once")
        yield {"acc@1": 0.75, "note": "second"}

    study = search(tmp_path, [writer_of(service, tmp_path)], objective=breaks)
    runs = runs_of(service, tmp_path, study)
    for trial in study.trials:
        run = runs[f"trial-{trial.number:06d}"]
        if trial.failed:
            assert (run.facts["kind"], run.end) == ("raised", "failed")
            assert run.facts["error"].replace("&#124;", "|") == "ValueError: diverged | at | once"
        else:
            assert run.facts["note"] == "second"
    assert {t.failed for t in study.trials} == {True, False}


def test_the_study_has_its_goals_and_how_it_was_searched(service, tmp_path):
    study = search(tmp_path, [writer_of(service, tmp_path)], description="a test", owner="me")
    run = runs_of(service, tmp_path, study)["study"]
    facts = run.params | run.facts
    assert facts["goals"] == "maximize acc@1"
    assert (facts["optimizer"], str(facts["seed"]), facts["owner"]) == ("random", "1", "me")
    assert "trials" in facts["stopped"]


def test_metrics_without_steps_and_duplicates_and_attached_trials_are_written(service, tmp_path):
    space = {"x": eh.Ordinal([0.25, 0.5])}
    study = eh.Study(space, maximize="acc", optimizer="random", seed=1, store=tmp_path / "s.db")
    study.attach({"x": 0.5}, 0.125, label="by hand")
    study.run(lambda p: p["x"], trials=4, progress=False, callbacks=[writer_of(service, tmp_path)])
    runs = runs_of(service, tmp_path, study)
    assert set(runs) == {"study", *(f"trial-{n:06d}" for n in range(5))}
    for trial in study.trials:
        assert runs[f"trial-{trial.number:06d}"].final["acc"] == trial.metrics["acc"]
    assert runs["trial-000000"].facts["label"] == "by hand"
    assert sum(run.facts.get("job", "").startswith("reused") for run in runs.values()) >= 2
    assert [step for step, _ in runs["study"].curves["best/acc"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("constraints", [[], ["up >= 0.2"]])
def test_the_hypervolume_over_trials_is_that_of_the_study_at_the_time(tmp_path, constraints):
    volumes = []
    study = eh.tune(
        lambda p: {"up": p["x"], "down": p["x"] ** 2 + p["y"]}, {"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)},
        maximize="up", minimize="down", constraints=constraints, optimizer="random", trials=30, seed=1, progress=False,
        callbacks=[TensorBoardWriter(tmp_path / "tb"), lambda study, trial: volumes.append(study.hypervolume())],
    )  # fmt: skip
    points = dict(reading.tensorboard(tmp_path / "tb")["study"].curves["hypervolume"])
    first = next(i for i, trial in enumerate(study.trials) if trial.feasible)
    assert points == {i + 1: pytest.approx(volume, rel=1e-6) for i, volume in enumerate(volumes) if i >= first}


def test_tensorboards_own_table_of_hyperparameters_knows_the_experiment(tmp_path):
    search(tmp_path, [TensorBoardWriter(tmp_path / "tb")])
    types = reading.tensorboard(tmp_path / "tb")["study"].params
    assert types == {"x": 3, "momentum": 3, "seed": 3, "solver": 1, "layers": 1, "warm": 2}


# ---- going on


def test_a_study_that_goes_on_goes_on_where_it_was_written(service, tmp_path):
    writer = writer_of(service, tmp_path)
    search(tmp_path, [writer], trials=3)
    search(tmp_path, [writer], trials=5)
    study = search(tmp_path, [writer_of(service, tmp_path)], trials=6)
    check_against(study, service, runs_of(service, tmp_path, study))


def test_what_was_measured_without_the_writer_is_written_when_there_is_one(service, tmp_path):
    search(tmp_path, [], trials=4)
    study = search(tmp_path, [writer_of(service, tmp_path)], trials=6)
    check_against(study, service, runs_of(service, tmp_path, study))


@pytest.mark.slow
def test_a_killed_study_goes_on_in_its_runs_and_doubles_nothing(service, tmp_path):
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.callbacks.victim", service, str(tmp_path), "6", "0.05"],
        stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    for _ in range(9):
        assert process.stdout.readline() == "reported\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 2 <= eh.load(tmp_path / "s.db").ledger.ended < 6
    study = search(tmp_path, [writer_of(service, tmp_path)], pruner=eh.ASHA(max_steps=4, eta=2))
    check_against(study, service, runs_of(service, tmp_path, study))


# ---- services that fail


class Broken(Writer):
    """A service that fails at a call, or never answers it."""

    service, patience = "Broken", 0.2

    def __init__(self, at, how):
        self.at, self.how, self.calls = at, how, []

    def _call(self, name):
        self.calls.append(name)
        if name == self.at:
            self.how()

    def _open(self, head):
        self._call("open")
        return Written()

    def _start(self, record):
        self._call("start")

    def _report(self, number, step, metrics):
        self._call("report")

    def _end(self, record):
        self._call("end")

    def _point(self, ended, values):
        self._call("point")

    def _close(self, facts, whole):
        self._call("close")


def fail():
    raise ConnectionError("no route to host")


@pytest.mark.parametrize("at", ["open", "start", "report", "end", "point", "close"])
def test_a_service_that_fails_costs_one_warning_and_no_trial(tmp_path, at):
    broken = Broken(at, fail)
    with pytest.warns(eh.EvohpoWarning, match="no route to host.*Nothing more is written there in this run") as warned:
        study = search(tmp_path, [broken])
    assert len(warned) == 1
    assert [t.status for t in study.trials] == [eh.Status.COMPLETED] * 6
    assert broken.calls[-1] == at
    assert broken.calls.count(at) == 1


@pytest.mark.parametrize("at", ["open", "report"])
def test_a_service_that_does_not_answer_holds_nothing_up(tmp_path, at):
    answer = threading.Event()
    began = time.monotonic()
    with pytest.warns(eh.EvohpoWarning, match=r"did not answer for 0\.2 seconds") as warned:
        study = search(tmp_path, [Broken(at, answer.wait)])
    answer.set()
    assert len(warned) == 1
    assert study.ledger.ended == 6
    assert time.monotonic() - began < 10


def test_an_mlflow_server_that_is_not_there_costs_one_warning(tmp_path, monkeypatch, empty_database):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.warns(eh.EvohpoWarning, match="MLflow: ") as warned:
        study = search(tmp_path, [MLflowWriter(tracking_uri=f"http://127.0.0.1:{port}")])
    assert len([w for w in warned if issubclass(w.category, eh.EvohpoWarning)]) == 1
    assert study.ledger.ended == 6
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    later = search(tmp_path, [writer_of("mlflow", tmp_path)], trials=7)
    check_against(later, "mlflow", runs_of("mlflow", tmp_path, later))


def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path):
    (tmp_path / "tb").write_text("a file")
    with pytest.warns(eh.EvohpoWarning, match="TensorBoard: "):
        study = search(tmp_path, [TensorBoardWriter(tmp_path / "tb")])
    assert study.ledger.ended == 6


# ---- names and libraries


@pytest.mark.parametrize(
    "name", ["a@1", "f1 (macro)", "a//b", "../up", "/root", "x/", "a/./b", "µ", "a:b", "_hidden", "x" * 400]
)
def test_names_that_a_service_does_not_allow_are_replaced_by_ones_that_it_does(name):
    from mlflow.utils.validation import _validate_metric_name

    mlflow = Names(MLflowWriter.forbidden)(name)
    _validate_metric_name(mlflow)
    wandb = Names(WandbWriter.forbidden)(name)
    assert wandb.replace("/", "_").isidentifier()
    assert wandb.isascii()


@pytest.mark.parametrize(("make", "extra"), [
    (lambda: TensorBoardWriter("x"), "tensorboard"), (MLflowWriter, "mlflow"), (WandbWriter, "wandb"),
])  # fmt: skip
def test_a_missing_library_is_named_with_its_extra_before_anything_starts(monkeypatch, make, extra):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(eh.UsageError, match=rf"needs {extra}: pip install 'evohpo\[{extra}\]'"):
        make()
