"""A driver that is killed: `victim.py KIND STORE SCRIPT` tunes a script with two workers."""

from __future__ import annotations

import sys

import evohpo as eh

SPACE = {"x": eh.Continuous(-2.0, 2.0), "kind": eh.Categorical(["plain", "$(exit 1) 'q'"]), "n": eh.Integer(1, 4)}
SCRIPT = """
import os, sys, time
x, kind, n = float(sys.argv[2]), sys.argv[4], int(sys.argv[6])
latest = {checkpoints} and os.path.exists("latest")
first = int(open("latest").read()) + 1 if latest else 1
for epoch in range(first, 10):
    print(f"epoch={{epoch}} loss={{x * x + n + (kind != 'plain') + 1 / epoch}}")
    open("new", "w").write(str(epoch))
    os.replace("new", "latest")
    time.sleep(0.01)
"""


def loss(params):
    """The same as a generator."""
    for epoch in range(1, 10):
        yield {"loss": params["x"] ** 2 + params["n"] + (params["kind"] != "plain") + 1 / epoch}


def search(kind: str, store: str | None, script: str | None, workers: int = 2) -> eh.Study:
    """`kind` is an optimizer, or "optimizer+hyperband"; without a script the trials run in this process."""
    optimizer, _, pruner = kind.partition("+")
    evaluator = None
    if script is not None:
        evaluator = eh.Script([sys.executable, script], {"loss": r"loss=(\S+)"}, steps=r"epoch=(\d+)", grace=1.0)
    return eh.tune(
        None if script is not None else loss, SPACE, minimize="loss", optimizer=optimizer, generations=3, population=6,
        pruner=eh.Hyperband(9) if pruner else None, seed=7, store=store, workers=workers if script is not None else 1,
        evaluator=evaluator, progress=False,
    )  # fmt: skip


if __name__ == "__main__":
    search(*sys.argv[1:])
