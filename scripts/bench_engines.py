"""What engines cost: wall time over perfect list scheduling of the same durations, for each way to run trials.

    .venv/bin/python scripts/bench_engines.py [SEEDS] [ENGINE ...]     # threads processes script dask ray

Trials sleep for lognormal times, mean 0.2 s and sigma 1, 200 of them on 8 workers. Clusters and worker processes are started
by a short study before the clock runs, and what that takes is told apart; `script` starts a shell for each trial.
"""

from __future__ import annotations

import heapq
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import evohpo as eh

WORKERS, TRIALS = 8, 200
SPACE = {"x": eh.Continuous(-1.0, 1.0)}


class Slept:
    """A parabola that takes the durations of a list."""

    def __init__(self, durations):
        self.durations = durations

    def __call__(self, params, ctx):
        """Sleep and measure."""
        time.sleep(self.durations[ctx.number])
        return params["x"] ** 2


class Kept:
    """An evaluator that is not closed at the end of a study, so that the next one finds its processes."""

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def __getattr__(self, name):
        return getattr(self.evaluator, name)

    def close(self):
        """Stay open."""


class Shells(Kept):
    """Scripts that find in a file how long each of them sleeps."""

    def __init__(self, leaving):
        self.file = Path(leaving.enter_context(tempfile.TemporaryDirectory())) / "seconds"
        text = "mapfile -t d < $SECONDS_FILE; echo loss=$1; exec sleep ${d[$EVOHPO_TRIAL]}"
        command, environment = ["bash", "-c", text, "bash", "{x}"], {"SECONDS_FILE": self.file}
        shells = eh.Script(command, {"loss": r"loss=(\S+)"}, workers=WORKERS, environment=environment)
        super().__init__(leaving.enter_context(shells))

    def give(self, durations):
        """Write down the durations; there is no objective to call."""
        self.file.write_text("\n".join(f"{d:.4f}" for d in durations) + "\n", "utf-8")


def bound(durations):
    """Return the time that perfect list scheduling takes."""
    free = [0.0] * WORKERS
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def ratio(evaluator, optimizer, durations):
    """Return the wall time of a study over the bound, and the driver's time on a core, in ms a trial."""
    objective = Slept(durations)
    if isinstance(evaluator, Shells):
        objective = evaluator.give(durations)
    began, used = time.perf_counter(), time.process_time()
    eh.tune(
        objective, SPACE, minimize="loss", optimizer=optimizer, trials=len(durations), seed=1, evaluator=evaluator,
        duplicates="evaluate",
        progress=False,
    )  # fmt: skip
    wall, core = time.perf_counter() - began, time.process_time() - used
    return wall / bound(durations), 1000 * core / len(durations)


def engines(leaving):
    """Return, by name, what makes an evaluator; what it opens is closed with `leaving`."""
    return {
        "threads": lambda: eh.Threads(WORKERS),
        "processes": lambda: Kept(leaving.enter_context(eh.Processes(WORKERS))),
        "script": lambda: Shells(leaving),
        "dask": lambda: Kept(
            leaving.enter_context(eh.Dask({"n_workers": 2, "threads_per_worker": 4}, workers=WORKERS))
        ),
        "ray": lambda: Kept(leaving.enter_context(eh.Ray(workers=WORKERS, options={"log_to_driver": False}))),
    }


def main(seeds, names):
    columns = ("ga-steady", 10), ("worst", 6), ("islands", 10), ("worst", 6), ("driver ms/trial", 16), ("start s", 8)
    print(f"{'wall time / bound':18}", *(f"{name:>{width}}" for name, width in columns))
    for name in names:
        with ExitStack() as leaving:
            evaluator = engines(leaving)[name]()
            start = 0.0
            if isinstance(evaluator, Kept):
                short = [0.5] * 4 * WORKERS
                start = (ratio(evaluator, "ga-steady", short)[0] - 1) * bound(short)
            line, cores = f"{name:18}", []
            for optimizer in ("ga-steady", eh.Islands("ga", 8)):
                ratios = []
                for seed in range(seeds):
                    durations = np.random.default_rng(seed).lognormal(np.log(0.2) - 0.5, 1.0, TRIALS).tolist()
                    wall, core = ratio(evaluator, optimizer, durations)
                    ratios.append(wall)
                    cores.append(core)
                line += f" {np.median(ratios):10.3f} {max(ratios):6.3f}"
            print(f"{line} {np.median(cores):16.2f} {start:8.2f}", flush=True)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:] or ["threads", "processes", "script", "dask", "ray"]
    )
