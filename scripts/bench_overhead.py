"""What the framework itself costs: time and memory a trial with a trivial objective, beside Optuna on the same machine.

    .venv/bin/python scripts/bench_overhead.py [TRIALS]

Five mixed parameters. CPU time of this process, so that a busy machine matters less.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import evohpo as eh

SPACE = {
    "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
    "momentum": eh.Continuous(0, 0.99),
    "units": eh.Integer(8, 512, scale="log"),
    "layers": eh.Integer(1, 8),
    "solver": eh.Categorical(["sgd", "adam", "lbfgs"]),
}


def trivial(params):
    return params["momentum"]


def ours(optimizer: str, trials: int, store: str | None) -> float:
    began = time.process_time()
    eh.tune(trivial, SPACE, minimize="loss", optimizer=optimizer, trials=trials, seed=1, store=store, progress=False)
    return (time.process_time() - began) / trials * 1000


def optuna(sampler: str, trials: int, store: str | None) -> float:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        trial.suggest_int("units", 8, 512, log=True)
        trial.suggest_int("layers", 1, 8)
        trial.suggest_categorical("solver", ["sgd", "adam", "lbfgs"])
        return trial.suggest_float("momentum", 0, 0.99)

    storage = (
        None
        if store is None
        else f"sqlite:///{store}"
        if store.endswith(".db")
        else JournalStorage(JournalFileBackend(store))
    )
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=1), storage=storage)
    began = time.process_time()
    study.optimize(objective, n_trials=trials)
    return (time.process_time() - began) / trials * 1000


def memory(trials: int) -> float:
    """Bytes a trial that a study in memory holds."""
    gc.collect()
    tracemalloc.start()
    study = eh.tune(trivial, SPACE, minimize="loss", optimizer="ga", trials=trials, seed=1, progress=False)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] / len(study.trials)
    tracemalloc.stop()
    return size


def import_seconds() -> float:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import evohpo"], check=True)
        times.append(time.perf_counter() - began)
    return sorted(times)[3]


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"import evohpo: {import_seconds():.3f} s (median of 7 whole processes)")
    print(f"memory: {memory(10_000):.0f} bytes a trial (ga, 10,000 trials)")
    print(f"\n{'milliseconds of CPU a trial':42s} {'trials':>8s} {'memory':>9s} {'store':>9s}")
    with tempfile.TemporaryDirectory() as folder:
        for optimizer in ("random", "ga", "de", "pso", "de-steady"):
            for n in (trials // 10, trials):
                store = str(Path(folder) / f"{optimizer}-{n}.db")
                print(
                    f"evohpo {optimizer:35s} {n:8d} {ours(optimizer, n, None):9.4f} {ours(optimizer, n, store):9.4f}",
                    flush=True,
                )
        for sampler in ("RandomSampler", "NSGAIISampler"):
            n = 500
            sqlite = optuna(sampler, n // 5, str(Path(folder) / f"{sampler}.db"))
            journal = optuna(sampler, n, str(Path(folder) / f"{sampler}.log"))
            print(
                f"optuna {sampler:35s} {n:8d} {optuna(sampler, n, None):9.4f} {journal:9.4f} (journal) {sqlite:.2f} (sqlite)",
                flush=True,
            )


if __name__ == "__main__":
    main()
