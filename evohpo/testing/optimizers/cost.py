"""What an optimizer costs and leaves behind: time, memory, threads, output."""

from __future__ import annotations

import contextlib
import gc
import io
import threading
import tracemalloc
from time import process_time, sleep
from typing import Any

import evohpo as eh
from evohpo.testing.outcome import Check, Inapplicable
from evohpo.testing.problems import cube, measure, search, sphere

BLOCK = 100  # trials whose cost is taken together
LIMIT = 4.0  # seconds a check may use
LEAK = 20_000  # bytes a trial that are too many


def cost_of_asking(optimizer: Any) -> None:
    """A proposal costs no more after 2,000 trials than after 200, or grows by less than three times and 0.2 ms."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    study.begin(budget=2000, workers=1)
    costs: list[float] = []
    while sum(costs) < LIMIT and len(costs) < 20:
        began, trials = process_time(), 0
        while trials < BLOCK and (asked := study.ask(BLOCK)):
            measure(study, sphere, asked)
            trials += len(asked)
        if not trials:
            break
        costs.append((process_time() - began) / trials * BLOCK)
    if len(costs) < 6:
        raise Inapplicable(f"it is too slow, or ends too early, to tell: {len(study.trials)} trials in {LIMIT:g} s")
    early, late = min(costs[1:4]), min(costs[-3:])  # the least: whoever else uses the machine can only add
    per_trial = [1000 * cost / BLOCK for cost in (early, late)]
    assert late < 3 * early + BLOCK * 0.0002, (
        f"a trial costs {per_trial[0]:.2f} ms early and {per_trial[1]:.2f} ms after {len(study.trials)} trials"
    )


def memory(optimizer: Any) -> None:
    """It does not keep more than some 20 kB for every trial."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    marks: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        while len(study.trials) < 400 and (asked := study.ask(20)):
            measure(study, sphere, asked)
            if len(study.trials) >= 200 * (len(marks) + 1):
                gc.collect()
                marks.append((len(study.trials), tracemalloc.get_traced_memory()[0]))
    finally:
        tracemalloc.stop()
    if len(marks) < 2:
        raise Inapplicable("it ended before 400 trials")
    (first, before), (last, after) = marks[0], marks[-1]
    per_trial = (after - before) / (last - first)
    assert per_trial < LEAK, f"it keeps {per_trial / 1000:.0f} kB more with every trial"


def threads(optimizer: Any) -> None:
    """When a study is dropped no thread of its optimizer stays."""
    before = set(threading.enumerate())
    study = search(optimizer, sphere, cube(3), trials=20)
    del study
    gc.collect()
    for _ in range(200):
        kept = [t for t in threading.enumerate() if t not in before and t.is_alive()]
        if not kept:
            return
        sleep(0.01)
    raise AssertionError(f"threads stay: {', '.join(t.name for t in kept)}")


def quiet(optimizer: Any) -> None:
    """It prints nothing."""
    said, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
        search(optimizer, sphere, cube(3), trials=30)
    text = said.getvalue() or wrong.getvalue()
    assert not text.strip(), f"it prints {text.strip().splitlines()[0][:60]!r}"


CHECKS: list[Check] = [threads, quiet, memory, cost_of_asking]
