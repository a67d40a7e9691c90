"""Two scripts to be killed: `victim.py serve PRUNER STORE PORT` serves a small study, `victim.py work URL` works for it."""

from __future__ import annotations

import sys
import time

import evohpo as eh
from tests.conftest import loss, make_mixed_space


def make_study(pruner, store=None):
    return eh.Study(
        make_mixed_space(), minimize="loss", optimizer="ga", population=8, seed=3, store=store,
        pruner=eh.ASHA(max_steps=9) if pruner == "asha" else None,
    )  # fmt: skip


def curve(params):
    for step in range(1, 10):
        yield {"loss": loss(params) + 1 / step}


def slowly(params):
    for metrics in curve(params):
        time.sleep(0.01)
        yield metrics


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        study = make_study(*sys.argv[2:4])
        eh.serve(study, port=int(sys.argv[4]), generations=4, lease=1.0, retries=50, progress=False)
    else:
        eh.connect(sys.argv[2], patience=60).run(slowly)
