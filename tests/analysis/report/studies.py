"""Studies to report on: one that trains in steps and fails at times, one with a front, one whose texts are hostile."""

from __future__ import annotations

import evohpo as eh
from tests.conftest import loss, make_mixed_space

SCRIPT = "</script><script>window.hacked=1</script>"
IMAGE = "<img src=x onerror='window.hacked=1'>"
BRACES = "{{ 7 * 191 }}{% raw %}"
HOSTILE = [SCRIPT, IMAGE, BRACES, "\"'`&lt;<!--", "half \ud800 a pair", "<b>%{x}</b>"]


def stepwise(store=None):
    """Some sixty trials, 9 steps each at most, stopped early by ASHA; six layers fail, so do very many units."""

    def train(params, ctx):
        if params["layers"] == 6:
            raise ValueError(f"six layers do not fit into {ctx.number} GB")
        if params["units"] > 200:
            raise RuntimeError("out of memory")
        for step in range(1, 10):
            yield {"loss": loss(params) + 1 / step, "accuracy": 1 / (1 + loss(params))}

    return eh.tune(
        train, make_mixed_space(), minimize="loss", optimizer="de", pruner=eh.ASHA(max_steps=9), generations=6,
        population=10, seed=3, initial=[{"layers": 2}], store=store, progress=False, owner="Ada", description="a test",
    )  # fmt: skip


def with_front(store=None, n=60):
    """Loss against size, with a bound on the size."""
    return eh.tune(
        lambda p: {"loss": loss(p), "size": float(p["units"] * p["layers"])}, make_mixed_space(),
        minimize=["loss", "size"], constraints=["size <= 300"], optimizer="random", trials=n, seed=3, store=store,
        progress=False,
    )  # fmt: skip


def hostile(store=None):
    """Every text that a user can give is an attack."""
    space = {SCRIPT: eh.Continuous(0, 1), IMAGE: eh.Categorical(HOSTILE), BRACES: HOSTILE[3]}
    study = eh.Study(
        space, minimize=SCRIPT, maximize=IMAGE, optimizer="random", seed=1, store=store, name=SCRIPT + IMAGE + BRACES,
        owner=IMAGE, description=SCRIPT, duplicates="evaluate",
    )  # fmt: skip
    study.attach({SCRIPT: 0.5, IMAGE: SCRIPT}, {SCRIPT: 1.0, IMAGE: 2.0}, label=SCRIPT)
    for i, trial in enumerate(study.ask(24)):
        if i % 6 == 5:
            study.tell(trial, error=HOSTILE[i % 5], kind=IMAGE, traceback=SCRIPT, worker=SCRIPT, job=IMAGE)
            continue
        metrics = {SCRIPT: trial.params[SCRIPT], IMAGE: i / 10, BRACES: HOSTILE[i % 6], "nan": float("nan")}
        study.report(trial, 1, metrics)
        study.tell(trial, metrics, worker=SCRIPT, job=IMAGE)
    return study
