"""Objects that ask and tell in their own spelling, taken as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalValue, OptimizerError, UsageError
from evohpo.optimizers.guests import asked, blaming, checked_rows, frozen, remember
from evohpo.optimizers.protocol import Array, Population, Problem, Results, Traits
from evohpo.optimizers.signatures import parameters_of, required

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

SPELLINGS = (("ask", "tell"), ("suggest", "observe"))
COUNTS = ("n", "n_suggestions", "n_points", "batch_size")  # how a `suggest` that gives lists calls their length


def spelling(target: Any) -> tuple[str, str] | None:
    """Return the names of the two methods by which `target` talks, None if it does not.

    Example:
        >>> class Points:
        ...     def suggest(self): ...
        ...     def observe(self, x, f): ...
        >>> spelling(Points)
        ('suggest', 'observe')
    """
    return next((names for names in SPELLINGS if all(callable(getattr(target, name, None)) for name in names)), None)


@dataclass(frozen=True, slots=True)
class _Point:
    """A point that is out: the guest's key for it, the point as the guest wrote it, and the row made of it."""

    key: Any
    written: Any
    row: Array


class Bare:
    """An object in one of the spellings that people use.

    Its methods are `ask` and `tell` or `suggest` and `observe`. `ask()` returns a point, or `(key, point)`, or a list of
    these; None for "nothing now". `suggest(n)` returns a list. A point is a row of genes in [0, 1], as an array, a list, a
    tuple or, of one gene, a number; or a configuration, a dict by parameter (or a DataFrame of them).

    The number of parameters of `tell` says what it wants: `tell(x, f)`, `tell(key, x, f)`, or one list of such tuples. It
    is told as it was asked: a point as soon as it is known; a list together, in its order, as `tell(xs, fs)` or
    `tell(keys, xs, fs)`, and before the next is asked for. A point comes back as it was written, or, where something else
    was evaluated, as that in the same writing. Points that were never asked for are only added to `problem.known`.
    """

    def __init__(
        self, guest: Any, problem: Problem, name: str, traits: Traits, scope: AbstractContextManager[Any]
    ) -> None:
        names = spelling(guest)
        assert names is not None
        self._ask, self._tell = (getattr(guest, method) for method in names)
        self._guest, self._problem, self._name, self._traits, self._scope = guest, problem, name, traits, scope
        self._takes_n = bool(required(self._ask)) or any(p in COUNTS for p in parameters_of(self._ask))
        self._arity = len(required(self._tell))
        self._out: dict[int, _Point] = {}  # by serial number
        self._together = 0  # points of the list that is out
        self._frame = False  # whether that list came as a DataFrame
        self._told: dict[int, tuple[Any, Any, Any]] = {}  # by serial number, (key, x, f) of that list
        self._keyed = False  # whether its points come with keys
        self._serial = 0
        if self._arity not in (1, 2, 3):
            raise UsageError(
                f"optimizer {name!r}: {names[1]} takes {self._arity} parameters, not (x, f), (key, x, f) or a list of these"
            )

    def ask(self, n: int) -> Population | None:
        """Return up to `n` points, or one list; no row while a list is out, None when there is nothing to wait for."""
        rows: list[Array] = []
        first = self._serial
        while len(rows) < n and not self._together:
            with blaming(self._name, "ask"), self._scope:
                answer = self._ask(self._problem.population or n) if self._takes_n else self._ask()
            if answer is None or (isinstance(answer, list) and not answer):
                break
            rows += self._take(answer)
        if not rows and not self._out:
            return None
        X = np.array(rows) if rows else np.empty((0, self._problem.dim))
        return Population(X, keys=range(first, self._serial))

    def _take(self, answer: Any) -> list[Array]:
        self._frame = hasattr(answer, "to_dict") and hasattr(answer, "columns")
        answer = answer.to_dict("records") if self._frame else answer
        together = not self._is_point(answer)
        rows = []
        for point in answer if together else [answer]:
            self._keyed = self._is_keyed(point)
            key, x = point if self._keyed else (None, point)
            row = self._row(x)
            rows.append(row)
            self._out[self._serial] = _Point(key, dict(x) if isinstance(x, Mapping) else x, row)
            self._serial += 1
        self._together = len(rows) if together else 0
        return rows

    def _row(self, x: Any) -> Array:
        who = f"optimizer {self._name!r} proposed"
        if not isinstance(x, Mapping):
            row: Array = checked_rows(np.atleast_1d(x)[None], self._problem.dim, who)[0]
            return row
        assert self._problem.space is not None
        try:
            config = self._problem.space.narrowed(x)
        except IllegalValue as error:
            raise OptimizerError(f"{who} an illegal configuration: {error}") from error
        encoded: Array = self._problem.encoding.encode([config])[0]
        return encoded

    def _is_keyed(self, point: Any) -> bool:
        pair = isinstance(point, tuple) and len(point) == 2
        if pair and isinstance(point[1], Mapping):
            return True
        return pair and np.ndim(point[1]) == 1 and (self._arity == 3 or np.ndim(point[0]) == 0)

    def _is_point(self, answer: Any) -> bool:
        if isinstance(answer, Mapping) or self._is_keyed(answer):
            return True
        return not (isinstance(answer, list) and isinstance(answer[0], tuple | Mapping)) and np.ndim(answer) < 2

    def tell(self, results: Results) -> None:
        """Tell the guest single points at once, lists when they are complete."""
        own = asked(results)
        if not own.all():
            remember(self._problem, frozen(results).take(~own))
        for i in map(int, np.flatnonzero(own)):
            serial = results.keys[i]
            if serial not in self._out:
                raise UsageError(f"optimizer {self._name!r} was told a row that is not out: each row is told once")
            point = self._out.pop(serial)
            f = float(results.F[i, 0]) if self._traits.objectives == "single" else results.F[i].copy()
            told = point.key, self._as_written(point, results.X[i]), f
            if not self._together:
                self._say([told] if self._arity == 1 else told)
                continue
            self._told[serial] = told
            if len(self._told) == self._together:
                points = [self._told[serial] for serial in sorted(self._told)]
                self._told, self._together = {}, 0
                self._say(points if self._arity == 1 else [list(column) for column in zip(*points, strict=True)])

    def _as_written(self, point: _Point, row: Array) -> Any:
        """Return what was evaluated as the guest writes its points."""
        x = point.written
        if isinstance(x, Mapping):
            return x if np.array_equal(row, point.row) else self._problem.encoding.decode(row[None])[0]
        if isinstance(x, list | tuple):
            return type(x)(row.tolist())
        return float(row[0]) if np.ndim(x) == 0 else row.copy()

    def _say(self, told: Sequence[Any]) -> None:
        """Call the guest's `tell`: with the one list of points, or with key, point and fitness or lists of each."""
        if self._arity == 1:
            told = [[point if self._keyed else point[1:] for point in told]]
        elif self._frame:
            import pandas as pd

            told = [told[0], pd.DataFrame(told[1]), np.asarray(told[2])]
        with blaming(self._name, "tell"), self._scope:
            self._tell(*told[-self._arity :])
