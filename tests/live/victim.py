"""A script that is killed: `victim.py NAME STORE` tunes with a live object, two workers and a store."""

from __future__ import annotations

import sys
import time
import warnings

import evohpo as eh
from evohpo.study.conversation import ReplayMismatch
from tests.conftest import loss, make_mixed_space
from tests.live.objects import LIVE, NOT_REPEATABLE

TRIALS = 24


def slow_loss(params):
    time.sleep(0.04)  # long enough to be killed in the middle
    if params["layers"] == 6:
        raise ValueError("six layers do not fit")
    return {"loss": loss(params), "size": params["layers"] * params["units"]}


def search(name: str, store: str | None, workers: int = 2) -> eh.Study:
    """Return the study after all its trials; `lookahead` makes those that never wait independent of timing."""
    goals = ["loss", "size"] if "nsga" in name.lower() else "loss"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eh.EvohpoWarning)  # notes on what is replaced in a guest
        if name not in NOT_REPEATABLE:
            warnings.simplefilter("error", ReplayMismatch)
        return eh.tune(
            slow_loss, make_mixed_space(), minimize=goals, optimizer=LIVE[name](), trials=TRIALS, workers=workers,
            evaluator=eh.Threads(workers), lookahead=LOOKAHEAD.get(name), seed=7, store=store, progress=False,
        )  # fmt: skip


LOOKAHEAD: dict[str, int] = dict.fromkeys(
    [
        n
        for n in LIVE
        if n.split(".")[0]
        in {"optuna", "nevergrad", "ax", "skopt", "bayes_opt", "searcher", "ray", "asynchronous class"}
    ],
    2,
)


if __name__ == "__main__":
    search(sys.argv[1], sys.argv[2])
