"""Tells callbacks what happens, in the order in which the study records it, once it is committed."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from evohpo.callbacks.protocol import METHODS, AnyCallback
from evohpo.errors import UsageError
from evohpo.pruners import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evohpo.study import Study
    from evohpo.trials.trial import Trial


def checked(callbacks: Iterable[AnyCallback]) -> tuple[AnyCallback, ...]:
    """Return callbacks that can be called.

    Raises:
        UsageError: one has none of the methods and is no function.
    """
    has = f"an object with any of the methods {', '.join(METHODS)}, or a function of study and trial"
    try:
        given = tuple(callbacks)
    except TypeError:
        raise UsageError(f"callbacks= is a list, not {callbacks!r}; each is {has}") from None
    for callback in given:
        if isinstance(callback, type):
            raise UsageError(f"callback {callback.__name__} is a class: give an instance, {callback.__name__}(...)")
        if not _methods(callback):
            raise UsageError(f"callback {callback!r} is neither {has}")
    return given


def _methods(callback: AnyCallback) -> dict[str, Callable[..., Any]]:
    found = {event: method for event in METHODS if callable(method := getattr(callback, event, None))}
    return found or ({"ended": callback} if callable(callback) else {})


class Dispatcher:
    """The callbacks of one run of a study.

    Events are noted as they happen and told by `flush`, which commits them first. Ends are read from the ledger.

    Raises:
        UsageError: see `checked`.
    """

    def __init__(self, study: Study, callbacks: Iterable[AnyCallback]) -> None:
        self._study = study
        self._told: dict[str, list[tuple[AnyCallback, Callable[..., Any]]]] = {event: [] for event in METHODS}
        self._callbacks = [(callback, _methods(callback)) for callback in checked(callbacks)]
        self._begun: list[tuple[AnyCallback, Callable[..., Any]]] = []  # to be finished
        self._noted: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._ends = len(study.ledger.fresh)  # of these the ledger's fresh ends are known here, or not of this run

    def begin(self) -> None:
        """Tell that the run begins."""
        if self._callbacks:
            self._study.commit()
        for callback, methods in self._callbacks:
            if "begin" in methods:
                self._call("begin", callback, methods["begin"])
            if "finish" in methods:
                self._begun.append((callback, methods["finish"]))
        for callback, methods in self._callbacks:
            for event, method in methods.items():
                self._told[event].append((callback, method))

    def note(self, event: str, trial: Trial, *arguments: Any) -> None:
        """Note that something happened to a trial, after the ends that were recorded before it."""
        self._note_ends()
        if self._told[event]:
            self._noted.append((event, (trial, *arguments)))

    def note_report(self, trial: Trial, decision: Decision) -> None:
        """Note a trial's last report, and the pause that was decided on it."""
        assert trial.reports is not None
        self.note("reported", trial, *trial.reports[-1])
        if decision is Decision.PAUSE:
            self.note("paused", trial)

    def forget_ends(self) -> None:
        """Note the ends since the last look, and empty the ledger's list of them."""
        self._note_ends()
        self._study.ledger.fresh.clear()
        self._ends = 0

    def _note_ends(self) -> None:
        fresh = self._study.ledger.fresh
        if self._told["ended"]:
            self._noted.extend(("ended", (trial,)) for trial in fresh[self._ends :])
        self._ends = len(fresh)

    def flush(self) -> None:
        """Commit and tell what was noted."""
        self._note_ends()
        if self._noted:
            self._study.commit()
        while self._noted:
            event, arguments = self._noted.popleft()
            for callback, method in self._told[event]:
                self._call(event, callback, method, *arguments)

    def finish(self) -> None:
        """Tell what is left to be told, and that the run is over: everybody that began, whatever the others raise."""
        with ExitStack() as stack:
            for callback, method in reversed(self._begun):
                stack.callback(self._call, "finish", callback, method)
            self._begun.clear()
            self.flush()

    def _call(self, event: str, callback: AnyCallback, method: Callable[..., Any], *arguments: Any) -> None:
        try:
            method(self._study, *arguments)
        except Exception as error:
            name = getattr(callback, "__qualname__", type(callback).__qualname__)
            trial = f" of trial {arguments[0].number}" if arguments else ""
            error.add_note(
                f"raised by callback {name!r} on {event!r}{trial}; the study is intact, the same call goes on"
            )
            self._noted.clear()
            self._told = {event: [] for event in METHODS}
            raise
