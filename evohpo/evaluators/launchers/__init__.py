r"""Trials as jobs of a launcher: Slurm, TorchX, and whatever runs jobs in your house.

A launcher of your own has four methods, see `Launcher`. This one runs jobs as processes of this machine:

    import os, signal, subprocess
    from contextlib import suppress

    class Local:
        def __init__(self):
            self.jobs = {}

        def submit(self, name, command, environment, directory, resources):
            path = directory / f"{name}.log"
            with path.open("wb") as output:
                process = subprocess.Popen(
                    command, env=os.environ | environment, cwd=directory, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                )
            self.jobs[name] = process, path
            return name

        def poll(self, jobs):
            return {job: self.state(self.jobs[job][0].poll()) for job in jobs if job in self.jobs}

        def state(self, code):
            if code is None:
                return "running"
            return "done" if code == 0 else "lost: killed" if code in (-9, -15) else f"failed: exit code {code}"

        def cancel(self, job):
            with suppress(ProcessLookupError):
                os.killpg(self.jobs[job][0].pid, signal.SIGKILL)

        def read(self, job, offset):
            with self.jobs[job][1].open("rb") as output:
                output.seek(offset)
                text = output.read(1_000_000)
            return text, offset + len(text)

With it, all that trials do elsewhere works: pruners, timeouts, retries, going on where a study was broken off.

    evaluator = eh.Launched(Local(), ["python", "train.py"], {"loss": r"loss=(\S+)"}, steps=r"epoch=(\d+)")
    eh.tune(None, space, minimize="loss", evaluator=evaluator, pruner=eh.ASHA(max_steps=27), trials=50, workers=4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.evaluators.launchers.evaluator import Launched
    from evohpo.evaluators.launchers.protocol import Launcher
    from evohpo.evaluators.launchers.slurm import Slurm
    from evohpo.evaluators.launchers.torchx import TorchX

__getattr__, __dir__ = exports(
    __name__, {"evaluator": ("Launched",), "protocol": ("Launcher",), "slurm": ("Slurm",), "torchx": ("TorchX",)}
)

__all__ = ["Launched", "Launcher", "Slurm", "TorchX"]
