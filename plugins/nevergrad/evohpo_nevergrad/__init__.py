"""How an optimizer of nevergrad proposes for a study of evohpo, and learns what became of it.

It is built on a parametrization that is made of the genes, draws from the study's seed, and is asked and told one candidate
at a time.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nevergrad as ng  # type: ignore[import-untyped]
import numpy as np
from nevergrad.common.errors import NevergradEarlyStopping, TellNotAskedNotSupportedError  # type: ignore[import-untyped]
from nevergrad.optimization import metamodel  # type: ignore[import-untyped]
from nevergrad.optimization.base import ConfiguredOptimizer, Optimizer  # type: ignore[import-untyped]
from nevergrad.optimization.recaster import RecastOptimizer, TooManyAskError  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import Penalty, seed_from
from evohpo.optimizers.protocol import Population, Traits
from evohpo.optimizers.registry import Registered

from .parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evohpo.optimizers.protocol import Array, Problem, Results

__all__ = ["adapt"]

REFERENCE = "Rapin, Teytaud (2018), Nevergrad: A gradient-free optimization platform"
LARGEST = 1e20  # nevergrad makes all losses beyond 5e20 one, with a warning


def adapt(obj: Any) -> Registered | None:
    """Return what runs an optimizer of nevergrad; None for what is none.

    Options are `num_workers` and `budget`.

    Args:
        obj: an entry of `ng.optimizers`, a class of optimizers, a family such as `ng.optimizers.DifferentialEvolution`
            with or without settings, or an optimizer.

    Example:
        >>> adapted = adapt(ng.optimizers.DifferentialEvolution(crossover="twopoints"))
        >>> adapted.name, adapted.traits.objectives
        ("nevergrad.DifferentialEvolution(crossover='twopoints')", 'multi')
    """
    if isinstance(obj, type) and issubclass(obj, ConfiguredOptimizer):
        obj = _made(obj)
    if not isinstance(obj, (Optimizer, ConfiguredOptimizer)) and not _is_class(obj):
        return None
    live = isinstance(obj, Optimizer)
    maker = getattr(obj, "_configured_optimizer", type(obj)) if live else obj
    kind = maker if isinstance(maker, type) else type(maker)
    name = maker.__name__ if isinstance(maker, type) else maker.name
    name = f"nevergrad.{name}" if kind.__module__.startswith("nevergrad.") else f"{kind.__module__}:{name}"

    def start(
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int | None = None,
        num_workers: int | None = None,
        budget: int | None = None,
    ) -> Candidates:
        own = budget or (obj.budget if live else None)
        workers = num_workers or (obj.num_workers if live and obj.num_workers > 1 else population or 1)
        callbacks = obj._callbacks if live else {}
        return Candidates(maker, problem, rng, workers, own, callbacks)

    traits = Traits(
        objectives="multi" if _is_multi(maker) else "single",
        constraints=True,
        finite=live and obj.budget is not None,
        reference=REFERENCE,
    )
    return Registered(name, start, traits, f"{kind.__module__}:{kind.__qualname__}", tuple(_notes(obj, name)))


def _is_class(obj: Any) -> bool:
    return isinstance(obj, type) and issubclass(obj, Optimizer)


def _made(family: type[ConfiguredOptimizer]) -> ConfiguredOptimizer:
    try:
        return family()
    except TypeError as error:
        raise UsageError(
            f"optimizer={family.__name__} is a family that needs settings ({error}): hand over {family.__name__}(...)"
        ) from error


def _is_multi(maker: Any) -> bool:
    """Return whether an optimizer looks at several losses itself, instead of at the volume that they dominate."""
    while isinstance(maker, ConfiguredOptimizer) and isinstance(maker._OptimizerClass, ConfiguredOptimizer):
        maker = maker._OptimizerClass
    config = maker.config() if isinstance(maker, ConfiguredOptimizer) else {}
    if isinstance(maker, ng.families.EvolutionStrategy):
        return config["ranker"] == "nsga2" and config["offsprings"] is not None  # without them it sees a loss of 0
    return bool(config.get("multiobjective_adaptation") or config.get("use_pareto"))


def _notes(obj: Any, name: str) -> list[str]:
    if not isinstance(obj, Optimizer):
        return []
    notes = []
    if obj.num_ask or obj.num_tell:
        notes.append(f"{name}: begins anew; the {obj.num_tell} evaluations it knows are not used")
    if not isinstance(obj.parametrization, ng.p.Array) or obj.parametrization.bounds != (None, None):
        notes.append(f"{name}: its parametrization is replaced by one of the space's genes")
    return notes


class Candidates:
    """An optimizer of nevergrad at work for one study.

    Attributes:
        optimizer: the optimizer.
    """

    def __init__(
        self,
        maker: Any,
        problem: Problem,
        rng: np.random.Generator,
        workers: int,
        budget: int | None,
        callbacks: Mapping[str, Sequence[Any]],
    ) -> None:
        self._maker, self._problem, self._rng, self._workers, self._budget = maker, problem, rng, workers, budget
        self._callbacks = callbacks
        self._penalty = Penalty()
        self._out: dict[int, tuple[Any, Array]] = {}  # candidates that are being evaluated, with their chromosomes
        self._asked = 0
        self._full = self._done = False
        self._begin()

    def _begin(self) -> None:
        self._parameters = Parameters(self._problem.genes)
        self._parameters.root.random_state = np.random.RandomState(seed_from(self._rng))
        budget = self._budget or self._problem.budget
        self.optimizer = self._maker(self._parameters.root, budget=budget, num_workers=self._workers)
        if self._problem.n_objectives > 1:
            self.optimizer.num_objectives = self._problem.n_objectives
        for event, called in self._callbacks.items():
            for callback in called:
                self.optimizer.register_callback(event, callback)
        self._out.clear()  # what is still evaluated is told to the new one as points that it never asked

    # ---- asking

    def ask(self, n: int) -> Population | None:
        """Return `n` chromosomes, fewer where the algorithm has to be told first; None when the user's settings end it."""
        rows: list[Array] = []
        while len(rows) < n and not self._waits() and (candidate := self._next()) is not None:
            x = self._parameters.chromosome(candidate.value)
            self._out[self._asked] = candidate, x
            self._asked += 1
            rows.append(x)
        if self._done and not rows:
            return None
        X = np.array(rows).reshape(len(rows), self._problem.dim)
        return Population(X, keys=range(self._asked - len(rows), self._asked))

    def _waits(self) -> bool:
        """Return whether it has to be told first; a sequential algorithm, or one within, would wait for ever."""
        return bool(self._out) and (self._full or _is_sequential(self.optimizer))

    def _next(self) -> Any:
        """Return the next candidate; None if there is none, now or at all."""
        if self._budget is not None and self._asked >= self._budget:
            self._done = True
            return None
        if self._is_through():
            self._begin()
        try:
            with _guided(self.optimizer):
                return self.optimizer.ask()
        except NevergradEarlyStopping:
            self._done = True
        except (AssertionError, TooManyAskError):  # a stage of it, or a batch, is all out
            self._full = True
            if not self._out:
                raise
        return None

    def _is_through(self) -> bool:
        """Return whether it would go on with random points, or not at all: it has converged, or used up a design."""
        if self.optimizer.one_shot and self.optimizer.budget is not None:
            return bool(self.optimizer.num_ask >= self.optimizer.budget)
        thread = getattr(self.optimizer, "_messaging_thread", None)
        return thread is not None and any(message is None for message in thread.messages_ask.queue)

    # ---- telling

    def tell(self, results: Results) -> None:
        """Tell what became of candidates, and of points that it never asked where the algorithm takes them."""
        self._full = False
        # a failed trial has a bad fitness already; its violation is on no scale
        F = self._penalty(replace(results, violation=np.where(results.failed, 0.0, results.violation)))
        keys = results.keys if len(results.keys) else [None] * len(results)
        for x, losses, key in zip(results.X, np.clip(F, -LARGEST, LARGEST).tolist(), keys, strict=True):
            out = self._out.pop(key, None)
            if out is None:
                self._tell_not_asked(x, losses)
                continue
            candidate, proposed = out
            self._tell(candidate if self._parameters.same(x, proposed) else self._moved(candidate, x), losses)

    def _tell(self, candidate: Any, losses: list[float]) -> None:
        loss = losses[0] if len(losses) == 1 else losses
        with _guided(self.optimizer):
            self.optimizer.tell(candidate, loss)
            _wait_for_threads(self.optimizer)

    def _moved(self, candidate: Any, x: Array) -> Any:
        """Return a candidate with the history of another one, and the value that was evaluated in its place."""
        moved = candidate.copy()
        moved.value = self._parameters.value(x)
        moved.uid, moved._meta = candidate.uid, candidate._meta
        return moved

    def _tell_not_asked(self, x: Array, losses: list[float]) -> None:
        if len(losses) > 1:
            return  # its choice of whom a stranger replaces depends on random names, so that no run would repeat itself
        candidate = self._parameters.root.spawn_child(new_value=self._parameters.value(x))
        with suppress(TellNotAskedNotSupportedError):
            self._tell(candidate, losses)


def _family(optimizer: Optimizer) -> Iterator[Any]:
    """Yield an optimizer and those that it hands over to."""
    yield optimizer
    for value in vars(optimizer).values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Optimizer):
                yield from _family(part)


def _is_sequential(optimizer: Optimizer) -> bool:
    """Return whether an optimizer, or one that it may hand over to, takes one candidate at a time."""
    settings = [getattr(part, "_configured_optimizer", part) for part in _family(optimizer)]
    return any(part.no_parallelization for part in [*_family(optimizer), *settings])


def _wait_for_threads(optimizer: Optimizer) -> None:
    """Wait until algorithms on threads of their own have their next candidates, one more than they were told of.

    Else they would work, and draw from the global generators, while these are the user's again.
    """
    for part in _family(optimizer):
        thread = part._messaging_thread if isinstance(part, RecastOptimizer) else None
        while (
            thread is not None
            and thread.is_alive()
            and thread.messages_ask.unfinished_tasks <= thread.messages_tell.unfinished_tasks
        ):
            time.sleep(1e-4)


@contextmanager
def _guided(optimizer: Optimizer) -> Iterator[None]:
    """Explain what an algorithm asserts that has to know its budget."""
    try:
        with _unseeded_pycma():
            yield
    except AssertionError as error:
        if optimizer.budget is not None:
            raise
        raise UsageError(
            f"nevergrad.{optimizer.name} has to know its budget: give the study one, trials=..., or attach one, "
            f"evohpo.use(..., budget=200)"
        ) from error


@contextmanager
def _unseeded_pycma() -> Iterator[None]:
    """Have pycma draw from the generator that is there; nevergrad starts it without a seed, which would be the clock's."""
    try:
        from cma import CMAOptions  # type: ignore[import-untyped]
    except ImportError:  # then there is none within
        yield
        return
    options = CMAOptions.defaults()
    usual, options["seed"] = options["seed"], float("nan")
    try:
        yield
    finally:
        options["seed"] = usual


def _number(value: Any) -> float:
    """Return an array of one number as that number."""
    return float(np.asarray(value).item())


# its metamodels (NGOpt has one for few genes) write float(array of one), which numpy 2.4 refuses; there is no other float in it
metamodel.float = _number
