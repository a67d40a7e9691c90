"""Running a grid of studies, one for each problem, optimizer and seed, each in one process, several at once."""

from __future__ import annotations

import copy
import re
import warnings
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from time import process_time
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import EvohpoError, OptimizerError
from evohpo.evaluators import Batched, Inline, Processes
from evohpo.evaluators.protocol import Failed, Finished, Job
from evohpo.optimizers.registry import Use, use
from evohpo.optimizers.signatures import parameters_of
from evohpo.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evohpo.bench.problems.problem import Problem
    from evohpo.evaluators.protocol import Evaluator, Event

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one study.

    Attributes:
        F: `(n, m)` fitness of its trials in order, minimised; NaN where there is no result.
        violation: `(n,)` by how much each misses the constraints, 0 where it is feasible.
        true: `(n,)` fitness without noise of the best so far; None where the problem does not know it.
        steps: `(n,)` steps taken by all trials so far.
        failed: how many of them failed.
        cpu: seconds of processor time that the study took beside the objective; NaN where it was read from a store.
        asked: how many trials these seconds are for.
        error: why it ended before its budget, "" if it did not.
        warnings: what it warned of.
    """

    F: Floats
    violation: Floats
    true: Floats | None
    steps: Floats
    failed: int
    cpu: float
    asked: int
    error: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """What is run: every optimizer on every problem.

    Attributes:
        problems: to be searched.
        optimizers: by label; a function of `seed` alone makes one for each seed.
        trials: budget of each study.
        population: trials a generation; None leaves it to the optimizers.
        pruner: as `tune` takes it.
        initial: how many random configurations all optimizers try first, or these configurations.
        store: folder of the studies; None keeps them in memory.
    """

    problems: Sequence[Problem]
    optimizers: Mapping[str, Any]
    trials: int
    population: int | None
    pruner: Any
    initial: int | Sequence[Mapping[str, Any]]
    store: Path | None

    def path(self, problem: int, label: str, seed: int) -> Path | None:
        """Return where a study is kept."""
        name = f"{filed(self.problems[problem].name)}--{filed(label)}--{seed}.db"
        return None if self.store is None else self.store / name

    def __call__(self, params: Mapping[str, Any]) -> Run:
        """Run the study of a cell, given by "problem" (its place), "optimizer" (its label) and "seed"."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            return self._run(params["problem"], params["optimizer"], params["seed"], caught)

    def _run(self, at: int, label: str, seed: int, caught: list[warnings.WarningMessage]) -> Run:
        problem = self.problems[at]
        goals: dict[str, Any] = dict(problem.goals.to_dict())
        study = Study(
            problem.space, **goals, optimizer=made(self.optimizers[label], seed), pruner=copy.deepcopy(self.pruner),
            population=self.population, initial=self.first(problem, seed), seed=seed, store=self.path(at, label, seed),
            name=f"{label} on {problem.name}, seed {seed}",
        )  # fmt: skip
        before, error, cpu = len(study.trials), "", np.nan
        if before < self.trials or any(not t.ended for t in study.trials):
            spent, began = _Timed(Inline()), process_time()
            # one trial at a time, so that every optimizer can learn from all before
            objective = problem.objective.__call__ if isinstance(problem.objective, Batched) else problem.objective
            try:
                study.run(objective, trials=self.trials, evaluator=spent, progress=False)
            except OptimizerError as raised:
                error = str(raised)
            cpu = process_time() - began - spent.cpu
            if "interrupted" in study.stopped:
                raise KeyboardInterrupt
        study.close()
        if "failing" in study.stopped:
            error = f"the first {study.stopped['failing']} trials all failed: {study.trials[0].error}"
        messages = tuple(dict.fromkeys(str(w.message) for w in caught))
        return _summary(problem, study, self.trials, error, cpu, len(study.trials) - before, messages)

    def first(self, problem: Problem, seed: int) -> list[dict[str, Any]]:
        """Return the configurations that are tried first, the same for all optimizers."""
        if not isinstance(self.initial, int):
            return [dict(config) for config in self.initial]
        rng = np.random.default_rng([zlib.crc32(problem.name.encode()), seed])
        return problem.space.sample(self.initial, rng) if self.initial else []


class _Timed:
    """An evaluator that counts the processor time that objectives take."""

    def __init__(self, inner: Evaluator) -> None:
        self._inner, self.cpu = inner, 0.0
        self.capacity = inner.capacity
        self.submit, self.stop, self.close = inner.submit, inner.stop, inner.close

    def wait(self, timeout: float | None) -> list[Event]:
        """Let objectives run."""
        began = process_time()
        try:
            return self._inner.wait(timeout)
        finally:
            self.cpu += process_time() - began


def _summary(
    problem: Problem, study: Study, budget: int, error: str, cpu: float, asked: int, messages: tuple[str, ...]
) -> Run:
    trials = study.trials[:budget]
    nothing = (np.nan,) * len(problem.goals.objectives)
    F = np.array([nothing if t.fitness is None else t.fitness for t in trials], float).reshape(-1, len(nothing))
    violation = np.array([t.violation for t in trials], float)
    steps = np.cumsum([float(t.steps) for t in trials])
    true = None
    if problem.truth is not None:
        sign = -1.0 if problem.maximize else 1.0
        best, true = np.inf, np.full(len(trials), np.inf)
        for i, t in enumerate(trials):
            better = t.feasible and F[i, 0] < best
            best, true[i] = (F[i, 0], sign * problem.truth(t.params)) if better else (best, true[max(i - 1, 0)])
    failed = sum(t.failed for t in trials)
    return Run(F, violation, true, steps, failed, cpu, asked, error, messages)


def is_factory(optimizer: Any) -> bool:
    """Return whether it is a function of `seed` alone, which makes an optimizer for each seed.

    >>> is_factory(lambda seed: "ga"), is_factory(lambda problem, rng: "ga")
    (True, False)
    """
    target = optimizer.target if isinstance(optimizer, Use) else optimizer
    return isinstance(target, FunctionType) and list(parameters_of(target)) == ["seed"]


def made(optimizer: Any, seed: int) -> Any:
    """Return an optimizer as `tune` takes it, made for `seed` where it is a function of that."""
    if not is_factory(optimizer):
        return optimizer
    if isinstance(optimizer, Use):
        return use(optimizer.target(seed), repaired=optimizer.repaired, **optimizer.options)
    return optimizer(seed)


def filed(name: str) -> str:
    """Return a name as a part of a file's name, of letters that every system takes; different names stay different.

    >>> filed("sphere-5"), filed("sphere/5")
    ('sphere-5', 'sphere_5-d56571a9')
    """
    safe = re.sub(r"[^A-Za-z0-9._=-]", "_", name)[:80]
    return safe if safe == name else f"{safe}-{zlib.crc32(name.encode()):08x}"


def run_all(grid: Grid, seeds: Sequence[int], workers: int, progress: bool) -> dict[tuple[int, str, int], Run]:
    """Run all cells of a grid, seed by seed so that what is there after a kill can be compared.

    Raises:
        UsageError: something cannot be sent to another process, or a store holds another study.
        EvohpoError: a study could not be run; the message says which.
        KeyboardInterrupt: the user wants no more.
    """
    cells = [
        {"problem": i, "optimizer": label, "seed": seed}
        for seed in seeds
        for i in range(len(grid.problems))
        for label in grid.optimizers
    ]
    runs: dict[tuple[int, str, int], Run] = {}
    with _progress(len(cells)) if progress else nullcontext(lambda: None) as step:
        for cell, run in _one_by_one(grid, cells) if workers == 1 else _side_by_side(grid, cells, workers):
            runs[cell["problem"], cell["optimizer"], cell["seed"]] = run
            step()
    return runs


def _one_by_one(grid: Grid, cells: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Run]]:
    for cell in cells:
        yield cell, grid(cell)


def _side_by_side(grid: Grid, cells: list[dict[str, Any]], workers: int) -> Iterator[tuple[dict[str, Any], Run]]:
    with Processes(workers, threads=1) as evaluator:
        for number, cell in enumerate(cells):
            evaluator.submit(Job(number, cell, grid))
        left = len(cells)
        while left:
            for event in evaluator.wait(None):
                if not isinstance(event, Finished | Failed):
                    continue
                cell = cells[event.number]
                if isinstance(event, Failed):
                    where = f"{cell['optimizer']} on {grid.problems[cell['problem']].name}, seed {cell['seed']}"
                    raise EvohpoError(f"{where}: {event.reason}")
                left -= 1
                yield cell, event.value


def _progress(total: int) -> Any:
    """Return a context that shows how many studies are done, where standard error is a terminal."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def shown() -> Iterator[Any]:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("studies", total=total)
            yield lambda: bar.advance(task)

    return shown()
