"""A driver that is killed: `victim.py STORE SCRIPT` tunes a script as jobs of Slurm, two at once.

With a third argument it kills itself when it has committed the last step of a trial, before it hears of the trial's end.
"""

from __future__ import annotations

import os
import signal
import sys

import evohpo as eh

SPACE = {"x": eh.Continuous(-2.0, 2.0), "kind": eh.Categorical(["plain", "$(exit 1) 'q'"])}
SCRIPT = """
import os, sys, time
x, kind = float(sys.argv[2]), sys.argv[4]
open(f"started-{os.getpid()}", "w").close()
for epoch in range(1, 10):
    print(f"epoch={epoch} loss={x * x + (kind != 'plain') + 1 / epoch}")
    time.sleep(0.02)
"""


def loss(params):
    """The same as a generator."""
    for epoch in range(1, 10):
        yield {"loss": params["x"] ** 2 + (params["kind"] != "plain") + 1 / epoch}


class Killing:
    """Ends this process at the last step of a trial."""

    def reported(self, study, trial, step, metrics) -> None:
        if step == 9:
            os.kill(os.getpid(), signal.SIGKILL)


def search(store: str | None, script: str | None, kill: str = "", pruner: bool = False, **options) -> eh.Study:
    """Without a script the trials run in this process."""
    evaluator = None
    if script is not None:
        command = [sys.executable, "-I", "-S", "-u", script]
        options = {"poll": 0.05, "settle": 1.0, **options}
        evaluator = eh.Launched(eh.Slurm(), command, {"loss": r"loss=(\S+)"}, steps=r"epoch=(\d+)", **options)
    return eh.tune(
        None if script is not None else loss, SPACE, minimize="loss", optimizer="ga", generations=2, population=4,
        pruner=eh.Hyperband(9) if pruner else None, seed=7, store=store, workers=2 if script is not None else 1,
        evaluator=evaluator, callbacks=[Killing()] if kill else [], progress=False,
    )  # fmt: skip


if __name__ == "__main__":
    search(*sys.argv[1:])
