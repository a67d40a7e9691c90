"""Wall time over perfect list scheduling of the same durations, on every engine of evohpo and on its peers.

    .venv/bin/python scripts/bench_peers.py [--seeds 3] [--python PATH] SYSTEM ...

    evohpo-threads evohpo-processes evohpo-script evohpo-dask evohpo-ray     # as in bench_engines.py
    optuna-threads optuna-sqlite                                             # pip install optuna
    ray-reused ray-fresh                                                     # pip install 'ray[tune]'
    syne                                                                     # pip install 'syne-tune[basic]'

Trials sleep for lognormal times, mean 0.2 s and sigma 1, 200 of them on 8 workers. A peer that cannot be installed beside
evohpo has an environment of its own: `--python /tmp/syne/bin/python syne`. What can be started before the clock runs is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

WORKERS, TRIALS = 8, 200


# ---- evohpo, in this process


def evohpo(engine, seeds):
    """Return the ratio of each seed; the clusters of an engine are started by a short study."""
    from bench_engines import Kept, engines, ratio

    with ExitStack() as leaving:
        evaluator = engines(leaving)[engine]()
        if isinstance(evaluator, Kept):
            ratio(evaluator, "ga-steady", [0.5] * 4 * WORKERS)
        return [ratio(evaluator, "ga-steady", durations(seed))[0] for seed in seeds]


# ---- peers, each study in a process of its own, by an interpreter that may know nothing of evohpo


def optuna(seconds, store=None):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        time.sleep(seconds[trial.number])
        return trial.suggest_float("x", -1.0, 1.0) ** 2

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1), storage=store)
    began = time.perf_counter()
    study.optimize(objective, n_trials=len(seconds), n_jobs=WORKERS)
    return time.perf_counter() - began


def optuna_sqlite(seconds):
    with tempfile.TemporaryDirectory() as folder:
        return optuna(seconds, f"sqlite:///{folder}/study.db")


def ray_tune(seconds, reuse):
    import ray
    from ray import tune

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    def objective(config):
        time.sleep(config["seconds"])
        tune.report({"loss": config["x"] ** 2})

    def study(times, folder):
        space = {"x": tune.uniform(-1.0, 1.0), "seconds": tune.grid_search(list(times))}
        return tune.Tuner(
            objective,
            param_space=space,
            tune_config=tune.TuneConfig(metric="loss", mode="min", max_concurrent_trials=WORKERS, reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )

    with tempfile.TemporaryDirectory() as folder:
        study([0.01] * WORKERS, folder).fit()  # starts what is started once
        tuner = study(seconds, folder)
        began = time.perf_counter()
        ended = tuner.fit()
        wall = time.perf_counter() - began
    assert len(ended) == len(seconds), f"{len(ended)} trials"
    assert ended.num_errors == 0, f"{ended.num_errors} trials failed"
    ray.shutdown()
    return wall


TRIAL = """
import sys, time, json
from syne_tune import Reporter
i = int(sys.argv[sys.argv.index("--i") + 1])
time.sleep(json.load(open({path!r}))[i])
Reporter()(loss=float(i))
"""


def syne(seconds):
    import logging

    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import randint
    from syne_tune.optimizer.baselines import RandomSearch

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        script, table = Path(folder) / "trial.py", Path(folder) / "seconds.json"
        table.write_text(json.dumps(seconds))
        script.write_text(TRIAL.format(path=str(table)))
        n = len(seconds)
        first = [{"i": i} for i in range(n)]
        tuner = Tuner(
            trial_backend=LocalBackend(entry_point=str(script)),
            scheduler=RandomSearch({"i": randint(0, n - 1)}, metrics=["loss"], points_to_evaluate=first, random_seed=1),
            stop_criterion=StoppingCriterion(max_num_trials_finished=n),
            n_workers=WORKERS,
            sleep_time=0.1,  # of 5 s, between looks for what ended
            save_tuner=False,
            trial_backend_path=str(Path(folder) / "trials"),
        )
        began = time.perf_counter()
        tuner.run()
        return time.perf_counter() - began


PEERS = {
    "optuna-threads": (optuna, "optuna"),
    "optuna-sqlite": (optuna_sqlite, "optuna"),
    "ray-reused": (lambda seconds: ray_tune(seconds, True), "'ray[tune]'"),
    "ray-fresh": (lambda seconds: ray_tune(seconds, False), "'ray[tune]'"),
    "syne": (syne, "'syne-tune[basic]'"),
}


def peer(system, python, seed):
    """Return the ratio of one study, made by another interpreter."""
    from bench_engines import bound

    seconds = durations(seed)
    command = [python, __file__, "--wall", system]
    ended = subprocess.run(command, input=json.dumps(seconds), capture_output=True, text=True)
    if ended.returncode:
        if "ModuleNotFoundError" in ended.stderr:
            sys.exit(f"{system}: install it for {python}: {python} -m pip install {PEERS[system][1]}, or give --python")
        sys.exit(f"{system} failed:\n{ended.stderr[-3000:]}")
    return float(ended.stdout.split()[-1]) / bound(seconds)


# ---- both


def durations(seed):
    """Return what the trials of a study take, the same for all systems."""
    import numpy as np

    return np.random.default_rng(seed).lognormal(np.log(0.2) - 0.5, 1.0, TRIALS).tolist()


def main(systems, seeds, python):
    print("| system | median ratio to bound | worst |\n|---|---|---|", flush=True)
    for system in systems:
        if system.startswith("evohpo-"):
            ratios = evohpo(system.removeprefix("evohpo-"), range(seeds))
        elif system in PEERS:
            ratios = [peer(system, python, seed) for seed in range(seeds)]
        else:
            sys.exit(f"no such system: {system}\n{__doc__}")
        print(f"| {system} | {statistics.median(ratios):.3f} | {max(ratios):.3f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peer")
    parser.add_argument("--wall", help=argparse.SUPPRESS)  # the other side: durations in, seconds out
    given = parser.parse_args()
    if given.wall:
        print(PEERS[given.wall][0](json.load(sys.stdin)))
    else:
        main(given.systems or [*PEERS], given.seeds, given.python)
