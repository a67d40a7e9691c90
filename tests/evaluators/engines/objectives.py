"""What trials on clusters compute in these tests; they run in other processes."""

import contextlib
import os
import signal
import time
from pathlib import Path

import evohpo as eh

SPACE = {"x": eh.Continuous(-1.0, 1.0)}


def steps(params, ctx):
    """Report three steps."""
    for step in range(1, 4):
        time.sleep(0.02)
        ctx.report(step, loss=params["x"] ** 2 + 1 / step)
    return {"loss": params["x"] ** 2}


def killing_a_worker_once(params, ctx):
    """Kill the engine's own process around the trial at its second step, in the sixth trial and once."""
    for step in range(1, 4):
        time.sleep(0.02)
        if ctx.number == 5 and step == 2:
            with contextlib.suppress(FileExistsError):
                (ctx.directory / "killed").touch(exist_ok=False)
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
        ctx.report(step, loss=params["x"] ** 2 + 1 / step)
    return {"loss": params["x"] ** 2}


def killing_every_worker(params, ctx):
    """Kill the engine's own process around the trial, each time; leave a file for each time."""
    Path(params["folder"], f"{time.time_ns()}").touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def when(params):
    """Take a moment and say when it was."""
    began = time.time()
    time.sleep(0.2)
    return {"loss": params["x"] ** 2, "began": began, "ended": time.time()}


def endless(params, ctx):
    """Leave the process's number, and never end."""
    (ctx.directory / "pid").write_text(str(os.getpid()))
    time.sleep(3600)


class Data:
    """Something large that leaves a file wherever it is loaded."""

    def __init__(self, size, folder):
        self.content, self.folder = os.urandom(size), str(folder)

    def __reduce__(self):
        return _load, (self.content, self.folder)


def _load(content, folder):
    Path(folder, f"{os.getpid()}-{time.time_ns()}").touch()
    data = Data(0, folder)
    data.content = content
    return data


class WithData:
    """An objective that holds data."""

    def __init__(self, data):
        self.data = data

    def __call__(self, params):
        return {"loss": params["x"] ** 2 + self.data.content[0]}


def ga(objective, evaluator, **options):
    """Run four generations of a genetic algorithm of six."""
    given = {"optimizer": "ga", "population": 6, "generations": 4, "seed": 3} | options
    return eh.tune(objective, SPACE, minimize="loss", evaluator=evaluator, progress=False, **given)


def table(study):
    """Return what does not depend on where and when trials ran."""
    return [(t.params, str(t.status), t.metrics, t.steps, t.reports, t.error) for t in study.trials]


def devices(params, ctx):
    """Say which device the trial has, and check that it sees no other."""
    (device,) = ctx.resources["gpu"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == str(device)
    time.sleep(0.1)
    return {"loss": params["x"] ** 2, "device": int(device)}


class Elsewhere:
    """Something that cannot be loaded in one process."""

    def __init__(self, pid):
        self.pid = pid

    def __reduce__(self):
        return _elsewhere, (self.pid,)


def _elsewhere(pid):
    if pid == os.getpid():
        raise ImportError("not here")
    return Elsewhere(pid)


def strange(params):
    """Return what the study's process cannot read."""
    return {"loss": Elsewhere(params["study"])}
