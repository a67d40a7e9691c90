"""`compare`: optimizers on the same problems, with the same budget and the same seeds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.bench.comparison import Comparison
from evohpo.bench.problems.problem import Problem
from evohpo.bench.running import Grid, filed, made, run_all
from evohpo.errors import EvohpoWarning, UsageError
from evohpo.optimizers.registry import resolve
from evohpo.space import Space
from evohpo.trials.goals import Goals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEEDS = 10


def compare(
    objective: Callable[..., Any] | Problem | str | Iterable[Problem | str], optimizers: Iterable[Any] | Mapping[str, Any],
    space: Space | Mapping[str, Any] | None = None, *, maximize: str | Iterable[str] | None = None,
    minimize: str | Iterable[str] | None = None, constraints: Iterable[str] = (), trials: int,
    seeds: int | Iterable[int] = SEEDS, workers: int = 1, pruner: Any = None, population: int | None = None,
    initial: int | Iterable[Mapping[str, Any]] = 1, store: str | Path | None = None, progress: bool = True,
) -> Comparison:  # fmt: skip
    """Run several optimizers on the same problems and say honestly which is better.

    Every optimizer has the same budget, the same seeds and, seed by seed, the same first configurations.

    Args:
        objective: a function as `tune` takes it; or a `Problem`, the name of a built-in one such as "rastrigin/5", or several.
        optimizers: at least two, each as `tune` takes it; a dict gives them labels. A live object has a seed of its own and
            would do the same for every seed: give a function of `seed` that makes one instead.
        space: what is searched; problems have their own.
        maximize: a metric or several to be made large; problems have their own.
        minimize: a metric or several to be made small.
        constraints: outcome constraints such as "seconds <= 1".
        trials: the budget of each run.
        seeds: how many, from 1 on; or the seeds themselves. With two optimizers it takes 7 to show a difference.
        workers: runs at once; above 1 each in a process of its own.
        pruner: the same for all.
        population: trials a generation, for all; None leaves it to each.
        initial: how many random configurations all try first, others for each seed; or the configurations.
        store: a folder that keeps every run as a study; the same call goes on where it was killed.
        progress: False for silence.

    Returns:
        The comparison: `print(comparison)` says which is better.

    Raises:
        UsageError: an argument that makes no sense, or a store with other studies.

    Example:
        >>> comparison = compare("sphere/3", ["random", "cmaes"], trials=80, seeds=8, progress=False)
        >>> comparison.table()["optimizer"].tolist()
        ['cmaes', 'random']
    """
    problems = _problems(objective, space, maximize, minimize, constraints)
    numbers = _seeds(seeds)
    named = labelled(optimizers, numbers[0])
    for name, value in (("trials", trials), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"{name}={value!r}: must be a whole number of at least 1")
    grid = Grid(problems, named, trials, population, pruner, _initial(initial, problems, trials), _folder(store))
    _check_files(grid)
    runs = run_all(grid, numbers, workers, progress)
    for label in named:
        said = dict.fromkeys(w for (_, of, _), run in runs.items() if of == label for w in run.warnings)
        for text in said:
            warnings.warn(f"{label}: {text}", EvohpoWarning, stacklevel=2)
    shared = grid.initial if isinstance(grid.initial, int) else len(grid.initial)
    return Comparison(problems, list(named), numbers, trials, runs, shared)


def problems_of(given: Problem | str | Iterable[Problem | str]) -> list[Problem]:
    """Return problems, those that are named looked up.

    Raises:
        UsageError: there is none, one is no problem, or two have the same name.
    """
    from evohpo.bench.problems import get

    several = [given] if isinstance(given, str | Problem) else list(given)
    problems = [get(p) if isinstance(p, str) else p for p in several]
    for p in problems:
        if not isinstance(p, Problem):
            raise UsageError(f"a problem is a Problem or the name of a built-in one, not {type(p).__name__}")
    if not problems:
        raise UsageError("there is no problem to compare on")
    names = [p.name for p in problems]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise UsageError(f"two problems are called {twice!r}: give them different names")
    return problems


def _problems(objective: Any, space: Any, maximize: Any, minimize: Any, constraints: Iterable[str]) -> list[Problem]:
    if callable(objective):
        if space is None:
            raise UsageError("a function needs its space: compare(objective, optimizers, space, minimize=...)")
        space = space if isinstance(space, Space) else Space(space)
        name = getattr(objective, "__name__", type(objective).__name__).strip("<>")
        return [Problem(name, objective, space, Goals.of(maximize, minimize, constraints))]
    if space is not None or maximize is not None or minimize is not None or constraints:
        raise UsageError(
            "problems have their own space and goals: leave out space=, maximize=, minimize= and constraints="
        )
    return problems_of(objective)


def labelled(optimizers: Iterable[Any] | Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return optimizers by label, each looked at so that what cannot run is refused now.

    Raises:
        UsageError: fewer than two, or one that is none.
    """
    if isinstance(optimizers, str) or not isinstance(optimizers, Iterable):
        raise UsageError(f'optimizers={optimizers!r}: give several, such as ["ga", "de"]')
    named = dict(optimizers) if isinstance(optimizers, Mapping) else None
    given = list(optimizers) if named is None else list(named.values())
    resolved = [resolve(made(o, seed)) for o in given]
    if len(given) < 2:
        raise UsageError(f"there {'is one optimizer' if given else 'are no optimizers'}: a comparison takes two")
    if named is not None:
        return {str(label): o for label, o in named.items()}
    labels: dict[str, Any] = {}
    for o, r in zip(given, resolved, strict=True):
        options = ", ".join(f"{k}={v}" for k, v in r.options.items())
        base = f"{r.name.rpartition(':')[2]}({options})" if options else r.name.rpartition(":")[2]
        same = sum(label == base or label.startswith(f"{base} #") for label in labels)
        labels[f"{base} #{same + 1}" if same else base] = o
    return labels


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        numbers = list(range(1, seeds + 1))
    else:
        numbers = list(seeds) if isinstance(seeds, Iterable) else []
    legal = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in numbers)
    if not numbers or not legal or len(set(numbers)) < len(numbers):
        raise UsageError(f"seeds={seeds!r}: give a number of at least 1, or different whole numbers of at least 0")
    return numbers


def _initial(
    initial: int | Iterable[Mapping[str, Any]], problems: Sequence[Problem], trials: int
) -> int | list[dict[str, Any]]:
    if isinstance(initial, int) and not isinstance(initial, bool):
        if not 0 <= initial <= trials:
            raise UsageError(f"initial={initial!r}: must be from 0 to the number of trials, {trials}")
        return initial
    if isinstance(initial, bool) or not isinstance(initial, Iterable):
        raise UsageError(f"initial={initial!r}: give a number of configurations, or a list of them")
    configs = [initial] if isinstance(initial, Mapping) else list(initial)
    for problem in problems:
        for config in configs:
            problem.space.complete(dict(config))
    return [dict(config) for config in configs]


def _folder(store: str | Path | None) -> Path | None:
    if store is None:
        return None
    folder = Path(store)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"store={str(store)!r}: the folder cannot be made ({error.strerror})") from error
    return folder


def _check_files(grid: Grid) -> None:
    """Refuse names that would share a file."""
    for names in (list(grid.optimizers), [p.name for p in grid.problems]):
        files = [filed(name).lower() for name in names]
        if len(set(files)) < len(files):
            raise UsageError(f"these names would share a file of the store: {', '.join(names)}; give others")
