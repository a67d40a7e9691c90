"""A Dask worker's side: the processes of a study's trials, and the task that runs one trial."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import pickle
import threading
from time import monotonic
from typing import TYPE_CHECKING

from evohpo.evaluators.engines.seat import Packed, Parcel, Seat, Terms, is_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.evaluators.context import Verdict

TICK = 1.0  # seconds between looks whether anybody still waits
IDLE = 300.0  # seconds after which processes without a trial leave, should the study be gone
CLOSING = 20.0  # seconds for running trials to end


class Pool:
    """The processes of one study's trials on one worker."""

    def __init__(self) -> None:
        self.closed = False
        self.seats: dict[str, Seat] = {}  # by token
        self._idle: list[Seat] = []
        self._objectives: dict[int, Packed] = {}
        self._asked: set[int] = set()
        self._change = threading.Condition()
        self._timer: threading.Timer | None = None

    def take(self, parcel: Parcel, make: Callable[[], Seat]) -> Seat:
        """Return a free seat: the one that has the trial in memory, if there is one."""
        with self._change:
            if self._timer is not None:
                self._timer.cancel()
            self._idle.sort(key=lambda seat: parcel.number in seat.paused)
            seat = self.seats[parcel.token] = self._idle.pop() if self._idle else make()
        return seat

    def give_back(self, token: str) -> None:
        """Keep a seat for the next trial, but not for ever."""
        with self._change:
            self._idle.append(self.seats.pop(token))
            if not self.seats:
                self._timer = threading.Timer(IDLE, self._expire)
                self._timer.daemon = True
                self._timer.start()
            self._change.notify_all()

    def objective(self, key: int, ask: Callable[[], None], gone: Callable[[], bool]) -> Packed | None:
        """Return an objective, asking the study for it the first time; None if nobody waits any more."""
        with self._change:
            while key not in self._objectives:
                if gone():
                    return None
                if key not in self._asked:
                    self._asked.add(key)
                    ask()
                self._change.wait(TICK)
            return self._objectives[key]

    def deposit(self, key: int, objective: Packed, used: set[int]) -> None:
        """Take what was asked for; of the others only those `used` are still needed."""
        with self._change:
            self._objectives = {k: v for k, v in self._objectives.items() if k in used} | {key: objective}
            self._asked.discard(key)
            self._change.notify_all()

    def close(self) -> None:
        """End all processes; those of running trials by whoever waits for them."""
        with self._change:
            if self._timer is not None:
                self._timer.cancel()
            self.closed = True
            self._change.wait_for(lambda: not self.seats, CLOSING)
            idle, self._idle = self._idle, []
            self._objectives.clear()
        for seat in idle:
            seat.close()
            seat.clear()
        with _LOCK:
            for run in [run for run, pool in POOLS.items() if pool is self]:
                del POOLS[run]

    def _expire(self) -> None:
        with self._change:
            if self.seats:  # one came just now
                return
        self.close()


POOLS: dict[str, Pool] = {}  # by run, in a worker's process
_LOCK = threading.Lock()
RUNNING = {"executing", "long-running"}


def _pool(run: str) -> Pool:
    with _LOCK:
        return POOLS.setdefault(run, Pool())


def key_of(token: str) -> tuple[str, int]:
    """Return the key of an attempt's task.

    Tuples make each a group of its own. Dask holds back tasks of large groups while workers are busy, and may forget to hand
    them out again when a worker is lost (seen with 2026.8: queued for ever, with idle workers).
    """
    return token, 0


def serve(run: str, parcel: Parcel, terms: Terms) -> None:
    """Run a trial to its end; the task. What happens is logged under the topic `run`."""
    from distributed import get_worker
    from distributed.worker_state_machine import SecedeEvent

    worker, began = get_worker(), monotonic()
    pool = _pool(run)

    def gone() -> bool:
        task = worker.state.tasks.get(key_of(parcel.token))
        closing = worker.status.name not in {"running", "paused"}
        return pool.closed or closing or task is None or task.state not in RUNNING

    objective = pool.objective(parcel.key, lambda: worker.log_event(run, ["", worker.address, parcel.key]), gone)
    if objective is None:
        return
    seat, events = pool.take(parcel, lambda: Seat(worker.address, terms)), []
    try:
        seat.start(parcel, objective, {})
        while (events := seat.more(gone)) and not is_end(events[-1]):
            worker.log_event(run, [parcel.token, worker.address, pickle.dumps(events)])
    finally:
        pool.give_back(parcel.token)
    if not events:
        return

    def end() -> None:
        """Give the place back and tell of the end, in one message: else the scheduler gives the next trial to another worker."""
        worker.handle_stimulus(
            SecedeEvent(key=key_of(parcel.token), compute_duration=monotonic() - began, stimulus_id=parcel.token)
        )
        worker.log_event(run, [parcel.token, worker.address, told])

    told = pickle.dumps(events)
    worker.loop.add_callback(end)


def answer(run: str, token: str, verdict: Verdict) -> None:
    """Hand over the study's verdict."""
    seat = _pool(run).seats.get(token)
    if seat is not None:
        seat.answer(token, verdict)


def deposit(run: str, key: int, blob: bytes, paths: list[str], used: set[int]) -> None:
    """Hand over an objective that was asked for."""
    _pool(run).deposit(key, Packed(blob, paths), used)


async def close(run: str) -> None:
    """End the processes of a study's trials."""
    if run in POOLS:
        await asyncio.to_thread(_pool(run).close)
