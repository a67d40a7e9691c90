"""Objectives for the evaluators' tests, importable by workers: kind ones first, then those that do all they can."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def square(params):
    return params["x"] ** 2


def double(params, ctx):
    return {"number": ctx.number, "seed": ctx.seed, "step": ctx.step, "gpu": ctx.resources.get("gpu")}


def keeps_default(params, epochs=3):
    return epochs


def context_by_name(params, ctx=None):
    return ctx.number


def writes(params, ctx):
    (ctx.directory / "note").write_text("here")
    return {"size": len(list(ctx.directory.iterdir()))}


def counts(params):
    for i in range(params["n"]):
        yield {"step": i + 1}


def counts_by_report(params, ctx):
    for i in range(params["n"]):
        ctx.report(i + 1, at=i + 1)


def keeps_a_checkpoint(params, ctx):
    path = ctx.directory / "steps"
    for _ in range(ctx.step, params["n"]):
        path.write_text((path.read_text() if path.exists() else "") + ".")
        yield {"sum": len(path.read_text())}


def keeps_a_checkpoint_by_report(params, ctx):
    path = ctx.directory / "steps"
    for i in range(ctx.step, params["n"]):
        path.write_text((path.read_text() if path.exists() else "") + ".")
        ctx.report(i + 1, sum=len(path.read_text()))


def counts_and_returns(params):
    yield from counts(params)
    return {"total": params["n"]}


def marks_its_end(params):
    """Write every step it reaches, and its end."""
    path = Path(params["path"])
    try:
        for i in range(params["n"]):
            path.write_text(f"{i + 1}")
            yield {"at": i + 1}
    finally:
        path.write_text(path.read_text() + " closed")


def reports(params, ctx):
    path = Path(params["path"])
    try:
        for i in range(params["n"]):
            path.write_text(f"{i + 1}")
            ctx.report(i + 1, at=i + 1)
    finally:
        path.write_text(path.read_text() + " closed")


def swallows_the_stop(params, ctx):
    for i in range(3):
        with contextlib.suppress(BaseException):
            ctx.report(i + 1, loss=float(i))
    return {"loss": -1.0}


def reports_backwards(params, ctx):
    ctx.report(2, loss=1.0)
    ctx.report(2, loss=1.0)


def reports_from_a_generator(params, ctx):
    yield {"loss": 1.0}
    ctx.report(2, loss=1.0)


def will_not_close(params):
    try:
        yield {"loss": 1.0}
    except GeneratorExit:
        yield {"loss": 2.0}


def raises(params):
    raise ERRORS[params["error"]]()


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no message")


ERRORS = {
    "value": lambda: ValueError("first\nsecond " + "x" * 1000),
    "exit": lambda: SystemExit(3),
    "generator": lambda: GeneratorExit("odd"),
    "memory": MemoryError,
    "stop": lambda: StopIteration("odd"),
    "unprintable": UnprintableError,
}


def recurses(params):
    return recurses(params)


def raises_at_a_step(params):
    yield {"loss": 1.0}
    raise ValueError("at step two")


def numpy_values(params):
    import numpy as np

    return {"a": np.float32(0.5), "b": np.array(3), "c": np.int64(7), "d": np.bool_(True)}


def returns_a_lock(params):
    import threading

    return {"fine": 1.0, "lock": threading.Lock()}


def mutates(params):
    params["x"] = 99
    return params["x"]


# ---- processes only


def pid(params):
    return os.getpid()


def dies(params):
    how = params["how"]
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        ctypes.string_at(0)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


def dies_once(params):
    """Be killed from outside in the first attempt, at step 2."""
    path = Path(params["path"])
    for step in (1, 2, 3):
        yield {"step": step}
        if step == 2 and not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def hangs(params):
    how = params["how"]
    if how == "sleep":
        time.sleep(600)
    elif how == "busy":
        while True:
            pass
    elif how == "gil":  # a C function that neither lets go of the interpreter lock nor looks at signals
        ctypes.PyDLL(None).sleep(600)
    elif how == "regex":
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif how == "deaf":
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        time.sleep(600)


def hangs_at_its_end(params):
    try:
        while True:
            yield {"loss": 1.0}
    finally:
        time.sleep(600)


def breeds(params):
    """Start children that stay: plain, with a session and an environment of their own, and an orphan daemon."""
    subprocess.Popen(SLEEPER)
    subprocess.Popen(SLEEPER, start_new_session=True)
    naked = subprocess.Popen(SLEEPER, env={}, start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path(params["path"]).write_text(f"{os.getpid()} {naked.pid}")
            time.sleep(600)
        os._exit(0)
    while not Path(params["path"]).exists() or not Path(params["path"]).read_text():
        time.sleep(0.01)
    if params["then"] == "hang":
        time.sleep(600)
    if params["then"] == "crash":
        os._exit(3)
    return {"ok": 1.0}


def child_comes_back(params):
    os.fork()
    return {"pid": float(os.getpid())}


def fork_survives_a_crash(params):
    if os.fork() == 0:
        time.sleep(600)
    os._exit(7)


def eats(params):
    eaten = []
    while True:
        eaten.append(b"x" * 10_000_000)
        time.sleep(0.01)


def child_eats(params):
    code = "import time; eaten = b'x' * 300_000_000; time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], check=False)


def prints(params):
    for _ in range(20):
        sys.stdout.write("x" * 1_000_000 + "\n")
    return {"ok": 1.0}


def closes_its_streams(params):
    sys.stdout.close()
    sys.stderr.close()
    os.close(1)
    os.close(2)
    return {"ok": 1.0}


def environment(params):
    return {name: os.environ.get(name) for name in params["names"].split()}


def session(params):
    return {"own": os.getsid(0) == os.getpid(), "modules": "numpy" in sys.modules or "psutil" in sys.modules}


class Unloadable:
    def __reduce__(self):
        return (unload, ())

    def __call__(self, params):
        return 1.0


def unload():
    raise ImportError("no such module here")


class KillsItsWorker(Unloadable):
    """Can be pickled, but no worker survives to have it."""

    def __reduce__(self):
        return (os._exit, (5,))
