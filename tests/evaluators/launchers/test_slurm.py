"""Trials as jobs of Slurm: what is asked of it, how jobs end, and drivers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import evohpo as eh
from evohpo.errors import EvohpoWarning, UsageError
from evohpo.evaluators import Failed, Finished, Job, Paused, Reported, Started
from tests.conftest import untimed
from tests.evaluators.launchers import victim
from tests.evaluators.running import eventually, run

ROOT = Path(__file__).parents[3]
LOSS = {"loss": r"loss=(\S+)"}
QUICK = {"workers": 1, "poll": 0.02, "settle": 0.5}
SLEEPS = ["sh", "-c", "echo epoch=1 loss=1; exec sleep 600"]


@pytest.fixture
def trial(tmp_path, slurm):
    """Run one trial to its end and return all its events."""

    def run_one(command, params=None, verdict=None, launcher=None, **options):
        with eh.Launched(launcher or eh.Slurm(), command, LOSS, **{**QUICK, **options}) as evaluator:
            decide = None if verdict is None else lambda event: verdict(evaluator, event)
            return run(evaluator, Job(0, params or {}, directory=tmp_path / "a trial"), verdict=decide)[0]

    return run_one


def test_words_reach_the_command_as_they_are(trial):
    words = {"a": "$(exit 1) `x` 'q' \"d\" \\ %j *", "b": "two\nlines", "c": "-1e-05"}
    code = 'for word in "$@"; do printf "[%s]" "$word"; done; echo; echo "loss=1"'
    events = trial(["sh", "-c", code, "sh", "{a}", "{b}", "{c}"], words, arguments=None)
    assert [type(event) for event in events] == [Started, Finished]


def test_output_is_kept_in_the_trials_folder(trial, tmp_path):
    words = {"a": "$(exit 1) `x` 'q' \"d\" \\ %j *", "b": "two\nlines"}
    trial(
        ["sh", "-c", 'for word in "$@"; do printf "[%s]" "$word"; done; echo; echo loss=1', "sh", "{a}", "{b}"], words
    )
    assert (tmp_path / "a trial" / "stdout.txt").read_text() == f"[{words['a']}][{words['b']}]\nloss=1\n"


def test_options_are_those_of_sbatch(trial, slurm):
    launcher = eh.Slurm(partition="gpu", cpus_per_task=8, exclusive=True, requeue=None, setup="RATE=3; export RATE")
    trial(["sh", "-c", "echo loss=$RATE"], launcher=launcher, resources={"gpus": 2})
    words = slurm.said("options-1").splitlines()
    assert {"--partition=gpu", "--cpus-per-task=8", "--exclusive", "--gpus=2"} <= set(words)
    assert not [word for word in words if "requeue=" in word]


def test_a_job_knows_its_trial(trial):
    events = trial(["sh", "-c", "echo loss=$EVOHPO_TRIAL$FURTHER"], environment={"FURTHER": 5})
    assert events[-1].value == {"loss": 5.0}


def test_waiting_for_a_node_takes_none_of_its_time(trial, slurm):
    slurm.say("pending", 20)
    events = trial(["sh", "-c", "echo loss=1"], timeout=0.3)
    assert isinstance(events[-1], Finished)
    assert slurm.said("pending") == "0"


def test_a_command_that_fails_has_failed(trial):
    end = trial(["sh", "-c", "echo loss=1; echo out of luck >&2; exit 3"])[-1]
    assert (end.kind, end.reason) == ("raised", "exit code 3: out of luck")


@pytest.mark.parametrize(
    ("state", "kind"),
    [("TIMEOUT", "timeout"), ("OUT_OF_MEMORY", "memory"), ("CANCELLED by 1000", "lost"), ("DEADLINE", "timeout")],
)
def test_what_slurm_ends_is_said(trial, slurm, state, kind):
    slurm.say("force-1", state)
    end = trial(["sh", "-c", "echo loss=1"])[-1]
    assert (type(end), end.kind) == (Failed, kind)
    assert state.split()[0] in end.reason
    assert len(slurm.jobs()) == 1


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED"])
def test_lost_jobs_are_started_again(trial, slurm, state):
    slurm.say("force-1", state)
    slurm.say("force-2", state)
    events = trial(["sh", "-c", "echo epoch=1 loss=1; echo epoch=2 loss=2"], steps=r"epoch=(\d+)")
    assert [(e.step, e.metrics) for e in events if isinstance(e, Reported)] == [(1, {"loss": 1.0}), (2, {"loss": 2.0})]
    assert isinstance(events[-1], Finished)
    names = list(slurm.jobs().values())
    assert [name.removeprefix(names[0]) for name in names] == ["", "-r1", "-r2"]


def test_but_not_for_ever(trial, slurm):
    for job in (1, 2):
        slurm.say(f"force-{job}", "NODE_FAIL")
    end = trial(["sh", "-c", "echo loss=1"], retries=1)[-1]
    assert (end.kind, len(slurm.jobs())) == ("lost", 2)
    assert "NODE_FAIL" in end.reason


def test_a_job_that_nobody_knows_any_more_is_lost(trial, slurm, monkeypatch):
    monkeypatch.setattr("evohpo.evaluators.launchers.evaluator.UNSEEN", 0.2)
    slurm.say("gone-1")
    assert isinstance(trial(["sh", "-c", "echo loss=1"])[-1], Finished)
    assert len(slurm.jobs()) == 2


def test_jobs_that_squeue_forgot_are_found_by_sacct(trial, slurm):
    slurm.say("forgets")
    assert isinstance(trial(["sh", "-c", "echo loss=1"])[-1], Finished)


def test_clusters_without_accounts_do(trial, slurm, tmp_path):
    (tmp_path / "bin" / "sacct").unlink()
    assert isinstance(trial(["sh", "-c", "echo loss=1"])[-1], Finished)
    end = trial(["sh", "-c", "exit 3"])[-1]
    assert (end.kind, end.reason) == ("raised", "the job failed")


# ---- commands that fail


@pytest.mark.filterwarnings("ignore::evohpo.errors.EvohpoWarning")
@pytest.mark.parametrize("command", ["sbatch", "squeue", "sacct"])
def test_outages_are_sat_out(trial, slurm, command):
    slurm.say(f"fail-{command}", 3)
    assert isinstance(trial(["sh", "-c", "echo loss=1"])[-1], Finished)
    assert slurm.said(f"fail-{command}").startswith("0")
    assert len(slurm.jobs()) == 1


@pytest.mark.filterwarnings("ignore::evohpo.errors.EvohpoWarning")
def test_so_is_a_scancel_that_fails(trial, slurm):
    slurm.say("fail-scancel", 2)
    events = trial(SLEEPS, verdict=lambda evaluator, event: evaluator.stop(event.number), steps=r"epoch=(\d+)")
    assert (type(events[-1]), events[-1].stopped) == (Finished, True)


def test_an_outage_is_told(trial, slurm):
    slurm.say("fail-squeue", 1)
    with pytest.warns(EvohpoWarning, match="Unable to contact slurm controller"):
        trial(["sh", "-c", "echo loss=1"])


@pytest.mark.filterwarnings("ignore::evohpo.errors.EvohpoWarning")
@pytest.mark.parametrize("command", ["sbatch", "squeue"])
def test_but_outages_end_the_study_some_day(trial, slurm, command):
    slurm.say(f"fail-{command}", 10_000)
    with pytest.raises(UsageError, match=r"failed for 0\.3 seconds: .*Unable to contact slurm controller"):
        trial(["sh", "-c", "echo loss=1"], outage=0.3, grace=0.3)


@pytest.mark.filterwarnings("ignore::evohpo.errors.EvohpoWarning")
def test_a_job_whose_submission_had_no_answer_is_not_started_twice(trial, slurm):
    slurm.say("lose-answer")
    assert isinstance(trial(["sh", "-c", "echo loss=1"])[-1], Finished)
    assert len(slurm.jobs()) == 1


def test_what_slurm_refuses_is_refused_at_once(trial, slurm):
    with pytest.raises(UsageError, match=r"Slurm refuses the job: .*invalid partition specified: nowhere"):
        trial(["true"], launcher=eh.Slurm(partition="nowhere"))
    assert slurm.jobs() == {}


def test_without_slurm_there_is_a_word(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no program 'sbatch'"):
        eh.Slurm()


# ---- stopped, paused, closed


def test_jobs_that_are_stopped_are_cancelled(trial, slurm):
    events = trial(SLEEPS, verdict=lambda evaluator, event: evaluator.stop(event.number), steps=r"epoch=(\d+)")
    assert (events[-1].value, events[-1].steps) == ({"loss": 1.0}, 1)
    assert slurm.said("cancelled-1")


def test_a_paused_trial_goes_on_as_another_job(slurm, tmp_path):
    code = "for e in 1 2 3; do echo epoch=$e loss=$EVOHPO_STEP; done"
    job = Job(0, {}, directory=tmp_path / "trial")
    with eh.Launched(eh.Slurm(), ["sh", "-c", code], LOSS, steps=r"epoch=(\d+)", **QUICK) as evaluator:
        first = run(evaluator, job, verdict=lambda event: evaluator.stop(0, pause=True))[0]
        assert isinstance(first[-1], Paused)
        second = run(evaluator, Job(0, {}, directory=tmp_path / "trial", step=1))[0]
    steps = [e.step for e in second if isinstance(e, Reported)]
    assert steps == [2, 3]


def test_closing_cancels_all_jobs(slurm, tmp_path):
    evaluator = eh.Launched(eh.Slurm(), SLEEPS, LOSS, steps=True, **{**QUICK, "workers": 2})
    for number in (0, 1):
        evaluator.submit(Job(number, {}, directory=tmp_path / f"trial-{number}"))
    while len(slurm.jobs()) < 2:
        evaluator.wait(0.1)
    evaluator.close()
    assert slurm.said("cancelled-1")
    assert slurm.said("cancelled-2")


# ---- studies


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(victim.SCRIPT)
    return str(path)


def same_table(one, other):
    pd.testing.assert_frame_equal(*[untimed(study).drop(columns="job") for study in (one, other)])


def test_names_say_study_generation_and_individual(slurm, script, tmp_path):
    study = victim.search(str(tmp_path / "my study.db"), script)
    names = sorted(slurm.jobs().values())
    head = f"evohpo-{study.name}-{study.settings.id}".replace(" ", "-")
    assert names == [f"{head}-g{g:03d}-i{i:03d}" for g in range(2) for i in range(4)]


@pytest.mark.slow
def test_the_pruned_table_is_that_of_a_function(slurm, script):
    same_table(victim.search(None, script, pruner=True), victim.search(None, None, pruner=True))


def killed(store, script, when):
    """Run the driver and kill it when `when()` holds."""
    command = [sys.executable, "-m", "tests.evaluators.launchers.victim", store, script]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    eventually(lambda: when() or process.poll() is not None, "the driver did not come so far")
    assert process.poll() is None, process.communicate()[1].decode()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_jobs_of_a_killed_driver_are_adopted(slurm, script, tmp_path):
    store = str(tmp_path / "study.db")
    for jobs in (2, 4, 7):
        killed(store, script, lambda jobs=jobs: len(slurm.jobs()) >= jobs)
    study = victim.search(store, script)
    assert [t.error for t in study.trials if t.failed] == []
    same_table(study, victim.search(None, None))
    names = list(slurm.jobs().values())
    assert len(names) == len(set(names)) == len(study.trials)  # none was started twice


def test_a_job_whose_last_step_was_heard_and_whose_end_was_not_has_its_result(slurm, script, tmp_path):
    store = str(tmp_path / "study.db")
    command = [sys.executable, "-m", "tests.evaluators.launchers.victim", store, script, "kill"]
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, timeout=60)
    study = victim.search(store, script)
    assert [t.error for t in study.trials if t.failed] == []
    same_table(study, victim.search(None, None))


def test_jobs_that_ended_while_nobody_looked_are_adopted(slurm, script, tmp_path):
    store = str(tmp_path / "study.db")
    killed(store, script, lambda: len(slurm.jobs()) >= 2)
    eventually(lambda: all(slurm.said(f"code-{job}") for job in slurm.jobs()), "the jobs do not end")
    same_table(victim.search(store, script), victim.search(None, None))
    assert len(slurm.jobs()) == 8


def test_a_run_that_is_broken_off_may_leave_its_jobs(slurm, tmp_path, capsys):
    job = Job(0, {}, directory=tmp_path / "trial")
    code = "while [ ! -e go ]; do sleep 0.02; done; echo loss=1"
    evaluator = eh.Launched(eh.Slurm(), ["sh", "-c", code], LOSS, on_exit="leave", **QUICK)
    evaluator.submit(job)
    evaluator.wait(0.1)
    evaluator.close()
    assert "1 jobs go on" in capsys.readouterr().err
    assert not slurm.said("code-1")
    (tmp_path / "trial" / "go").touch()
