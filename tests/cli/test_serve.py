"""`evohpo serve`: a new study or a stored one, for workers in any language."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys

import pytest

import evohpo as eh

NEW = ("--space", "space.toml", "--minimize", "loss", "--optimizer", "ga", "--population", "4", "--seed", "3")
SHELL_WORKER = r"""
while :; do
  answer=$(curl -sS -H 'content-type: application/json' -H "authorization: Bearer $2" -d '{"worker": "shell"}' "$1api/v1/ask")
  case $answer in *'"done":true'*) exit 0;; esac
  lease=$(printf %s "$answer" | sed -n 's/.*"lease":"\([^"]*\)".*/\1/p')
  [ -n "$lease" ] || { sleep 0.2; continue; }
  x=$(printf %s "$answer" | sed -n 's/.*"x":\([^,}]*\).*/\1/p')
  told="{\"lease\": \"$lease\", \"metrics\": {\"loss\": ${x#-}}}"
  curl -sSf -H 'content-type: application/json' -H "authorization: Bearer $2" -d "$told" "$1api/v1/tell" > /dev/null || exit 1
done
"""


@pytest.fixture
def served(in_process):
    """Start it and return its process and the address that it shows."""
    running = []

    def served(*arguments):
        process = in_process("serve", *arguments)
        running.append(process)
        return process, re.search(r"http://\S+", process.stderr.readline()).group()

    yield served
    for process in running:
        process.kill()
        process.communicate()


def square(params):
    return {"loss": params["x"] ** 2}


def ended(process):
    out, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    return process.returncode, out


def test_a_new_study_is_served_until_its_budget_is_spent(served):
    process, url = served(*NEW, "--trials", "8", "--output", "json")
    eh.connect(url).run(square)
    code, out = ended(process)
    assert code == 0
    assert [trial["status"] for trial in json.loads(out)["trials"]] == ["completed"] * 8


def test_a_stored_study_goes_on_with_more_trials(served, tmp_path):
    store = tmp_path / "study.db"
    for arguments in ((*NEW, "--trials", "4", "--store", store), (store, "--trials", "12")):
        process, url = served(*arguments)
        eh.connect(url).run(square)
        assert ended(process)[0] == 0
    study = eh.load(store)
    assert len(study.trials) == 12
    here = eh.tune(
        square, study.space, minimize="loss", optimizer="ga", population=4, seed=3, trials=12, progress=False
    )
    assert [t.params for t in study.trials] == [t.params for t in here.trials]


def test_a_study_of_run_goes_on_with_remote_workers_and_its_own_optimizer(served, evohpo, tmp_path):
    store = tmp_path / "study.db"
    own = ("run", "cli_task.py:train", *NEW[:4], "--optimizer", "cli_task.py:blind", "--trials", "5", "--store", store)
    assert evohpo(*own).exit_code == 0
    process, url = served(store, "--trials", "10")
    eh.connect(url).run(square)
    assert ended(process)[0] == 0
    assert eh.load(store).ledger.ended == 10


def test_ctrl_c_ends_it_and_says_how_to_go_on(served, tmp_path):
    process, url = served(*NEW, "--store", tmp_path / "study.db")
    remote = eh.connect(url)
    (trial,) = remote.ask()
    remote.tell(trial, square(trial.params))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"evohpo serve {tmp_path / 'study.db'}" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("sh"), reason="there is no curl here")
def test_a_shell_script_with_curl_is_a_worker(served):
    process, url = served(*NEW, "--trials", "6", "--token", "s3cret", "--output", "json")
    workers = [subprocess.Popen(["sh", "-c", SHELL_WORKER, "worker", url, "s3cret"]) for _ in range(2)]
    code, out = ended(process)
    assert [worker.wait(30) for worker in workers] == [0, 0]
    trials = json.loads(out)["trials"]
    assert (code, len(trials)) == (0, 6)
    for trial in trials:
        assert trial["metrics"]["loss"] == pytest.approx(abs(trial["params"]["x"]))


def test_a_token_that_was_made_is_shown(served):
    process, _ = served(*NEW, "--host", "0.0.0.0")
    assert len(process.stderr.readline().removeprefix("Their token: ").strip()) >= 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either STORE"),
        (("study.db", "--space", "space.toml"), "either STORE"),
        (("nowhere.db",), "nowhere.db"),
        (("--space", "space.toml"), "--maximize"),
        ((*NEW, "--lease", "0"), "--lease"),
        ((*NEW, "--token", ""), "token"),
        ((*NEW, "--port", "70000"), "--port"),
        ((*NEW, "--host", "256.0.0.1."), "256.0.0.1."),
    ],
)
def test_misuse_is_said_in_one_line(evohpo, arguments, said):
    result = evohpo("serve", *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert said in result.stderr


def test_resume_says_that_a_served_study_has_no_objective(served, evohpo, tmp_path):
    store = tmp_path / "study.db"
    process, url = served(*NEW, "--trials", "1", "--store", store)
    eh.connect(url).run(square)
    ended(process)
    assert "objective" in evohpo("resume", store).stderr


@pytest.mark.parametrize("library", ["fastapi", "uvicorn"])
def test_a_missing_library_names_the_extra(library, evohpo, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == library or n.startswith("evohpo.")]:
        if name.startswith(("evohpo.service.app", "evohpo.listening", library)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    result = evohpo("serve", *NEW)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "evohpo[service]" in result.stderr
