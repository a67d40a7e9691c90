"""What a study sees of a guest, whatever its form: proposals are checked and copied, results are told read-only.

So no guest can disturb its study, and no study its guest.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evohpo.errors import EvohpoError, EvohpoWarning, OptimizerError, UsageError
from evohpo.optimizers.protocol import Array, Population, Problem, Results, Traits
from evohpo.optimizers.signatures import required

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

COLUMNS = tuple(f.name for f in fields(Results) if f.name != "keys")
SLACK = 1e-9  # rounding that is clipped silently; genes farther outside [0, 1] are an error


# ---- what all forms share


@contextmanager
def blaming(name: str, where: str) -> Iterator[None]:
    """Turn what a guest raises into an OptimizerError with the guest's own error, traceback intact, as its cause."""
    try:
        yield
    except EvohpoError:
        raise
    except Exception as error:
        message = f"optimizer {name!r} raised {type(error).__name__} in {where}: {error}"
        raise OptimizerError(message) from error


def _population(answer: Any, problem: Problem, traits: Traits, who: str) -> Population:
    """Return what a guest proposed as a population that is legal and the study's own.

    Raises:
        OptimizerError: it is no matrix of numbers in [0, 1] with a column a gene, or its lineage has another length.
    """
    given = answer if isinstance(answer, Population) else Population(answer)
    X: Any = _configs(given.X, who) if _proposes_configs(traits) else checked_rows(given.X, problem.dim, who)
    parents = None if given.parents is None else _parents(given.parents, who)
    operator = given.operator if isinstance(given.operator, str | None) else list(given.operator)
    steps = None if given.steps is None else _whole(given.steps, f"{who} steps")
    heirs = None if given.heirs is None else _whole(given.heirs, f"{who} heirs")
    columns = {"parents": parents, "operator": operator, "keys": given.keys, "steps": steps, "heirs": heirs}
    for what, values in columns.items():
        if values is not None and not isinstance(values, str) and len(values) != len(X):
            raise OptimizerError(f"{who} {len(X)} rows but {len(values)} {what}: give one a row")
    return Population(X, parents, operator, given.keys, steps, heirs)


def _proposes_configs(traits: Traits) -> bool:
    if traits.encoding is None:
        return False
    from evohpo.space import Configs

    return isinstance(traits.encoding, Configs)


def _whole(given: Any, what: str) -> NDArray[np.int64]:
    """Return whole numbers `(k,)`.

    Raises:
        OptimizerError: they are none.
    """
    numbers = np.array(given)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise OptimizerError(f"{what} of type {numbers.dtype} and shape {numbers.shape}: give one whole number a row")
    return numbers.astype(np.int64)


def _parents(given: Any, who: str) -> NDArray[np.int64]:
    """Return trial numbers `(k, p)`; one parent a row may come as `(k,)`.

    Raises:
        OptimizerError: they are no whole numbers.
    """
    parents = np.array(given)
    if parents.size and parents.dtype.kind not in "iu":
        raise OptimizerError(f"{who} parents of type {parents.dtype}: they are trial numbers, from results.trials")
    numbers: NDArray[np.int64] = parents.astype(np.int64).reshape(len(parents), -1 if parents.size else 0)
    return numbers


def _configs(proposed: Any, who: str) -> list[dict[str, Any]]:
    """Return a copy of configurations; the space checks their values."""
    if isinstance(proposed, Mapping) or not all(isinstance(c, Mapping) for c in proposed):
        raise OptimizerError(f"{who} {type(proposed).__name__}, not a list of configurations, dicts by parameter")
    return [dict(c) for c in proposed]


def checked_rows(proposed: Any, dim: int, who: str) -> Array:
    """Return a checked copy `(k, dim)`; a copy, since the guest may use its buffer again."""
    try:
        X = np.array(proposed, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptimizerError(f"{who} {type(proposed).__name__} that is no matrix of numbers ({error})") from error
    if X.shape == (0,):
        return np.empty((0, dim))
    if X.ndim != 2 or X.shape[1] != dim:
        hint = ": a single row is x[None]" if X.shape == (dim,) else ""
        raise OptimizerError(f"{who} an array of shape {X.shape}, not (rows, {dim}){hint}")
    if X.size and not (X.min() >= 0.0 and X.max() <= 1.0):
        wrong = np.argwhere(~((X >= -SLACK) & (X <= 1.0 + SLACK)))
        if len(wrong):
            row, gene = map(int, wrong[0])
            raise OptimizerError(
                f"{who} gene {gene} = {X[row, gene]} in row {row}: genes are numbers in [0, 1], clip or reflect them"
            )
        np.clip(X, 0.0, 1.0, out=X)
    return X


def frozen(results: Results) -> Results:
    """Return the same results behind read-only arrays."""
    views: dict[str, Any] = {
        name: np.asarray(column).view() for name in COLUMNS if not isinstance(column := getattr(results, name), list)
    }
    for view in views.values():
        view.flags.writeable = False
    return replace(results, **views)


def remember(problem: Problem, results: Results) -> None:
    """Add results that the guest never asked for to what the problem says is known."""
    problem.known = Results.concatenate([problem.known, results]) if len(problem.known) else results


def asked(results: Results) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which rows carry a key, `(k,)`: those this optimizer proposed."""
    if not len(results.keys):
        return np.zeros(len(results), bool)
    return np.fromiter((key is not None for key in results.keys), bool, len(results))


# ---- the generator of populations


class Guest(Protocol):
    """What `Generations` needs of a generator."""

    def send(self, value: Any, /) -> Any:
        """Hand in what became of the last population, None at first, and return the next."""
        ...

    def close(self) -> Any:
        """End it."""
        ...


class Generations:
    """Asks a generator of populations for one at a time, and sends it the results when all of them are there.

    Results come in any order and in any portions; they are put into the order of the rows. Points that were never asked
    for are added to `problem.known`. A guest that has returned is done; one that has raised stays broken.

    Attributes:
        generation: index of the generation that is being evaluated, from 0; -1 before the first.
    """

    def __init__(
        self, guest: Guest, problem: Problem, name: str, traits: Traits, scope: AbstractContextManager[Any]
    ) -> None:
        self.generation = -1
        self._guest, self._problem, self._name, self._traits, self._scope = guest, problem, name, traits, scope
        self._message: Any = None  # what is sent next
        self._failure: BaseException | None = None
        self._done = False
        self._first = 0  # key of this generation's first row; keys count all rows of the run
        self._keys: Sequence[Any] | None = None  # the guest's own
        self._missing = np.zeros(0, bool)  # (k,) rows of this generation that are not told yet
        self._parts: list[Results] = []
        self._rungs: list[Results] = []  # results before the end of trials

    def ask(self, n: int) -> Array | Population | None:  # noqa: ARG002 - a generation comes whole
        """Return the next generation, no row while one is out, None when the generator has returned."""
        if self._failure is not None:
            raise OptimizerError(f"optimizer {self._name!r} cannot go on after: {self._failure}") from self._failure
        if self._done:
            return None
        if self._missing.any():
            return np.empty((0, self._problem.dim))
        try:
            return self._next()
        except BaseException as error:  # Ctrl-C too: a guest that was torn out of its work cannot go on
            self._failure = error
            with suppress(Exception):  # what it raises while it is ended is not what went wrong
                self._guest.close()
            raise

    def _next(self) -> Population | None:
        with blaming(self._name, f"generation {self.generation + 1}"), self._scope:
            try:
                answer = self._guest.send(self._message)
            except StopIteration:
                self._done = True
                return None
        who = f"optimizer {self._name!r} proposed for generation {self.generation + 1}"
        population = _population(answer, self._problem, self._traits, who)
        k = len(population.X)
        if not k:
            raise OptimizerError(f"{who} no row at all: a generator that is done returns")
        self.generation += 1
        self._first += len(self._missing)
        self._missing, self._parts, self._message, self._keys = np.ones(k, bool), [], None, population.keys
        return replace(population, keys=range(self._first, self._first + k))

    def tell(self, results: Results) -> None:
        """Collect results; the generator sees them on the next `ask` after its generation is complete.

        Raises:
            UsageError: a row that is not out, because it was told before or never asked.
        """
        own = asked(results)
        if not own.all():
            remember(self._problem, frozen(results).take(~own))
            results = results.take(own)
        if not results.final.all():  # at rungs; the generator sees them with the rest of its generation
            self._rungs.append(frozen(results).take(~results.final))
            results = results.take(results.final)
        if not len(results):
            return
        rows = np.fromiter(results.keys, np.int64, len(results)) - self._first
        inside = (rows >= 0) & (rows < len(self._missing))
        if not inside.all() or not self._missing[rows].all():
            raise UsageError(f"optimizer {self._name!r} was told a row that is not out: each row is told once")
        self._missing[rows] = False
        self._parts.append(results)
        if not self._missing.any():
            self._message = self._complete()

    def _complete(self) -> Any:
        told = self._parts[0] if len(self._parts) == 1 else Results.concatenate(self._parts)
        order = np.argsort(np.fromiter(told.keys, np.int64, len(told)))
        if (order != np.arange(len(told))).any():
            told = frozen(told).take(order)
        told = frozen(replace(told, keys=() if self._keys is None else list(self._keys)))
        if self._traits.told == "results":
            rungs, self._rungs = [replace(r, keys=()) for r in self._rungs], []
            return frozen(Results.concatenate([replace(told, keys=()), *rungs])) if rungs else told
        return told.F[:, 0] if self._traits.objectives == "single" else told.F

    def close(self) -> None:
        """End the guest; its `finally` clauses run. Dropping this object does the same."""
        self._done = True
        if self._guest.close() is False:
            warnings.warn(
                f"optimizer {self._name!r} swallows the signal to stop (a bare `except:`?): its thread stays until the "
                "process ends", EvohpoWarning, stacklevel=2,
            )  # fmt: skip


# ---- objects with ask and tell


class Arrays:
    """An object with the protocol over arrays; its proposals are checked, everything else is passed through.

    A `tell` with two required parameters gets the matrix X `(k, dim)` and fitness F, `(k,)` or, if the optimizer is
    declared "multi", `(k, m)`.
    """

    def __init__(
        self, guest: Any, problem: Problem, name: str, traits: Traits, scope: AbstractContextManager[Any]
    ) -> None:
        self._guest, self._problem, self._name, self._traits, self._scope = guest, problem, name, traits, scope
        self._pairs = len(required(guest.tell)) == 2

    @property
    def generation(self) -> int | None:
        """The guest's own count of generations, None if it has none."""
        own = getattr(self._guest, "generation", None)
        return own if isinstance(own, int) else None

    def ask(self, n: int) -> Population | None:
        """Return what the guest proposes."""
        with blaming(self._name, "ask"), self._scope:
            answer = self._guest.ask(n)
        if answer is None:
            return None
        return _population(answer, self._problem, self._traits, f"optimizer {self._name!r} proposed")

    def tell(self, results: Results) -> None:
        """Tell the guest."""
        results = frozen(results)
        with blaming(self._name, "tell"), self._scope:
            if self._pairs:
                self._guest.tell(results.X, results.F[:, 0] if self._traits.objectives == "single" else results.F)
            else:
                self._guest.tell(results)
