"""Metrics from event files: every writer's files, files that grow, trainings in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

import evohpo as eh
from evohpo.evaluators import Context, Job
from evohpo.evaluators.event_files import EventFiles
from evohpo.evaluators.tensorboard import TrainingFailed
from tests.evaluators.running import eventually

TRAINING = """
import subprocess, sys, time
from tensorboardX import SummaryWriter

folder, x, steps, seconds = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(f"{folder}.pids", "w").write(f"{__import__('os').getpid()} {child.pid}")
writer = SummaryWriter(folder)
writer.add_scalar("num_params", 1234, 0)
for step in range(1, steps + 1):
    time.sleep(seconds)
    writer.add_scalar("val_acc", 1 - x * x - 1 / (step + 1), step)
    writer.flush()
writer.close()
child.kill()
"""


class Log:
    """Writes event files with TensorBoard's own writer, flushed at every value."""

    def __init__(self, folder):
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._file = EventFileWriter(str(folder))
        self.now = time.time()

    def scalar(self, tag, value, step, wall=None, tensor=None):
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.util.tensor_util import make_tensor_proto

        self.now += 1
        one = (
            Summary.Value(tag=tag, simple_value=value)
            if tensor is None
            else Summary.Value(tag=tag, tensor=make_tensor_proto(value, dtype=tensor))
        )
        self._file.add_event(Event(wall_time=wall or self.now, step=step, summary=Summary(value=[one])))
        self._file.flush()
        return self

    def begin_again(self, step):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        self.now += 1
        log = SessionLog(status=SessionLog.START)
        self._file.add_event(Event(wall_time=self.now, step=step, session_log=log))
        self._file.flush()
        return self


def metrics_in(folder, metrics):
    return eh.TensorBoard(folder, metrics).read(0)


def context(number=0, folder=None, step=0):
    return Context(Job(number, {}, step=step), None, folder)


def start(tmp_path, code, *arguments):
    script = tmp_path / "training.py"
    script.write_text(code)
    return subprocess.Popen([sys.executable, str(script), *map(str, arguments)])


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# ---- reading


def test_every_reduction_is_that_of_the_values_in_order_of_steps(tmp_path):
    log = Log(tmp_path)
    for step, value in ((1, 0.5), (3, 0.25), (2, 0.75), (4, 0.5)):
        log.scalar("loss", value, step)
    how = ["last", "first", "max", "min", "mean"]
    read = metrics_in(tmp_path, {name: ("loss", name) for name in how} | {"loss": "last"})
    assert read == {"last": 0.5, "first": 0.5, "max": 0.75, "min": 0.25, "mean": 0.5, "loss": 0.5}


def test_files_of_tensorboardx_are_read_as_they_are(tmp_path):
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(5):
            writer.add_scalar("val/acc", 0.9 + step / 100, step)
            writer.add_histogram("weights", [0.1, 0.2, 0.3], step)
        writer.add_text("note", "hello", 0)
    assert metrics_in(tmp_path, {"acc": ("val/acc", "last")}) == {"acc": 0.94}


def test_files_of_pytorch_are_read_as_they_are(tmp_path):
    writing = pytest.importorskip("torch.utils.tensorboard")
    with writing.SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 0.25, 1)
        writer.add_scalar("new", 0.5, 1, new_style=True)
    assert metrics_in(tmp_path, {"loss": "last", "new": "last"}) == {"loss": 0.25, "new": 0.5}


@pytest.mark.parametrize(("kind", "exact"), [(None, False), ("float32", False), ("float64", True)])
def test_scalars_of_both_styles_are_read_as_they_were_printed(tmp_path, kind, exact):
    Log(tmp_path).scalar("acc", 0.123456789012345 if exact else 0.94, 1, tensor=kind)
    assert metrics_in(tmp_path, {"acc": "last"}) == {"acc": 0.123456789012345 if exact else 0.94}


def test_after_a_resume_what_was_written_later_counts(tmp_path):
    first = Log(tmp_path)
    for step in (1, 2, 3):
        first.scalar("loss", step, step)
    second = Log(tmp_path)
    second.now = first.now
    second.scalar("loss", 30, 3).scalar("loss", 40, 4)
    assert metrics_in(tmp_path, {"loss": "mean"}) == {"loss": (1 + 2 + 30 + 40) / 4}


def test_a_resumed_training_may_take_back_later_steps(tmp_path):
    log = Log(tmp_path)
    for step in (1, 2, 3, 4):
        log.scalar("loss", step, step)
    log.begin_again(3)
    assert metrics_in(tmp_path, {"loss": "last"}) == {"loss": 2.0}


def test_runs_one_after_the_other_are_one_and_runs_side_by_side_have_to_be_named(tmp_path):
    train, validation = Log(tmp_path / "train"), Log(tmp_path / "validation")
    train.scalar("loss", 1.0, 1, wall=10.0).scalar("loss", 0.5, 2, wall=20.0)
    validation.scalar("loss", 2.0, 1, wall=15.0)
    with pytest.raises(eh.UsageError, match=r"'train/loss' or 'validation/loss'"):
        metrics_in(tmp_path, {"loss": "last"})
    assert metrics_in(tmp_path, {"loss": ("validation/loss", "last")}) == {"loss": 2.0}
    Log(tmp_path / "later" / "version_0").scalar("acc", 1.0, 1, wall=10.0)
    Log(tmp_path / "later" / "version_1").scalar("acc", 3.0, 2, wall=20.0)
    assert metrics_in(tmp_path / "later", {"acc": "mean"}) == {"acc": 2.0}


def test_a_missing_tag_names_the_folder_and_what_is_there(tmp_path):
    Log(tmp_path / "run").scalar("val_acc", 0.5, 1)
    with pytest.raises(eh.UsageError, match=rf"'val_ac' in .*{tmp_path.name}; there are 'run/val_acc'"):
        metrics_in(tmp_path, {"val_ac": "last"})
    with pytest.raises(eh.UsageError, match=r"there are no event files in .*nowhere"):
        metrics_in(tmp_path / "nowhere", {"val_acc": "last"})


def test_a_place_may_name_the_number_parameters_and_the_trials_folder(tmp_path):
    logs = eh.TensorBoard(tmp_path / "{number}-{solver}", {"loss": "last"})
    Log(tmp_path / "3-sgd").scalar("loss", 0.5, 1)
    trial = eh.Trial(3, {"solver": "sgd"})
    assert logs.read(trial) == logs.read(3, {"solver": "sgd"}) == {"loss": 0.5}
    with pytest.raises(eh.UsageError, match=r"\{solver\}, which is not known here: give its value in params="):
        logs.read(3)
    own = eh.TensorBoard("{directory}/tb", {"loss": "last"})
    Log(tmp_path / "own" / "tb").scalar("loss", 0.25, 1)
    assert own.read(context(0, tmp_path / "own")) == {"loss": 0.25}
    with pytest.raises(eh.UsageError, match="give the objective's context"):
        own.read(0)


@pytest.mark.parametrize("metrics", [{}, {"loss": "median"}, {"loss": ("loss", "avg")}, "loss"])
def test_reductions_that_make_no_sense_are_refused(metrics):
    with pytest.raises(eh.UsageError, match="last"):
        eh.TensorBoard("logs", metrics)


# ---- files that grow


def test_a_record_cut_anywhere_is_read_when_it_is_whole_and_nothing_is_read_twice(tmp_path):
    Log(tmp_path / "source").scalar("loss", 1.0, 1).scalar("loss", 0.5, 2)
    (source,) = (tmp_path / "source").iterdir()
    content = source.read_bytes()
    growing = tmp_path / "grows" / source.name
    growing.parent.mkdir()
    files, seen = EventFiles(growing.parent), []
    with growing.open("wb") as file:
        for i in range(len(content)):
            file.write(content[i : i + 1])
            file.flush()
            files.read()
            seen.append(len(files.series("loss")))
    assert seen == sorted(seen)
    assert (seen[0], seen[-2], seen[-1]) == (0, 1, 2)
    growing.write_bytes(b"")  # what was read is not looked at again
    assert not files.read()
    assert len(files.series("loss")) == 2


# ---- following


def test_a_training_is_followed_step_by_step_to_its_result(tmp_path):
    process = start(tmp_path, TRAINING, tmp_path / "log", 0.5, 4, 0.15)
    following = eh.TensorBoard(tmp_path / "log", {"val_acc": "last", "num_params": "last"}, poll=0.02).follow(
        context(), process
    )
    steps, running = [], []
    while True:
        try:
            steps.append(next(following))
            running.append(process.poll() is None)
        except StopIteration as stop:
            result = stop.value
            break
    assert [round(s["val_acc"], 5) for s in steps] == [0.25, round(0.75 - 1 / 3, 5), 0.5, 0.55]
    assert {s["num_params"] for s in steps} == {1234.0}
    assert result == steps[-1]
    assert running[0]  # reported while it ran, not at its end


def test_a_step_is_whole_when_all_that_was_written_before_is_written_again(tmp_path):
    log = Log(tmp_path / "log")
    logs = eh.TensorBoard(tmp_path / "log", {"loss": "last", "acc": "max"}, poll=0.01)
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    following = logs.follow(context(), process)
    log.scalar("loss", 1.0, 1).scalar("acc", 0.5, 1)
    assert next(following) == {"loss": 1.0, "acc": 0.5}
    log.scalar("loss", 0.5, 2).scalar("acc", 0.25, 2).scalar("loss", 0.25, 3)
    assert next(following) == {"loss": 0.5, "acc": 0.5}  # step 3 has no acc yet
    log.scalar("loss", 0.125, 4)  # nor will it
    assert next(following) == {"loss": 0.25, "acc": 0.5}
    process.stdin.close()
    assert list(following) == [{"loss": 0.125, "acc": 0.5}]


def test_while_the_study_decides_the_training_stands_still(tmp_path):
    process = start(tmp_path, TRAINING, tmp_path / "log", 0.5, 50, 0.05)
    following = eh.TensorBoard(tmp_path / "log", {"val_acc": "last"}, poll=0.02).follow(context(), process)
    next(following)
    members = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    eventually(lambda: all(m.status() == psutil.STATUS_STOPPED for m in members), "they are stopped")
    following.close()
    assert not any(alive(m.pid) for m in members)
    assert process.returncode == -9


def test_a_trial_that_goes_on_is_not_told_its_first_steps_again(tmp_path):
    log = Log(tmp_path / "log")
    for step in (1, 2, 3):
        log.scalar("loss", 1 / step, step)
    process = start(tmp_path, "pass")
    following = eh.TensorBoard(tmp_path / "log", {"loss": "last"}).follow(context(step=2), process)
    assert [round(m["loss"], 3) for m in following] == [0.333]


def test_a_training_that_fails_says_how_and_the_end_of_what_it_printed(tmp_path):
    def train(params, ctx):
        with (ctx.directory / "output.txt").open("w") as output:
            command = [sys.executable, "-c", "print('epoch 1'); raise SystemExit('out of tea')"]
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        return (yield from logs.follow(ctx, process, output=ctx.directory / "output.txt"))

    logs = eh.TensorBoard("{directory}", {"loss": "last"}, poll=0.02)
    study = eh.tune(train, {"x": eh.Continuous(0, 1)}, minimize="loss", trials=1, seed=1, progress=False)
    (trial,) = study.trials
    assert trial.error == "TrainingFailed: the training process failed: exit code 1: out of tea"
    assert "epoch 1\nout of tea" in trial.traceback.replace("\r", "")
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(TrainingFailed, match="exit code 7") as failure:
        list(logs.follow(context(0, tmp_path), process))
    assert failure.value.code == 7


def test_output_into_a_pipe_is_refused_and_the_process_ended(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process, pytest.raises(eh.UsageError, match="pipe that nobody reads"):
        list(eh.TensorBoard(tmp_path, {"loss": "last"}).follow(context(), process))
    assert process.returncode == -9


def test_paused_trainings_stand_still_go_on_and_are_gone_in_the_end(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    logs = eh.TensorBoard(tmp_path / "{number}", {"val_acc": "last"}, poll=0.02)

    def train(params, ctx):
        arguments = [tmp_path / str(ctx.number), params["x"], 4, 0.05]
        process = subprocess.Popen([sys.executable, str(script), *map(str, arguments)])
        return (yield from logs.follow(ctx, process))

    study = eh.tune(
        train, {"x": eh.Continuous(-1, 1)}, maximize="val_acc", optimizer="random", trials=4, evaluator=eh.Processes(1), seed=1,
        pruner=eh.ASHA(max_steps=4, eta=2, kind="promotion"), progress=False,
    )  # fmt: skip
    resumed = {t.resumed for t in study.trials}
    assert "suspended" in resumed <= {"", "suspended"}
    assert {t.steps for t in study.trials} > {4}
    pids = [int(pid) for path in tmp_path.glob("*.pids") for pid in path.read_text().split()]
    assert len(pids) == 8  # none was started again
    assert not any(alive(pid) for pid in pids)


def test_asha_stops_trainings_in_processes_of_their_own_and_leaves_none_behind(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    logs = eh.TensorBoard(tmp_path / "logs" / "{number}", {"val_acc": "last", "num_params": "last"}, poll=0.02)
    folder = tmp_path / "logs"
    folder.mkdir()

    def train(params, ctx):
        arguments = [folder / str(ctx.number), params["x"], 9, 0.05]
        process = subprocess.Popen([sys.executable, str(script), *map(str, arguments)])
        return (yield from logs.follow(ctx, process))

    study = eh.tune(
        train, {"x": eh.Continuous(-1, 1)}, maximize="val_acc", optimizer="random", trials=8, workers=2, seed=1,
        pruner=eh.ASHA(max_steps=9), progress=False,
    )  # fmt: skip
    table = study.table()
    assert set(table["status"]) == {"completed", "stopped"}, table["error"].tolist()
    stopped = table["status"] == "stopped"
    assert set(table.loc[~stopped, "steps"]) == {9}
    assert set(table.loc[stopped, "steps"]) <= {1, 3}
    curves = study.curves()
    assert curves.groupby("number").size().tolist() == table["steps"].tolist()
    for number, x in enumerate(table["x"]):
        reported = curves.loc[curves["number"] == number, "val_acc"].to_numpy()
        expected = [1 - x * x - 1 / (step + 1) for step in range(1, len(reported) + 1)]
        assert reported == pytest.approx(expected, rel=1e-5)
        assert logs.read(study.trials[number])["num_params"] == 1234
    pids = [int(pid) for path in folder.glob("*.pids") for pid in path.read_text().split()]
    assert len(pids) == 16
    assert not any(alive(pid) for pid in pids)
