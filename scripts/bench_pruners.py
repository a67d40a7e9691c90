"""What early stopping saves: simulated runs on learning curves, with a virtual clock, in seconds instead of days.

Without arguments on curves made by a formula: how much of random search's data Hyperband needs for the same accuracy, how its
time falls with workers, and whether it matters that the best trial goes on first. With files of recorded curves (CSV or
parquet: a row a step of a configuration, columns of hyperparameters, `step`, and the metric) every pruner beside the run
without one: epochs used, and regret.

    python scripts/bench_pruners.py [--runs 100] [--metric loss] [FILE ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import evohpo as eh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

STEPS = 81
SPACE = {f"x{i}": eh.Continuous(0, 1) for i in range(5)}
WORKERS = (1, 2, 4, 8, 12, 16, 24, 32, 64)


def curve(params: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return accuracy by step: a power law towards a level that few configurations bring near 1, slower for the best."""
    distance = float(np.sqrt(sum((params[f"x{i}"] - 0.6) ** 2 * (1.0, 0.7, 0.4, 0.2, 0.1)[i] for i in range(5))))
    level, speed = 0.97 - 0.75 * distance**0.8, 0.45 + 0.5 * params["x4"]
    rng = np.random.default_rng(int(1e9 * params["x0"]))
    steps = np.arange(1, STEPS + 1)
    noise = 0.01 * rng.standard_normal(STEPS) / np.sqrt(steps)
    return [{"accuracy": float(a)} for a in level * (1 - 0.6 * steps**-speed) + noise]


class FirstCome(eh.Hyperband):
    """Hyperband whose paused trials go on in the order of their numbers, not the best first."""

    def decide(self) -> tuple[int, eh.Decision] | None:
        """Return a decision to stop, else the first trial that goes on."""
        stops = [(n, d) for n, d in self._decided.items() if d is eh.Decision.STOP]
        return stops[0] if stops else min(self._decided.items(), default=None)


def track(items: Iterable[Any], what: str) -> Iterator[Any]:
    """Yield items, with progress on a terminal."""
    from rich.console import Console
    from rich.progress import track as progress

    yield from progress(list(items), what, console=Console(stderr=True), transient=True)


def run(
    replayed: eh.Replayed, pruner: Any, trials: int, seed: int, workers: int = 1, optimizer: Any = "random", **goal: str
) -> eh.Study:
    """Simulate one study."""
    return eh.tune(
        replayed, replayed.space, **(goal or {"maximize": "accuracy"}), optimizer=optimizer, pruner=pruner, trials=trials,
        workers=workers, seed=seed, progress=False, duplicates="evaluate",
    )  # fmt: skip


def best_by_step(replayed: eh.Replayed) -> np.ndarray:
    """Return the best accuracy after each step of all trials together."""
    return np.maximum.accumulate(replayed.history()["accuracy"].to_numpy())


def claims(runs: int) -> None:
    """Print what Hyperband needs beside random search, and its time by workers."""
    replayed = eh.Replayed.from_function(curve, SPACE)
    plan = eh.Hyperband(STEPS).brackets
    models, budget = sum(b.n for b in plan), sum(b.steps for b in plan)
    passive, active, ratios = [], [], []
    for seed in track(range(runs), "data"):
        run(replayed, None, budget // STEPS, 2 * seed)
        random = best_by_step(replayed)
        run(replayed, eh.Hyperband(STEPS), models, 2 * seed + 1)
        hyperband = best_by_step(replayed)
        passive.append(random[-1])
        active.append(hyperband[-1])
        ratios.append((random, hyperband))
    target = float(np.median(passive))
    needed = [
        _first(hyperband, target) / _first(random, target) for random, hyperband in ratios if random[-1] >= target
    ]
    whole = [_first(hyperband, target) / len(random) for random, hyperband in ratios]
    print(
        f"Hyperband({STEPS}): {models} models, {budget} steps; random search: {budget // STEPS} models, as many steps"
    )
    print(f"{runs} runs each, accuracy of the best: Hyperband {_spread(active)}, random search {_spread(passive)}")
    print(f"steps for random search's median accuracy {target:.3f}, as a share of all its steps: {_spread(whole)}")
    print(f"  ... as a share of those it needed itself, where it got there: {_spread(needed)}")
    print(
        f"the worst run of Hyperband is better than {np.mean(np.array(passive) < min(active)):.0%} of random search's\n"
    )

    print("workers   time, in trainings of one model   speed-up   busy   time to accuracy   first come")
    base = None
    for workers in track(WORKERS, "workers"):
        times, busy, goal, queue = [], [], [], []
        for seed in range(max(3, runs // 10)):
            run(replayed, eh.Hyperband(STEPS), models, seed, workers)
            times.append(replayed.elapsed / STEPS)
            busy.append(replayed.utilization)
            goal.append(_time_to(replayed, target))
            run(replayed, FirstCome(STEPS), models, seed, workers)
            queue.append(_time_to(replayed, target))
        mean = float(np.mean(times))
        base = base or mean
        print(
            f"{workers:7}   {mean:32.1f}   {base / mean:8.1f}   {np.mean(busy):4.0%}   {np.median(goal):16.2f}   "
            f"{np.median(queue):10.2f}"
        )


def _first(values: np.ndarray, target: float) -> float:
    """Return after how many steps a target is reached; three times as many as there are where it is not."""
    reached = np.flatnonzero(values >= target)
    return float(reached[0] + 1) if len(reached) else 3.0 * len(values)


def _time_to(replayed: eh.Replayed, target: float) -> float:
    history = replayed.history().query(f"accuracy >= {target}")
    return float(history["seconds"].iloc[0] / STEPS) if len(history) else float("nan")


def _spread(values: Iterable[float]) -> str:
    low, middle, high = np.percentile(list(values), [10, 50, 90])
    return f"{middle:.3f} [{low:.3f}, {high:.3f}]"


def tables(files: list[Path], metric: str, runs: int, trials: int) -> None:
    """Print epochs and regret of every pruner, by optimizer, over all tables."""
    replays = {path.stem: eh.Replayed(path, metrics=[metric]) for path in files}
    bounds = {}
    for name, replayed in replays.items():
        final = np.array([points[-1][1][metric] for points in replayed.curves])
        bounds[name] = float(final.min()), float(np.median(final)), max(points[-1][0] for points in replayed.curves)
    print(
        f"{len(files)} tables, {runs} runs each, {trials} trials: epochs as a share of {trials} full trainings, and the regret"
    )
    print("of the best complete trial (0 the best that was recorded, 1 the median configuration)\n")
    print(f"{'':12}" + "".join(f"{name:>18}" for name in ("random", "ga", "de", "cmaes")))
    kinds: list[tuple[str, Callable[[int], Any], int]] = [
        ("none", lambda _: None, trials), ("asha", lambda s: eh.ASHA(s), trials),
        ("promotion", lambda s: eh.ASHA(s, kind="promotion"), trials), ("pasha", lambda s: eh.PASHA(s), trials),
        ("hyperband", lambda s: eh.Hyperband(s), trials), ("median", lambda _: eh.Median(), trials),
        ("percentile", lambda _: eh.Percentile(50), trials), ("none, 1/4", lambda _: None, trials // 4),
        ("none, 1/8", lambda _: None, trials // 8),
    ]  # fmt: skip
    for kind, make, n in track(kinds, "pruners"):
        cells = []
        for optimizer in ("random", "ga", "de", "cmaes"):
            used, regrets = [], []
            for name, replayed in replays.items():
                best, median, last = bounds[name]
                for seed in range(runs):
                    study = run(replayed, make(last), n, seed, optimizer=optimizer, minimize=metric)
                    used.append(study.ledger.steps / (trials * last))
                    trial = min(study.trials, key=lambda t: (-t.steps, t.metrics[metric]))
                    regrets.append((replayed.curve(trial.params)[-1][1][metric] - best) / (median - best))
            cells.append(f"{np.mean(used):8.0%}  {np.mean(regrets):.4f}  ")
        print(f"{kind:12}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--metric", default="loss")
    parser.add_argument("--trials", type=int, default=100)
    given = parser.parse_args()
    if given.files:
        tables(given.files, given.metric, given.runs, given.trials)
    else:
        claims(given.runs)


if __name__ == "__main__":
    sys.exit(main())
