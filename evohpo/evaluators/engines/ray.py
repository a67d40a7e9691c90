"""Runs trials in actors of a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections import deque
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from evohpo.errors import EvohpoError, UsageError
from evohpo.evaluators.engines.seat import Packed, Parcel, Seat, Terms, is_end, unpacked
from evohpo.evaluators.engines.tasks import TICK, Engine
from evohpo.evaluators.protocol import Event, Failed, Job, Reported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.evaluators.context import Verdict

SILENCE = 15.0  # seconds for the head of a cluster to answer; Ray itself ends this process after 60
CLOSING = 15.0  # seconds for actors to end what runs there
AT_ONCE = 4  # calls of an actor: one that waits for what happens, and those that interrupt it
LATER = "; a study with a store goes on when it is run again"
NAMES = {"num_cpus": "CPU", "num_gpus": "GPU"}  # Ray has two names for each


class Ray(Engine):
    """Runs trials in actors of a Ray cluster, each trial in a process of its own next to the actor.

    An actor with `resources` is kept for the next trial; Ray starts more machines while actors wait, where it can. A trial
    may crash, hang or eat memory: its process ends, the actor goes on. When an actor or its machine is lost the trial
    starts again elsewhere, and no step is reported twice. The objective is put into Ray's store once. Machines need evohpo
    and what the objective imports; checkpoints in `ctx.directory` need a folder that all of them see.

    Args:
        address: of a cluster ("auto", "ray://..."); None for one on this machine. A connection that exists (`ray.init` was
            called) is used and stays open; one made here is closed at the end.
        workers: how many trials run at once; None for as many as the cluster has room for, as it grows and shrinks.
        resources: what a trial needs, as `ray.remote` takes it: num_cpus, num_gpus, memory, resources={...} and others. Devices
            are in `ctx.resources["gpu"]`, and a trial sees no others.
        timeout: seconds a trial may run, not counting the time it waits for an actor.
        memory: bytes a trial may use; Ray does not count processes of trials.
        retries: how often a trial starts again whose actor was lost; losses before it began are counted apart, and at least
            one is allowed.
        threads: native threads (OpenMP, BLAS) a trial may use; None for as many as Ray gives the actor.
        options: for `ray.init`, where it is called here.

    Raises:
        UsageError: an argument that makes no sense, or Ray is not installed.

    Example:
        >>> evaluator = Ray("auto", resources={"num_cpus": 2, "num_gpus": 1}, timeout=3600)
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        resources: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        retries: int = 1,
        threads: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(workers, timeout, memory, retries, threads, "trial")
        self._address, self._options = address, dict(options or {})
        self._resources = {"num_cpus": 1, "num_gpus": 0} | dict(resources or {})

    def _connect(self, terms: Terms) -> _Cluster:
        try:
            import ray
        except ImportError as error:
            raise UsageError("Ray is not installed: pip install 'evohpo[ray-cluster]'") from error
        opened = not ray.is_initialized()
        if opened:
            local = self._address is None and "RAY_ADDRESS" not in os.environ
            own: dict[str, Any] = {"address": "local", "include_dashboard": False} if local else {}
            if local and self._workers is not None and self._resources["num_cpus"] > 0:
                own["num_cpus"] = self._workers * self._resources["num_cpus"]  # trials that only wait need no core
            try:
                ray.init(**{"address": self._address, **own, **self._options})
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(f"Ray({self._address!r}): there is no cluster to connect to ({error})") from error
        return _Cluster(opened, terms, self._resources)


class _Actor:
    """One seat, in a process of Ray's."""

    def __init__(self, terms: Terms) -> None:
        import ray

        devices = ray.get_gpu_ids()
        self._resources = {"gpu": devices} if devices else {}
        self._name = f"{ray.util.get_node_ip_address()}:{os.getpid()}"
        self._seat = Seat(self._name, terms)
        self._objective: Packed | None = None
        self._closing = False
        self._lock = threading.Lock()

    def hello(self) -> str:
        """Say that it is there, and where."""
        return self._name

    def start(self, parcel: Parcel, objective: tuple[bytes, list[str]] | None) -> bytes:
        """Begin a trial and return its first events; `objective` only if it is another than before."""
        if objective is not None:
            self._objective = Packed(*objective)
        assert self._objective is not None
        with self._lock:
            self._seat.start(parcel, self._objective, self._resources)
            return self._more()

    def follow(self, token: str, verdict: Verdict | None) -> bytes:
        """Return what happens next, after a verdict if there is one."""
        if verdict is not None:
            self._seat.answer(token, verdict)
        with self._lock:
            return self._more()

    def interrupt(self, token: str, verdict: Verdict) -> None:
        """End or pause a trial in the middle of a step."""
        self._seat.answer(token, verdict)

    def close(self) -> None:
        """End the process, and what it left."""
        self._closing = True
        with self._lock:
            self._seat.close()
        self._seat.clear()

    def _more(self) -> bytes:
        return pickle.dumps(self._seat.more(lambda: self._closing))


class _Place:
    """An actor as the study sees it: coming while it has no name, idle while it has no parcel."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.key = 0  # of the objective it has
        self.name = ""
        self.known = False  # it had a name before, and is asked for it again
        self.parcel: Parcel | None = None


class _Cluster:
    """Gives parcels to actors; each busy or coming actor has one call under way that returns when something happens."""

    def __init__(self, opened: bool, terms: Terms, resources: Mapping[str, Any]) -> None:
        import ray

        self._ray, self._opened, self._terms = ray, opened, ray.put(terms)
        self._needs = _needs(resources)
        self._make = ray.remote(_Actor).options(max_concurrency=AT_ONCE, max_restarts=0, **resources)
        self._objectives: dict[int, Any] = {}
        self._waiting: deque[Parcel] = deque()
        self._places: list[_Place] = []
        self._calls: dict[Any, _Place] = {}  # by reference of what they return
        self._slots, self._looked = 0, monotonic()
        self._look = threading.Thread(target=self._count, daemon=True)
        self._look.start()
        self._look.join(SILENCE)

    def load(self, key: int, objective: Packed, used: set[int]) -> None:
        """Put an objective into Ray's store."""
        self._objectives = {k: v for k, v in self._objectives.items() if k in used}
        self._objectives[key] = self._ray.put((objective.blob, objective.paths))

    def start(self, parcel: Parcel, job: Job) -> None:  # noqa: ARG002 - Ray has no priorities
        """Give a trial to the first actor that is free, the one that has it in memory if there is a choice."""
        self._waiting.append(parcel)
        self._fill()

    def answer(self, token: str, verdict: Verdict) -> None:
        """Go on after a report, or interrupt a step."""
        place = self._busy(token)
        if place in self._calls.values():
            place.actor.interrupt.remote(token, verdict)
        else:
            self._calls[place.actor.follow.remote(token, verdict)] = place

    def cancel(self, token: str) -> None:
        """Take back a trial that waits; else kill the actor, its process ends with it."""
        waiting = next((parcel for parcel in self._waiting if parcel.token == token), None)
        if waiting is not None:
            self._waiting.remove(waiting)
        else:
            self._remove(self._busy(token))

    def hear(self, timeout: float) -> list[tuple[str, Event]]:
        """Return what the actors' calls returned.

        Raises:
            EvohpoError: Ray was shut down, or the head of its cluster is gone.
        """
        if not self._ray.is_initialized():
            raise EvohpoError(f"Ray was shut down while the study ran{LATER}")
        self.slots()
        if self._look.is_alive() and monotonic() - self._looked > SILENCE:
            raise EvohpoError(f"the head of the Ray cluster has not answered for {SILENCE:g} s{LATER}")
        if not self._calls:  # all wait for their verdicts
            sleep(min(timeout, 0.01))
            return []
        calls = list(self._calls)
        self._ray.wait(calls, num_returns=1, timeout=timeout)
        ready, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        heard = [(token, event) for call in ready for token, event in self._take(call)]
        self._fill()
        return heard

    def slots(self) -> int:
        """Return for how many trials there is room, as of a second ago."""
        if not self._look.is_alive() and monotonic() - self._looked > TICK:
            self._looked = monotonic()
            self._look = threading.Thread(target=self._count, daemon=True)  # it hangs if the head is gone
            self._look.start()
        return self._slots

    def close(self) -> None:
        """End the actors and what they started, and the connection if it was made here."""
        ray = self._ray
        if not ray.is_initialized():
            return
        self._look.join(max(0.0, self._looked + SILENCE - monotonic()))
        if not self._look.is_alive():
            leaving = [place.actor.close.remote() for place in self._places if place.name]
            if leaving:
                ray.wait(leaving, num_returns=len(leaving), timeout=CLOSING)
            for place in list(self._places):
                self._remove(place)
        if self._opened:
            ray.shutdown()

    def _busy(self, token: str) -> _Place:
        return next(place for place in self._places if place.parcel is not None and place.parcel.token == token)

    def _fill(self) -> None:
        """Give waiting trials to free actors, and have as many new ones come as trials still wait.

        Those that come may never find room, when the cluster has shrunk: then the others take over their trials.
        """
        idle = [place for place in self._places if place.name and place.parcel is None]
        while self._waiting and idle:
            parcel = self._waiting.popleft()
            place = next((place for place in idle if place.name == parcel.near), idle[-1])
            idle.remove(place)
            objective = None if place.key == parcel.key else self._objectives[parcel.key]
            place.parcel, place.key = parcel, parcel.key
            self._calls[place.actor.start.remote(parcel, objective)] = place
        for _ in range(len(self._waiting) - sum(not place.name for place in self._places)):
            place = _Place(self._make.remote(self._terms))
            self._places.append(place)
            self._calls[place.actor.hello.remote()] = place

    def _doubt(self) -> None:
        """Ask free actors whether they are still there: a machine that goes takes several."""
        for place in self._places:
            if place.name and place.parcel is None:
                place.name, place.known = "", True
                self._calls[place.actor.hello.remote()] = place

    def _take(self, call: Any) -> list[tuple[str, Event]]:
        place = self._calls.pop(call)
        parcel = place.parcel
        try:
            heard = self._ray.get(call)
        except Exception as error:  # noqa: BLE001 - the actor or its machine is gone, or it cannot work there
            self._remove(place)
            self._doubt()
            if parcel is None and place.known:
                return []
            if parcel is None:  # it never came; so that this does not go on for ever, it counts for one that waits
                parcel = self._waiting.popleft() if self._waiting else None
            if parcel is None:
                return []
            reason = f"its actor was lost: {type(error).__name__}: {error}"
            return [(parcel.token, Failed(parcel.number, "lost", " ".join(reason.split())[:500], 0.0))]
        if parcel is None:
            place.name = heard
            return []
        events = unpacked(heard, parcel.number)
        last = events[-1]
        if isinstance(last, Failed) and last.kind == "value":  # where it runs it may go on
            self._remove(place)
        elif is_end(last):
            place.parcel = None
        elif not isinstance(last, Reported):
            self._calls[place.actor.follow.remote(parcel.token, None)] = place
        return [(parcel.token, event) for event in events]

    def _remove(self, place: _Place) -> None:
        self._places.remove(place)
        self._calls = {call: other for call, other in self._calls.items() if other is not place}
        with contextlib.suppress(Exception):  # gone already
            self._ray.kill(place.actor, no_restart=True)

    def _count(self) -> None:
        with contextlib.suppress(Exception):  # shut down meanwhile
            slots = 0
            for node in self._ray.nodes():
                if node["Alive"]:
                    rooms = [node["Resources"].get(name, 0) // need for name, need in self._needs.items()]
                    slots += int(min(rooms, default=1))
            self._slots = slots


def _needs(resources: Mapping[str, Any]) -> dict[str, float]:
    """Return what a trial needs under the names that machines have it.

    >>> _needs({"num_cpus": 2, "num_gpus": 0, "resources": {"tpu": 1}})
    {'CPU': 2, 'tpu': 1}
    """
    needs = {NAMES.get(name, name): need for name, need in resources.items() if name in NAMES or name == "memory"}
    needs |= resources.get("resources") or {}
    return {name: need for name, need in needs.items() if need}
