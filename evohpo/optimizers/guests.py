"""What a study sees of a guest, whatever its form: proposals are checked and copied, results are told read-only.

So no guest can disturb its study, and no study its guest.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evohpo.errors import EvohpoError, EvohpoWarning, OptimizerError, UsageError
from evohpo.optimizers.protocol import Array, Population, Problem, Results, Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SLACK = 1e-9  # rounding that is clipped silently; genes farther outside [0, 1] are an error


# ---- what all forms share


@contextmanager
def _blaming(name: str, where: str) -> Iterator[None]:
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
    X: Any = _configs(given.X, who) if _proposes_configs(traits) else _rows(given.X, problem.dim, who)
    parents = None if given.parents is None else np.array(given.parents, dtype=np.int64)
    operator = given.operator if isinstance(given.operator, str | None) else list(given.operator)
    for what, values in (("parents", parents), ("operator", operator), ("keys", given.keys)):
        if values is not None and not isinstance(values, str) and len(values) != len(X):
            raise OptimizerError(f"{who} {len(X)} rows but {len(values)} {what}: give one a row")
    return Population(X, parents, operator, given.keys)


def _proposes_configs(traits: Traits) -> bool:
    if traits.encoding is None:
        return False
    from evohpo.space import Configs

    return isinstance(traits.encoding, Configs)


def _configs(proposed: Any, who: str) -> list[dict[str, Any]]:
    """Return a copy of configurations; the space checks their values."""
    if isinstance(proposed, Mapping) or not all(isinstance(c, Mapping) for c in proposed):
        raise OptimizerError(f"{who} {type(proposed).__name__}, not a list of configurations, dicts by parameter")
    return [dict(c) for c in proposed]


def _rows(proposed: Any, dim: int, who: str) -> Array:
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


def _frozen(results: Results) -> Results:
    """Return the same results behind read-only arrays."""
    views: dict[str, Any] = {
        f.name: np.asarray(getattr(results, f.name)).view()
        for f in fields(results)
        if f.name != "keys" and not isinstance(getattr(results, f.name), list)
    }
    for view in views.values():
        view.flags.writeable = False
    return replace(results, **views)


def _remember(problem: Problem, results: Results) -> None:
    problem.known = Results.concatenate([problem.known, results]) if len(problem.known) else results


def _asked(results: Results) -> np.ndarray[Any, np.dtype[np.bool_]]:
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
        with _blaming(self._name, f"generation {self.generation + 1}"), self._scope:
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
        own = _asked(results)
        if not own.all():
            _remember(self._problem, _frozen(results).take(~own))
            results = results.take(own)
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
            told = _frozen(told).take(order)
        told = _frozen(replace(told, keys=() if self._keys is None else list(self._keys)))
        if self._traits.told == "results":
            return told
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
        with _blaming(self._name, "ask"), self._scope:
            answer = self._guest.ask(n)
        if answer is None:
            return None
        return _population(answer, self._problem, self._traits, f"optimizer {self._name!r} proposed")

    def tell(self, results: Results) -> None:
        """Tell the guest."""
        results = _frozen(results)
        with _blaming(self._name, "tell"), self._scope:
            if self._pairs:
                self._guest.tell(results.X, results.F[:, 0] if self._traits.objectives == "single" else results.F)
            else:
                self._guest.tell(results)


class Bare:
    """An object whose `ask` takes nothing, in one of the spellings that people use.

    `ask()` returns a point `x`, or `(key, x)`, or a list of these; None for "nothing now". The number of parameters of
    `tell` says what it wants: `tell(x, f)`, `tell(key, x, f)`, or one list of such tuples. It is told as it was asked:
    a point as soon as it is known; a list together, in its order, as `tell(xs, fs)` or `tell(keys, xs, fs)`, and before
    the next is asked for. Points that were never asked for are only added to `problem.known`.
    """

    def __init__(
        self, guest: Any, problem: Problem, name: str, traits: Traits, scope: AbstractContextManager[Any]
    ) -> None:
        self._guest, self._problem, self._name, self._traits, self._scope = guest, problem, name, traits, scope
        self._arity = len(required(guest.tell))
        self._out: dict[int, tuple[Any, type]] = {}  # serial -> the guest's key, and the type its points have
        self._together = 0  # points of the list that is out
        self._told: dict[int, tuple[Any, Any, Any]] = {}  # serial -> (key, x, f) of that list
        self._keyed = False  # whether its points come with keys
        self._serial = 0
        if self._arity not in (1, 2, 3):
            raise UsageError(
                f"optimizer {name!r}: tell takes {self._arity} parameters, not (x, f), (key, x, f) or a list of these"
            )

    def ask(self, n: int) -> Population | None:
        """Return up to `n` points, or one list; no row while a list is out, None when there is nothing to wait for."""
        rows: list[Array] = []
        first = self._serial
        while len(rows) < n and not self._together:
            with _blaming(self._name, "ask"), self._scope:
                answer = self._guest.ask()
            if answer is None or (isinstance(answer, list) and not answer):
                break
            rows += self._take(answer)
        if not rows and not self._out:
            return None
        X = np.concatenate(rows) if rows else np.empty((0, self._problem.dim))
        return Population(X, keys=range(first, self._serial))

    def _take(self, answer: Any) -> list[Array]:
        together = not self._is_point(answer)
        rows = []
        for point in answer if together else [answer]:
            self._keyed = self._is_keyed(point)
            key, x = point if self._keyed else (None, point)
            rows.append(_rows(np.atleast_1d(x)[None], self._problem.dim, f"optimizer {self._name!r} proposed"))
            self._out[self._serial] = key, type(x)
            self._serial += 1
        self._together = len(rows) if together else 0
        return rows

    def _is_keyed(self, point: Any) -> bool:
        pair = isinstance(point, tuple) and len(point) == 2 and np.ndim(point[1]) == 1
        return pair and (self._arity == 3 or np.ndim(point[0]) == 0)

    def _is_point(self, answer: Any) -> bool:
        return self._is_keyed(answer) or (not _holds_pairs(answer) and np.ndim(answer) < 2)

    def tell(self, results: Results) -> None:
        """Tell the guest single points at once, lists when they are complete."""
        own = _asked(results)
        if not own.all():
            _remember(self._problem, _frozen(results).take(~own))
        for i in map(int, np.flatnonzero(own)):
            serial = results.keys[i]
            if serial not in self._out:
                raise UsageError(f"optimizer {self._name!r} was told a row that is not out: each row is told once")
            key, kind = self._out.pop(serial)
            f = float(results.F[i, 0]) if self._traits.objectives == "single" else results.F[i].copy()
            point = key, _like(kind, results.X[i]), f
            if not self._together:
                self._say([point] if self._arity == 1 else point)
                continue
            self._told[serial] = point
            if len(self._told) == self._together:
                points = [self._told[serial] for serial in sorted(self._told)]
                self._told, self._together = {}, 0
                self._say(points if self._arity == 1 else [list(column) for column in zip(*points, strict=True)])

    def _say(self, told: Sequence[Any]) -> None:
        """Call the guest's `tell`: with the one list of points, or with key, point and fitness or lists of each."""
        if self._arity == 1:
            told = [[point if self._keyed else point[1:] for point in told]]
        with _blaming(self._name, "tell"), self._scope:
            self._guest.tell(*told[-self._arity :])


def _holds_pairs(answer: Any) -> bool:
    return isinstance(answer, list) and bool(answer) and isinstance(answer[0], tuple)


def _like(kind: type, row: Array) -> Any:
    """Return `row` as the guest writes its points: as a list, a tuple, a number, or an array of its own."""
    if kind in (list, tuple):
        return kind(row.tolist())
    return float(row[0]) if kind in (float, int, np.float64) else row.copy()


# ---- reading signatures


def parameters_of(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a caller of `target` can give, by name; none where it does not tell."""
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # some callables written in C do not tell
        return {}


def catches_all(parameter: inspect.Parameter) -> bool:
    """Return whether it is an `*args` or `**kwargs`."""
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def required(method: Callable[..., Any]) -> list[str]:
    """Return the parameters without which `method` cannot be called."""
    parameters = parameters_of(method).items()
    return [name for name, p in parameters if p.default is p.empty and not catches_all(p)]
