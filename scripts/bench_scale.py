"""What the driver costs while 64 workers run 10,000 trials of about a second: CPU and memory a trial, as a study grows.

    .venv/bin/python scripts/bench_scale.py virtual [TRIALS] [OPTIMIZER ...]     # a virtual clock: the driver's time alone
    .venv/bin/python scripts/bench_scale.py real [TRIALS] [OPTIMIZER ...]        # the same workers really take their seconds
    .venv/bin/python scripts/bench_scale.py memory [TRIALS] [OPTIMIZER ...]      # what stays in memory, of which kind

Studies have a store on disk; trials report 0 or 3 steps. 64 workers end 64 trials of 1 s in a second, so that 5% of a core
is 0.78 ms a trial.
"""

from __future__ import annotations

import gc
import heapq
import sys
import tempfile
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import evohpo as eh
from evohpo.closing import Closing
from evohpo.evaluators.protocol import Finished, Reported, Started

WORKERS, BLOCK, REPORTS = 64, 1000, (0, 3)
SPACE = {
    "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
    "momentum": eh.Continuous(0, 0.99),
    "units": eh.Integer(8, 512, scale="log"),
    "layers": eh.Integer(1, 8),
    "solver": eh.Categorical(["sgd", "adam", "lbfgs"]),
}


class Timers(Closing):
    """Workers that only wait, lognormal times with a mean of 1 s, in real or in virtual time; `seen` hears of each block."""

    capacity = WORKERS

    def __init__(self, real, reports, seen):
        self.real, self.reports, self.seen = real, reports, seen
        self.began, self.elapsed, self.ended = time.monotonic(), 0.0, 0
        self.durations = np.random.default_rng(1).lognormal(-0.125, 0.5, 4096).tolist()
        self.agenda, self.events, self.study = [], [], None

    def begin(self, study):
        """Learn whose jobs these are."""
        self.study = study

    def submit(self, job):
        """Begin a job."""
        self.events.append(Started(job.number, "timer"))
        self._plan(job, 1)

    def wait(self, timeout):  # noqa: ARG002 - there is always something under way
        """Let time pass to the next moment at which something happens."""
        if not self.events and self.agenda:
            self.elapsed, number, step, job = heapq.heappop(self.agenda)
            if self.real:
                time.sleep(max(0.0, self.began + self.elapsed - time.monotonic()))
            self._reach(number, step, job)
        events, self.events = self.events, []
        return events

    def stop(self, number, pause=False):
        """Nobody is stopped: there is no pruner."""

    def close(self):
        """Forget all jobs."""
        self.agenda.clear()

    def _plan(self, job, step):
        due = self.elapsed + self.durations[job.number % 4096] / max(1, self.reports)
        heapq.heappush(self.agenda, (due, job.number, step, job))

    def _reach(self, number, step, job):
        value = {"loss": job.params["momentum"] + 1.0 / step}
        if self.reports:
            self.events.append(Reported(number, step, value))
        if step < self.reports:
            self._plan(job, step + 1)
            return
        steps = step if self.reports else 0
        self.events.append(Finished(number, value, self.durations[number % 4096], steps, "timer"))
        self.ended += 1
        if self.ended % BLOCK == 0:
            self.seen(self.study)


def studied(real, optimizer, reports, trials, seen):
    """Run a study with a store; `seen` is called with it after each block of trials."""
    with tempfile.TemporaryDirectory() as folder:
        eh.tune(
            None, SPACE, minimize="loss", optimizer=optimizer, trials=trials, seed=1, store=Path(folder) / "study.db",
            evaluator=Timers(real, reports, seen), duplicates="evaluate", progress=False,
        )  # fmt: skip


def timed(real, optimizer, reports, trials):
    """Return the CPU time of each block in ms a trial, the share of a core, and the growth of this process in kB a trial."""
    cpu, held, began = [time.process_time()], [], time.monotonic()

    def seen(_study):
        cpu.append(time.process_time())
        held.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4.096)

    studied(real, optimizer, reports, trials, seen)
    blocks = np.diff(cpu) / BLOCK * 1000
    share = (cpu[-1] - cpu[0]) / (time.monotonic() - began) if real else blocks.mean() / 1000 * WORKERS
    return blocks, share, (held[-1] - held[0]) / max(1, len(held) - 1) / BLOCK


def size(trials):
    """Return the bytes of all objects that can be reached from trials."""
    size, stack, known = 0, list(trials), set()
    while stack:
        each = stack.pop()
        if each is None or id(each) in known or isinstance(each, type):
            continue
        known.add(id(each))
        size += sys.getsizeof(each)
        stack.extend(gc.get_referents(each))
        if isinstance(each, np.ndarray):  # a row of a matrix keeps the matrix
            stack.append(each.base)
    return size


def remembered(optimizer, reports, trials):
    """Return bytes a trial in a study's second half: in all, and of the trials themselves."""
    found = []

    def seen(study):
        gc.collect()
        found.append((tracemalloc.get_traced_memory()[0], size(study.trials)))

    tracemalloc.start()
    studied(False, optimizer, reports, trials, seen)
    tracemalloc.stop()
    middle = len(found) // 2
    return (np.array(found[-1]) - np.array(found[middle])) / (len(found) - 1 - middle) / BLOCK


def apart(function, *given):
    """Return what a function returns in a process of its own, so that no study is measured with the memory of another."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def main(what, trials, optimizers):
    heads = ["all", "of trials", "rest"] if what == "memory" else ["first", "last", "mean", "of a core", "kB/trial"]
    print(f"{'bytes' if what == 'memory' else 'ms'} a trial  reports" + "".join(f"{head:>10}" for head in heads))
    for optimizer in optimizers:
        for reports in REPORTS:
            line = f"{optimizer:14} {reports:7}"
            if what == "memory":
                total, own = apart(remembered, optimizer, reports, trials)
                print(f"{line} {total:9.0f} {own:9.0f} {total - own:9.0f}", flush=True)
                continue
            blocks, share, growth = apart(timed, what == "real", optimizer, reports, trials)
            times = " ".join(f"{ms:9.3f}" for ms in (blocks[0], blocks[-1], blocks.mean()))
            print(f"{line} {times} {share:9.1%} {growth:9.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in {"virtual", "real", "memory"}:
        sys.exit(__doc__)
    main(
        sys.argv[1],
        max(4 * BLOCK, int(sys.argv[2]) if len(sys.argv) > 2 else 10 * BLOCK),
        sys.argv[3:] or ["random", "de", "ga", "ga-steady", "pso"],
    )
