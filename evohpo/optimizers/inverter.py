"""Turns a function that calls its objective inside out: the caller becomes somebody who is asked and told.

The function runs on a thread of its own. Two semaphores hand control back and forth, so that exactly one side works at
a time and the function needs no locks.
"""

from __future__ import annotations

import contextvars
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 2.0  # seconds a guest gets to end when it is closed
REFUSALS = 10  # calls that a closing guest may still try, from `finally` clauses or loops with a bare `except:`


class GuestClosed(BaseException):
    """Ends a guest; no Exception, so that `except Exception` in the guest's code does not swallow it."""


class Inverter:
    """A search function as a generator of populations: `send` returns what it wants evaluated next.

    Dropping an inverter closes it. The guest sees a copy of the context variables (such as `np.errstate`) of whoever
    sends first.

    Args:
        body: called once, on its own thread, with `evaluate(X) -> F`; a single row gives a single fitness.

    Example:
        >>> def search(evaluate):
        ...     F = evaluate(np.array([[0.0], [1.0]]))
        ...     evaluate(np.array([[F.argmin() / 2]]))
        >>> inverter = Inverter(search)
        >>> inverter.send(None).tolist(), inverter.send(np.array([1.0, 0.0])).tolist()
        ([[0.0], [1.0]], [[0.5]])
    """

    def __init__(self, body: Callable[[Callable[[Any], Any]], Any]) -> None:
        # The thread knows the channel, never this handle: else a dropped handle would be kept alive by its own thread.
        self._channel = _Channel(body)
        self._finalizer = weakref.finalize(self, _Channel.close, self._channel)

    def send(self, reply: Any) -> Any:
        """Return the next `(k, dim)` batch that the function wants evaluated.

        Args:
            reply: what became of the last batch; None at first.

        Raises:
            StopIteration: the function has returned.
            Exception: whatever the function raised, with its traceback.
        """
        return self._channel.step(reply)

    def close(self) -> bool:
        """End the function; return whether it ended, False if it swallowed the signal or still works."""
        self._finalizer.detach()
        return self._channel.close()


class _Channel:
    """What the two sides share."""

    def __init__(self, body: Callable[[Callable[[Any], Any]], Any]) -> None:
        self.body: Any = body  # None once it has ended
        self.to_guest, self.to_host = threading.Semaphore(0), threading.Semaphore(0)
        self.batch: Any = None
        self.reply: Any = None
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None
        self.closing = False
        self.refusals = 0

    # ---- the host's side

    def step(self, reply: Any) -> Any:
        if self.body is None or self.closing:
            raise StopIteration
        self.reply = reply
        if self.thread is None:
            context = contextvars.copy_context()
            self.thread = threading.Thread(target=context.run, args=(self.run,), name="evohpo guest", daemon=True)
            self.thread.start()
        else:
            self.to_guest.release()
        self.to_host.acquire()
        if self.body is not None:
            batch, self.batch = self.batch, None
            return batch
        self.thread.join()
        error, self.error = self.error, None
        if error is None:
            raise StopIteration
        if not isinstance(error, Exception):  # SystemExit and its like are the guest's own affair
            raise RuntimeError(f"the search function ended with {type(error).__name__}") from error
        raise error

    def close(self) -> bool:
        self.closing = True
        if self.thread is None or self.body is None:
            return True
        self.to_guest.release()
        self.thread.join(GRACE)
        return not self.thread.is_alive()

    # ---- the guest's side

    def run(self) -> None:
        try:
            self.body(self.evaluate)
        except GuestClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again on the host's side
            self.error = error
        finally:
            self.body = None  # and with it whatever the guest holds
            self.to_host.release()

    def evaluate(self, X: Any) -> Any:
        if threading.current_thread() is not self.thread:
            raise UsageError(
                "evaluate was called from another thread than the search function's own, or after its end: hand a "
                "whole population to evaluate(X) instead, its rows are evaluated in parallel"
            )
        self._refuse_if_closing()
        single = np.ndim(X) == 1
        self.batch = [X] if single else X
        self.to_host.release()
        self.to_guest.acquire()
        self._refuse_if_closing()
        reply, self.reply = self.reply, None
        return reply[0].item() if single and np.ndim(reply[0]) == 0 else reply[0] if single else reply

    def _refuse_if_closing(self) -> None:
        if not self.closing:
            return
        self.refusals += 1
        if self.refusals > REFUSALS:
            threading.Semaphore(0).acquire()  # it cannot be ended: rest for ever, a daemon, rather than spin
        raise GuestClosed
