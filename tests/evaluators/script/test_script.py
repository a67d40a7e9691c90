"""Scripts as trials: their metrics, their steps, how they fail, what is left of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.evaluators import Failed, Finished, Job, Paused, Reported, Started, tree
from evohpo.evaluators.metrics import NUMBER
from evohpo.evaluators.script import Records, ResultsFile
from tests.evaluators.running import eventually, gone, run

LOSS = {"loss": rf"loss={NUMBER}"}
EPOCHS = """
    import sys, time
    first = {first}
    for epoch in range(first, 6):
        print(f"epoch={{epoch}} loss={{10 / epoch}}")
        time.sleep({pause})
"""
COUNTS = EPOCHS.format(first=1, pause=0)
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and shells")


def steps_of(events):
    return [(e.step, e.metrics, e.resumed) for e in events if isinstance(e, Reported)]


def curve(*steps):
    return [(step, {"loss": 10 / step}, "") for step in steps]


# ---- metrics


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_metrics_are_found_in_printed_lines(script, trial, stream):
    code = f"import sys; print('epoch 1: loss=0.5, accuracy: 87.5%', file=sys.{stream})"
    events = trial(script(code), {"loss": r"loss=(\S+?),", "accuracy": rf"accuracy: {NUMBER}%"})
    assert [type(e) for e in events] == [Started, Finished]
    assert events[-1].value == {"loss": 0.5, "accuracy": 87.5}
    assert events[-1].steps == 0


@needs_posix
def test_any_language_will_do(trial):
    shell = ["sh", "-c", 'x=$1; echo "loss=$((x * x))"', "train", "{x}"]
    assert trial(shell, LOSS, {"x": 7})[-1].value == {"loss": 49.0}
    awk = ["awk", 'BEGIN { for (i = 1; i <= 3; i++) print "loss=" x * i }', "x={x}"]
    awk = ["awk", "-v", "x={x}", 'BEGIN { for (i = 1; i <= 3; i++) print "loss=" x * i }']
    assert trial(awk, LOSS, {"x": 2}, steps=True)[-1].value == {"loss": 6.0}


@pytest.mark.parametrize("steps", [r"epoch=(\d+)", True])
def test_steps_are_reports(script, trial, steps):
    events = trial(script(COUNTS), LOSS, steps=steps)
    assert steps_of(events) == curve(1, 2, 3, 4, 5)
    assert (events[-1].steps, events[-1].value) == (5, {"loss": 2.0})


def test_which_value_counts_is_a_choice(script, trial):
    assert trial(script(COUNTS), LOSS, reduce="max")[-1].value == {"loss": 10.0}
    assert trial(script(COUNTS), LOSS, reduce={"loss": "first"})[-1].value == {"loss": 10.0}
    with pytest.raises(UsageError, match="no metric"):
        eh.Script("true", LOSS, reduce={"accuracy": "max"})


def test_printed_json_lines_are_reports(script, trial):
    code = """
        import json
        print("starting {")
        for epoch in range(1, 4):
            print(json.dumps({"epoch": epoch, "loss": 1 / epoch, "time": 5.0, "note": "x"}))
        print('{"loss": 0.25}')
        print("{broken")
    """
    events = trial(script(code), Records(["loss"], step="epoch"))
    assert steps_of(events) == [(e, {"loss": 1 / e}, "") for e in (1, 2, 3)]
    assert events[-1].value == {"loss": 0.25}


def test_python_scripts_report_themselves(script, trial):
    code = """
        import evohpo, numpy
        trial = evohpo.trial()
        for step in range(1, 4):
            evohpo.report(step, loss=numpy.float32(trial.params["x"] / step), step_time=0.5)
        evohpo.report(loss=trial.params["x"], number=trial.number, seed=trial.seed, limit=trial.limit)
        (trial.directory / "made here").touch()
    """
    for metrics in (None, ["loss"]):
        events = trial(script(code), metrics, {"x": 1.5}, job={"seed": 77})
        more = {} if metrics else {"step_time": 0.5}
        assert steps_of(events) == [(s, {"loss": 1.5 / s, **more}, "") for s in (1, 2, 3)]
        last = {} if metrics else {"step_time": 0.5, "number": 0.0, "seed": 77.0, "limit": 0.0}
        assert events[-1].value == {"loss": 1.5, **last}


def test_reporting_without_a_study_does_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("EVOHPO_REPORTS", raising=False)
    monkeypatch.chdir(tmp_path)
    eh.report(1, loss=0.5)
    assert eh.trial().params == {}
    assert list(tmp_path.iterdir()) == []


def test_reports_that_make_no_sense_are_refused_where_they_are_made(monkeypatch, tmp_path):
    monkeypatch.setenv("EVOHPO_REPORTS", str(tmp_path / "reports"))
    with pytest.raises(eh.IllegalValue, match="steps begin with 1"):
        eh.report(0, loss=0.5)
    with pytest.raises(eh.IllegalValue, match="whole numbers"):
        eh.report(1.5, loss=0.5)
    with pytest.raises(eh.IllegalValue, match="must be a number, not str"):
        eh.report(1, loss="low")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", '{"loss": 0.5, "text": "x", "list": [1]}'),
        ("results.json", '[{"loss": 0.7}, {"loss": 0.5}]'),
        ("results.jsonl", '{"loss": 0.7}\n{"loss": 0.5}\n'),
        ("results.csv", "name,loss\na,0.7\nb,0.5\n"),
        ("results.csv", "\ufeffloss,name\r\n0.7,a\r\n0.5,b"),
    ],
)
def test_metrics_are_read_from_a_file_of_results(script, trial, name, content):
    code = f"open({name!r}, 'w', encoding='utf-8', newline='').write({content!r})"
    assert trial(script(code), ResultsFile(name))[-1].value == {"loss": 0.5}


@pytest.mark.parametrize(
    "code",
    [
        "open(name, 'wb').write(bytes(range(256)) * 1000)",
        "open(name, 'w').write('\"' + 'x' * 500_000 + '\\n' + '\\0,' * 500_000)",
        "import os; os.mkdir(name)",
        "open(name, 'w').write('[' * 200_000)",
        "open(name, 'w').write('[1, null, {}]\\nloss\\n\\n,,,\\n')",
    ],
    ids=range(5),
)
def test_broken_files_of_results_fail_their_trial(script, trial, code):
    names = ["r.json", "r.jsonl", "r.csv"]
    end = trial(script(f"for name in {names}:\n    {code}"), [ResultsFile(name, "loss") for name in names])[-1]
    assert (end.kind, "metric 'loss' is missing" in end.reason) == ("value", True), end


def test_a_file_of_results_may_have_steps(script, trial):
    code = """
        import csv
        with open("log.csv", "w") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", "loss", "lr"])
            for epoch in range(1, 6):
                rows.writerow([epoch, 10 / epoch, 0.1])
                file.flush()
    """
    events = trial(script(code), ResultsFile("log.csv", ["loss"], step="epoch"))
    assert steps_of(events) == curve(1, 2, 3, 4, 5)


def test_results_of_an_earlier_start_do_not_count(script, trial):
    code = "open('done.json', 'w').write('{\"loss\": 1}')"
    assert trial(script(code), ResultsFile("done.json"))[-1].value == {"loss": 1.0}
    end = trial(script("pass"), ResultsFile("done.json", "loss"))[-1]
    assert end.kind == "value"
    assert "there is no file" in end.reason


def test_several_sources_tell_of_one_step_together(script, trial):
    code = """
        import json
        for epoch in range(1, 4):
            print(f"epoch={epoch} loss={10 / epoch}")
            print(json.dumps({"step": epoch, "accuracy": epoch / 10}))
        open("size.json", "w").write('{"parameters": 1000}')
    """
    events = trial(script(code), ["accuracy", LOSS, ResultsFile("size.json")], steps=r"epoch=(\d+)")
    assert steps_of(events) == [(e, {"accuracy": e / 10, "loss": 10 / e}, "") for e in (1, 2, 3)]
    assert events[-1].value == {"accuracy": 0.3, "loss": 10 / 3, "parameters": 1000.0}


@pytest.fixture
def writes_events(script):
    pytest.importorskip("tensorboard")
    pytest.importorskip("tensorboardX")
    return script("""
        import sys, time
        from tensorboardX import SummaryWriter
        with SummaryWriter("logs", flush_secs=0.01) as writer:
            for step in range(0, 50, 10):
                writer.add_scalar("val/loss", 10 / (step + 10), step)
                writer.flush()
                time.sleep(0.1)
    """)


def test_metrics_are_read_from_tensorboard_files_while_they_are_written(trial, writes_events):
    board = eh.TensorBoard("{directory}/logs", {"loss": ("val/loss", "min")}, poll=0.05)
    events = trial(writes_events, board, reduce="max")
    assert [(e.step, e.metrics["loss"]) for e in events if isinstance(e, Reported)] == [
        (s, pytest.approx(1 / s)) for s in range(1, 6)
    ]
    assert (events[-1].steps, events[-1].value) == (5, {"loss": pytest.approx(0.2)})
    events = trial(
        writes_events, replaced(board, "logs"), verdict=lambda evaluator, e: e.step == 2 and evaluator.stop(0)
    )
    assert (events[-1].stopped, events[-1].steps) == (True, 2)


def replaced(board, place):
    return eh.TensorBoard(place, board.metrics, poll=board.poll)


def test_event_files_that_are_not_there_are_named(script, trial, writes_events):
    end = trial(writes_events, eh.TensorBoard("logs", {"loss": "last"}))[-1]
    assert (end.kind, "val/loss" in end.reason) == ("value", True)
    end = trial(script("pass"), eh.TensorBoard("logs", {"loss": "last"}))[-1]  # those of the start before are gone
    assert (end.kind, "no event files in" in end.reason) == ("value", True)


@pytest.mark.parametrize("metrics", [3, [3], {}, [], "", {"loss": "no group"}, {"loss": "("}, {"loss": 3}])
def test_metrics_that_make_no_sense_are_refused(metrics):
    with pytest.raises(UsageError, match="metric"):
        eh.Script("true", metrics)
    with pytest.raises(UsageError, match=r"must end in one of \.json"):
        ResultsFile("results.txt")


# ---- what goes wrong is in the trial's row


def test_a_script_that_fails_says_why(script, trial):
    code = """
        import sys
        print("loss=0.5")
        def train():
            raise ValueError("no data at 'x y'")
        train()
    """
    end = trial(script(code), LOSS)[-1]
    assert isinstance(end, Failed)
    assert (end.kind, end.reason) == ("raised", "exit code 1: ValueError: no data at 'x y'")
    assert "in train" in end.traceback


@needs_posix
def test_a_script_that_dies_by_a_signal_says_which(script, trial):
    end = trial(script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), LOSS)[-1]
    assert (end.kind, end.reason) == ("crashed", "killed by SIGSEGV")


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (LOSS, r"metric 'loss' is missing: its pattern 'loss=.*' matches none of 2 lines printed"),
        (["loss"], r"metric 'loss' is missing: neither a call such as evohpo.report\(loss=...\) nor"),
        (ResultsFile("r.json", "loss"), r"metric 'loss' is missing: r.json has no number 'loss'; it has cost"),
        (None, r"it told no metric: call evohpo.report"),
    ],
)
def test_a_script_that_ends_without_its_metric_fails(script, trial, metrics, reason):
    code = "print('hello'); print('Loss=3'); open('r.json', 'w').write('{\"cost\": 3}')"
    end = trial(script(code), metrics)[-1]
    assert end.kind == "value"
    import re

    assert re.search(reason, end.reason), end.reason
    assert "hello" in end.traceback


def test_a_metric_that_is_nan_fails_in_the_study(script):
    study = eh.tune(
        None, {"x": eh.Integer(1, 3)}, minimize="loss", evaluator=eh.Script(script("print('loss=nan')"), LOSS), trials=2,
        optimizer="random", seed=1, progress=False,
    )  # fmt: skip
    assert [t.kind for t in study.trials] == ["value", "value"]
    assert "loss" in study.trials[0].error


def test_megabytes_and_garbage_may_be_printed(script, trial):
    code = """
        import os, sys
        print("loss=0.75")
        for _ in range(200):
            os.write(1, os.urandom(50_000).replace(b"loss=", b""))
            os.write(2, b"." * 50_000)
        sys.stdout.buffer.write(b"\\xff\\xfe\\0\\n")
        print("\\rprogress 5%\\r\\nloss=0.5", end="", flush=True)
    """
    end = trial(script(code), LOSS)[-1]
    assert end.value == {"loss": 0.5}
    assert end.seconds < 20


def test_strange_json_lines_end_no_study(script, trial):
    lines = [
        '{"loss": 1e999}', '{"step": 1e999, "loss": 1}', '{"loss": [1]}', "[" * 100_000, '{"a":' * 100_000,
        '{"step": "nan", "loss": 1}', '{"loss": ' + "9" * 5000 + "}", "\0", '{"step": -5, "loss": null}', '{"loss": 0.5}',
    ]  # fmt: skip
    (Path(script("")[1]).parent / "lines").write_text("\n".join(lines))
    code = f"print(open({str(Path(script('')[1]).parent / 'lines')!r}).read())"
    assert trial(script(code), ["loss"])[-1].value == {"loss": 0.5}


def test_a_step_that_is_no_number_ends_no_study(script, trial):
    events = trial(script("print('epoch=inf loss=1'); print('epoch=nan loss=2')"), LOSS, steps=r"epoch=(\S+)")
    assert events[-1].value == {"loss": 2.0}


# ---- stopped, paused, late


def test_a_script_is_stopped_at_the_step_that_the_study_says(script, trial):
    def verdict(evaluator, event):
        time.sleep(0.1)  # it runs ahead
        if event.step == 2:
            evaluator.stop(0)

    events = trial(script(EPOCHS.format(first=1, pause=0.02)), LOSS, steps=r"epoch=(\d+)", verdict=verdict)
    assert steps_of(events) == curve(1, 2)
    assert (events[-1].stopped, events[-1].steps, events[-1].value) == (True, 2, {"loss": 5.0})


@needs_posix
def test_a_stopped_script_may_tidy_up_for_a_while(script, trial, tmp_path):
    code = """
        import signal, sys, time
        def tidy(*_):
            open("tidied", "w").close()
            sys.exit()
        signal.signal(signal.SIGTERM, tidy)
        print("epoch=1 loss=1")
        time.sleep(600)
    """
    events = trial(script(code), LOSS, steps=True, verdict=lambda evaluator, event: evaluator.stop(0))
    assert events[-1].stopped
    assert (tmp_path / "trial" / "tidied").exists()


@needs_posix
def test_a_script_that_ignores_sigterm_is_killed_with_its_children(script, trial, tmp_path):
    code = """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        children = [
            subprocess.Popen([sys.executable, "-c", sleep]),
            subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True),
            subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True, env={}),
        ]
        open("pids", "w").write(" ".join(str(child.pid) for child in children))
        print("epoch=1 loss=1")
        time.sleep(600)
    """
    began = time.monotonic()
    events = trial(script(code), LOSS, steps=True, grace=0.3, verdict=lambda evaluator, event: evaluator.stop(0))
    assert events[-1].stopped
    assert time.monotonic() - began < 20
    assert not alive(tmp_path / "trial" / "pids")


def alive(path):
    return [pid for pid in map(int, path.read_text().split()) if not gone(pid)]


@needs_posix
def test_children_left_behind_end_soon(script, tmp_path):
    code = """
        import subprocess, sys
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        children = [subprocess.Popen(sleep, start_new_session=new) for new in (False, True)]
        open("pids", "w").write(" ".join(str(child.pid) for child in children))
        print("loss=1")
    """
    with eh.Script(script(code), LOSS, workers=1) as evaluator:
        assert run(evaluator, Job(0, {}, directory=tmp_path / "0"))[0][-1].value == {"loss": 1.0}
        run(evaluator, *[Job(i, {}, directory=tmp_path / str(i)) for i in range(1, 5)])
        assert len(alive(tmp_path / "0" / "pids")) <= 1  # one that left its session is looked for once a second
    assert not [pid for i in range(5) for pid in alive(tmp_path / str(i) / "pids")]


def test_a_script_that_takes_too_long_fails(script, trial):
    end = trial(script("import time; print('epoch=1 loss=1'); time.sleep(600)"), LOSS, steps=True, timeout=0.5)[-1]
    assert (end.kind, end.reason, end.steps) == ("timeout", "took longer than 0.5 s", 1)
    end = trial(script("import time; time.sleep(600)"), LOSS, timeout=600, job={"timeout": 0.4})[-1]
    assert end.kind == "timeout"


def test_a_script_that_eats_memory_is_killed(script, trial):
    child = "import time; x = bytearray(300_000_000); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    end = trial(script(code), LOSS, memory=200e6)[-1]
    assert end.kind == "memory"
    assert end.reason.endswith("MB, the limit is 200 MB")


def test_a_stopped_trial_in_line_fails(script):
    with eh.Script(script(EPOCHS.format(first=1, pause=0.1)), LOSS, workers=1, steps=True) as evaluator:
        for number in range(2):
            evaluator.submit(Job(number, {}))
        evaluator.stop(1)
        events = []
        eventually(
            lambda: (
                events.extend(evaluator.wait(0.5)) or len([e for e in events if isinstance(e, Finished | Failed)]) == 2
            ),
            "",
        )
        assert [e.kind for e in events if isinstance(e, Failed)] == ["stopped"]


PATTERN = r"epoch=(\d+)"


@pytest.mark.parametrize(
    ("first", "options", "resumed"),
    [
        ("int(__import__('os').environ['EVOHPO_STEP']) + 1", {"steps": PATTERN}, "checkpoint"),
        ("int(__import__('os').environ['EVOHPO_STEP']) + 1", {"steps": True, "checkpoints": True}, "checkpoint"),
        ("1", {"steps": PATTERN}, "re-run"),
        ("1", {"steps": True}, "re-run"),
    ],
)
def test_a_paused_script_goes_on_or_is_run_again(script, tmp_path, first, options, resumed):
    job = Job(0, {}, directory=tmp_path / "trial")
    with eh.Script(script(EPOCHS.format(first=first, pause=0.2)), LOSS, workers=1, **options) as evaluator:
        events = run(evaluator, job, verdict=lambda e: e.step == 2 and evaluator.stop(0, pause=True))[0]
        assert isinstance(events[-1], Paused)
        assert events[-1].step == 2
        events = run(evaluator, replace(job, step=2))[0]
    assert steps_of(events) == [(3, {"loss": 10 / 3}, resumed), (4, {"loss": 2.5}, ""), (5, {"loss": 2.0}, "")]
    assert (events[-1].steps, events[-1].value) == (5, {"loss": 2.0})


LATEST = """
    import os, time
    first = int(open("latest").read()) + 1 if os.path.exists("latest") else 1
    for epoch in range(first, 9):
        print(f"epoch={epoch} loss={10 / epoch}")
        open("new", "w").write(str(epoch))
        os.replace("new", "latest")
        time.sleep(0.05)
"""


def test_what_a_script_told_before_it_heard_of_a_pause_is_not_lost(script, tmp_path):
    def pause(event):
        if event.step == 2:
            time.sleep(0.3)  # it runs ahead, and its only checkpoint with it
            evaluator.stop(0, pause=True)

    job = Job(0, {}, directory=tmp_path / "trial")
    with eh.Script(script(LATEST), LOSS, steps=PATTERN, workers=1) as evaluator:
        run(evaluator, job, verdict=pause)
        events = run(evaluator, replace(job, step=2))[0]
    assert [(step, metrics) for step, metrics, _ in steps_of(events)] == [(s, {"loss": 10 / s}) for s in range(3, 9)]


def test_a_folder_that_was_handed_on_brings_no_reports_with_it(script, tmp_path):
    job = Job(0, {}, directory=tmp_path / "trial")
    with eh.Script(script(COUNTS), LOSS, steps=PATTERN, workers=1) as evaluator:
        run(evaluator, job)
        lines = []
        for number in (0, 1):
            (tmp_path / "trial" / "stdout.txt").write_text("epoch=4 loss=99\n")
            events = run(evaluator, replace(job, number=number, step=3))[number]
            lines.append(steps_of(events)[0][:2])
    assert lines == [(4, {"loss": 99.0}), (4, {"loss": 2.5})]


# ---- lost processes


KILLED = """
    import os, signal
    for epoch in range(1, 5):
        if epoch == 3 and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), signal.{signal})
        print(f"epoch={{epoch}} loss={{10 / epoch}} from {{os.environ['EVOHPO_STEP']}}")
"""


@needs_posix
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_script_killed_from_outside_starts_again_and_repeats_no_report(script, trial, tmp_path, name):
    events = trial(script(KILLED.format(signal=name)), LOSS, steps=PATTERN)
    assert [type(e) for e in events] == [Started, *[Reported] * 4, Finished]
    assert [e.step for e in events[1:-1]] == [1, 2, 3, 4]
    assert "epoch=3 loss=3.3333333333333335 from 2" in (tmp_path / "trial" / "stdout.txt").read_text()


@needs_posix
def test_a_line_that_a_killed_script_did_not_end_does_not_count(script, trial):
    code = """
        import os, signal
        print("epoch=1 loss=0.75")
        if not os.path.exists("killed"):
            open("killed", "w").close()
            print("epoch=2 loss=0.1", end="", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        print("epoch=2 loss=0.125")
    """
    assert [e.metrics["loss"] for e in trial(script(code), LOSS, steps=PATTERN) if isinstance(e, Reported)] == [
        0.75,
        0.125,
    ]


@needs_posix
def test_without_retries_it_is_lost(script, trial):
    end = trial(script(KILLED.format(signal="SIGKILL")), LOSS, retries=0, steps=PATTERN)[-1]
    assert (end.kind, end.steps) == ("lost", 2)
    assert end.reason == "its process was lost: killed by SIGKILL (by the system, if memory ran out)"


# ---- surroundings


def test_scripts_know_their_trial_and_their_share_of_the_machine(script, trial, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("EVOHPO_TRIAL", "99")
    code = "import json, os; print(json.dumps({**os.environ, 'CWD': os.getcwd()})); print('loss=1')"
    trial(
        script(code), LOSS, {"x": 1}, threads=3, gpus=["GPU-a"], environment={"DATA": tmp_path, "N": 3}, job={"seed": 5}
    )
    seen = json.loads((tmp_path / "trial" / "stdout.txt").read_text().splitlines()[0])
    folder = str(tmp_path / "trial")
    expected = {
        "EVOHPO_TRIAL": "0", "EVOHPO_SEED": "5", "EVOHPO_STEP": "0", "EVOHPO_LIMIT": "0", "EVOHPO_DIRECTORY": folder,
        "CWD": folder, "OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "GPU-a", "N": "3",
        "HIP_VISIBLE_DEVICES": "GPU-a", "EVOHPO_RESOURCES": '{"gpu": ["GPU-a"]}', "DATA": str(tmp_path),
    }  # fmt: skip
    assert {name: seen[name] for name in expected} == expected


def test_scripts_may_run_elsewhere(script, trial, tmp_path):
    trial(script("import os; print('loss=1'); open('here', 'w').close()"), LOSS, directory=tmp_path)
    assert (tmp_path / "here").exists()
    with pytest.raises(UsageError, match="no such folder"):
        eh.Script("true", LOSS, directory=tmp_path / "nowhere")


def test_devices_are_given_in_turn_and_given_back(script):
    code = "import os, time; time.sleep(0.2); print('loss=' + os.environ['CUDA_VISIBLE_DEVICES'])"
    with eh.Script(script(code), LOSS, workers=2, gpus=2) as evaluator:
        seen = run(evaluator, *[Job(i, {}) for i in range(4)])
        values = [seen[i][-1].value["loss"] for i in range(4)]
        assert sorted(values[:2]) == sorted(values[2:]) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"workers": 0}, "workers=0"), ({"timeout": -1}, "timeout=-1"), ({"retries": -1}, "retries=-1"),
        ({"grace": -1}, "grace=-1"), ({"gpus": 0}, "gpus=0"), ({"steps": "epoch"}, "no group"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(arguments, says):
    with pytest.raises(UsageError, match=says):
        eh.Script("true", LOSS, **arguments)


def test_an_objective_is_refused(script):
    with eh.Script(script(COUNTS), LOSS, workers=1) as evaluator, pytest.raises(UsageError, match="give None"):
        evaluator.submit(Job(0, {}, lambda params: 1.0))


def test_no_file_descriptor_is_left_open(script):
    def use():
        with eh.Script(script(COUNTS), LOSS, workers=2, steps=True) as evaluator:
            run(evaluator, *[Job(i, {}) for i in range(4)])

    use()
    before = psutil.Process().num_fds()
    use()
    assert psutil.Process().num_fds() == before


# ---- nothing stays behind


@needs_posix
@pytest.mark.parametrize("how", ["kill", "raise", "exit"])
def test_nothing_outlives_the_driver(tmp_path, how):
    code = f"""
        import os, signal, sys
        import evohpo as eh
        from evohpo.evaluators import Job
        nap = "trap '' TERM; sleep 600 & exec env -i sleep 600"
        evaluator = eh.Script(["sh", "-c", nap], ["loss"], workers=2, grace=0.1)
        for number in range(2):
            evaluator.submit(Job(number, {{}}))
        events = evaluator.wait(1.0)
        print(evaluator._guardian.run, *(r.process.pid for r in evaluator._live), flush=True)
        if {how!r} == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif {how!r} == "raise":
            raise RuntimeError
        os._exit(0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    mark, *pids = done.stdout.split()
    assert len(pids) == 2, done.stderr
    eventually(lambda: not tree.members(mark) and all(gone(int(p)) for p in pids), "processes stay behind")


@needs_posix
def test_closing_asks_before_it_kills(script, tmp_path):
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (open("saved", "w").close(), sys.exit()))
        print("epoch=1 loss=1")
        time.sleep(600)
    """
    with eh.Script(script(code), LOSS, steps=True, workers=1) as evaluator:
        evaluator.submit(Job(0, {}, directory=tmp_path / "trial"))
        eventually(lambda: any(isinstance(e, Reported) for e in evaluator.wait(1.0)), "no report")
        pid = evaluator._live[0].process.pid
    assert (tmp_path / "trial" / "saved").exists()
    assert gone(pid)
