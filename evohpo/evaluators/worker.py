"""The child's side of `Processes`: a loop that runs one job after the other until the driver has no more."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import select
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from evohpo.evaluators.calling import Calling, Suspended, failed
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.frames import Channel
from evohpo.evaluators.protocol import Failed, Finished, Job, Reported, Started
from evohpo.evaluators.slots import RESOURCES


class Unsendable(Exception):
    """What an objective gave cannot be pickled; the message names its type."""


def main(name: str, mark: str, fd: str) -> None:
    """Serve the driver at the other end of socket `fd`; `name` is for events, `mark` what all our processes carry."""
    channel = Channel(_socket(fd))
    sys.path[:] = channel.receive()
    own = os.getpid()
    atexit.register(_leave, mark, own)  # first in, last out: after what libraries do to end their pools
    if hasattr(os, "register_at_fork"):  # a forked child must neither answer in our place nor keep the connection open
        os.register_at_fork(after_in_child=channel.sock.close)
    threading.Thread(target=_watch, args=(channel.sock.fileno(), mark), name="evohpo watch", daemon=True).start()
    try:
        channel.send("ready")
        _serve(channel, name)
    except (EOFError, OSError):  # no more jobs: exit as any program does
        pass
    finally:
        if os.getpid() != own:  # the objective forked, and this is the child coming back
            os._exit(0)


def _serve(channel: Channel, name: str) -> None:
    calling: Calling | None = None
    suspended = Suspended()
    devices = json.loads(os.environ.get(RESOURCES, "{}"))
    problem: BaseException | None = None
    while True:
        kind, content = channel.receive()
        if kind == "objective":
            calling, problem = None, None
            suspended.close()
            try:
                calling = Calling(pickle.loads(content))  # noqa: S301 - from a process that belongs to this run
            except BaseException as error:  # noqa: BLE001 - whatever it raises ends this trial, not the study
                problem = error
            continue
        number, seed, step, directory, details, over = content
        for paused in over:
            suspended.drop(paused)
        job = Job(number, {}, seed=seed, step=step, directory=Path(directory))
        try:
            params, resources = pickle.loads(details)  # noqa: S301 - from a process that belongs to this run
        except BaseException as error:  # noqa: BLE001 - whatever it raises ends this trial, not the study
            channel.send(failed(job, error, 0.0, step, name))
            continue
        if calling is None:
            assert problem is not None
            channel.send(failed(job, problem, 0.0, step, name))
            continue
        _run(replace(job, params=params, resources={**devices, **resources}), calling, suspended, channel, name)


def _run(job: Job, calling: Calling, suspended: Suspended, channel: Channel, name: str) -> None:
    own, began = os.getpid(), perf_counter()
    step = job.step

    def report(at: int, metrics: Any, resumed: str) -> Verdict:
        nonlocal step
        step = at
        _send(channel, Reported(job.number, at, metrics, resumed), metrics)
        try:
            return Verdict(channel.receive())
        except EOFError:  # the driver closes: tidy up and go
            return Verdict.STOP

    channel.send(Started(job.number, name))
    assert job.directory is not None
    try:
        end = calling.drive(job, name, job.directory, report, suspended)
        if os.getpid() != own:  # see main
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # it may have closed them
                stream.flush()
        _send(channel, end, end.value if isinstance(end, Finished) else None)
    except Unsendable as error:
        channel.send(Failed(job.number, "value", str(error), perf_counter() - began, step, name))


def _send(channel: Channel, event: Any, value: Any) -> None:
    try:
        channel.send(event)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it raises ends this trial, not the study
        raise Unsendable(f"{_culprit(value)}, which cannot be sent from its process to the study: {error}") from None


def _culprit(value: Any) -> str:
    if isinstance(value, dict):
        for key, metric in value.items():
            try:
                pickle.dumps(metric)
            except Exception:  # noqa: BLE001 - whatever it raises ends this trial, not the study
                return f"metric {key!r} is {type(metric).__module__}.{type(metric).__qualname__}"
    return f"the result is {type(value).__module__}.{type(value).__qualname__}"


def _leave(mark: str, own: int) -> None:
    """End what objectives started and left running."""
    if os.getpid() != own or not hasattr(os, "WNOHANG"):
        return
    with contextlib.suppress(ChildProcessError):  # none, mostly: psutil is heavy
        os.waitpid(-1, os.WNOHANG)
        from evohpo.evaluators import tree

        tree.end(mark)


def _watch(fd: int, mark: str) -> None:
    """End this process and all it started when the driver is gone, even while an objective runs."""
    if not hasattr(select, "poll"):
        return  # the guardian alone sees to it
    poll = select.poll()
    poll.register(fd, 0)  # hang-ups are always reported
    poll.poll()
    from evohpo.evaluators import tree

    tree.end(mark)
    os._exit(1)


def _socket(fd: str) -> socket.socket:
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    sock = socket.socket(fileno=int(fd))
    sock.set_inheritable(False)
    return sock
