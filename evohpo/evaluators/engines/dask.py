"""Runs trials as tasks of a Dask cluster."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as TooSlow
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import EvohpoError, UsageError
from evohpo.evaluators.engines import pool
from evohpo.evaluators.engines.pool import key_of
from evohpo.evaluators.engines.seat import Packed, Parcel, Terms, is_end, unpacked
from evohpo.evaluators.engines.tasks import TICK, Engine, Restarted
from evohpo.evaluators.protocol import Event, Failed, Job

if TYPE_CHECKING:
    from evohpo.evaluators.context import Verdict

CLOSING = 30.0  # seconds for workers to end what runs there
AT_ONCE = 0.001  # seconds between messages to the scheduler; with Dask's 10 ms most trials would wait to be submitted
AnyClient: TypeAlias = Any  # half of what Dask has carries types
Future: TypeAlias = Any
Priority: TypeAlias = Callable[[Mapping[str, Any]], float]


class Dask(Engine):
    """Runs each trial as a task of a Dask cluster, in a process of its own next to the worker that took it.

    A trial may crash, hang or eat memory: its process ends, the worker and the trials beside it go on. When a worker is
    lost its trials start again on another one, and no step is reported twice; where the scheduler is lost the study ends
    with an error, and a stored one goes on later. The objective is sent once to each worker. Workers need evohpo and
    what the objective imports; checkpoints in `ctx.directory` need a folder that all workers see.

    Args:
        cluster: a `Client`, the address of a scheduler ("tcp://..."), a cluster object of Dask, or the arguments of a
            `LocalCluster`, e.g. {"n_workers": 4}; None for a `LocalCluster` for `workers` trials. What is given as an
            object stays open, what is made here is closed at the end.
        workers: how many trials run at once; None for as many as the cluster has room for, as it grows and shrinks. An
            adaptive cluster grows while trials wait: give the most that it may run.
        resources: what a trial needs of the resources that workers were started with, e.g. {"GPU": 1}.
        timeout: seconds a trial may run, not counting the time it waits for a worker.
        memory: bytes a trial may use; the limits of Dask's workers do not count processes of trials.
        retries: how often a trial starts again whose worker was lost; losses before it began are counted apart, and at least
            one is allowed.
        threads: native threads (OpenMP, BLAS) a trial may use; None for what its worker was started with.
        priority: of a trial that waits, computed from its parameters; higher ones first.

    Raises:
        UsageError: an argument that makes no sense, or Dask is not installed.

    Example:
        >>> evaluator = Dask("tcp://scheduler:8786", resources={"GPU": 1}, timeout=3600)
    """

    def __init__(
        self,
        cluster: Any = None,
        *,
        workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        retries: int = 1,
        threads: int | None = None,
        priority: Priority | None = None,
    ) -> None:
        super().__init__(workers, timeout, memory, retries, threads, "trial")
        self._given, self._resources, self._priority = cluster, dict(resources or {}), priority

    def _connect(self, terms: Terms) -> _Cluster:
        client, opened = open_client(self._given, self._workers, self._resources)
        return _Cluster(client, opened, self._run, terms, self._resources, self._priority)


def open_client(given: Any, workers: int | None, resources: Mapping[str, float]) -> tuple[AnyClient, list[Any]]:
    """Return a client, and what was opened for it and is to be closed, the first one first.

    Raises:
        UsageError: Dask is missing, the scheduler cannot be reached, or the client cannot be used from here.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError("Dask is not installed: pip install 'evohpo[dask]'") from error
    security = None
    if isinstance(given, Client):  # one of our own beside it: what it listens to is not disturbed
        security = given.security
        scheduler: Any = given.scheduler
        given = given.cluster if given.cluster is not None else scheduler.address
    if given is None or isinstance(given, Mapping):
        defaults = {"n_workers": workers, "threads_per_worker": 1} if workers is not None else {}
        options = {"dashboard_address": ":0", **defaults, **(given or {})}
        if resources and given is None:
            options["resources"] = dict(resources)  # of each worker, which runs one trial
        cluster = LocalCluster(**options)
        client = Client(cluster, set_as_default=False)
        return client, [client, cluster]
    try:
        client = Client(given, security=security, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"Dask({given!r}): there is no scheduler to connect to ({error})") from error
    return client, [client]


# ---- the study's side


class _Cluster:
    """Submits parcels, and turns what the workers log under the run's topic into events."""

    def __init__(
        self, client: AnyClient, opened: list[Any], run: str, terms: Terms, resources: Mapping[str, float],
        priority: Priority | None,
    ) -> None:  # fmt: skip
        self._client, self._opened, self._terms = client, opened, terms
        self._resources, self._priority = dict(resources), priority
        self._run = f"{run}-{secrets.token_hex(4)}"
        self._address = str(client.scheduler.address)
        self._objectives: dict[int, Packed] = {}
        self._futures: dict[str, tuple[int, Future]] = {}  # with the trial's number
        self._followed: dict[str, Future] = {}  # until the scheduler too knows their ends
        self._where: dict[str, str] = {}
        self._inbox: SimpleQueue[tuple[str, Event | Restarted]] = SimpleQueue()
        self._slots, self._looked = 0, monotonic()
        self._look: Any = None
        client.scheduler_comm.interval = AT_ONCE
        client.subscribe_topic(self._run, self._hear)
        client.subscribe_topic("all", self._learn)  # what happens to workers
        self._slots = self._count(client.scheduler_info(n_workers=-1))

    def load(self, key: int, objective: Packed, used: set[int]) -> None:
        """Keep an objective until workers ask for it."""
        self._objectives = {k: v for k, v in self._objectives.items() if k in used} | {key: objective}

    def start(self, parcel: Parcel, job: Job) -> None:
        """Submit a task."""
        near: dict[str, Any] = {"workers": [parcel.near], "allow_other_workers": True} if parcel.near else {}
        future = self._client.submit(
            pool.serve, self._run, parcel, self._terms, key=key_of(parcel.token), pure=False, retries=0,
            resources=self._resources or None, priority=0 if self._priority is None else self._priority(job.params), **near,
        )  # fmt: skip
        self._futures[parcel.token] = parcel.number, future
        self._client.loop.add_callback(self._follow, parcel.token, parcel.number, future)

    def answer(self, token: str, verdict: Verdict) -> None:
        """Put a verdict into the worker's hands; a worker that is gone needs none."""
        if (address := self._where.get(token)) is not None:
            self._client.loop.add_callback(self._tell, address, pool.answer, self._run, token, verdict)

    def cancel(self, token: str) -> None:
        """Cancel a task; if it runs, its worker notices and ends its process."""
        if (future := self._forget(token)) is not None:
            future.cancel()

    def hear(self, timeout: float) -> list[tuple[str, Event | Restarted]]:
        """Return what came in.

        Raises:
            EvohpoError: the scheduler is gone.
        """
        heard: list[tuple[str, Event | Restarted]] = []
        with contextlib.suppress(Empty):
            heard.append(self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait())
            while True:
                heard.append(self._inbox.get_nowait())
        if self._client.status != "running":
            raise EvohpoError(
                f"the connection to the Dask scheduler at {self._address} is lost, and with it what ran there; a study with "
                "a store goes on when it is run again with a new cluster"
            )
        for token, event in heard:
            if is_end(event):
                self._forget(token)
        return heard

    def slots(self) -> int:
        """Return for how many trials there is room, as of a second ago."""
        if self._look is not None and self._look.done():
            with contextlib.suppress(Exception):  # hear sees to it
                self._slots = self._count(self._look.result())
            self._look = None
        if self._look is None and monotonic() - self._looked > TICK:
            self._looked = monotonic()
            self._look = self._on_loop(self._client.scheduler.identity(n_workers=-1))
        return self._slots

    def close(self) -> None:
        """Cancel the tasks, end the processes of trials, close what was opened."""
        client = self._client
        try:
            if client.status == "running":
                for topic in (self._run, "all"):
                    client.unsubscribe_topic(topic)
                for token in list(self._futures):
                    self.cancel(token)
                with contextlib.suppress(TooSlow):  # a worker that hangs; its processes end with it
                    self._on_loop(self._tell(None, pool.close, self._run)).result(CLOSING)
        finally:
            for opened in self._opened:
                opened.close()

    def _forget(self, token: str) -> Future | None:
        self._where.pop(token, None)
        return self._futures.pop(token, (0, None))[1]

    def _count(self, info: Mapping[str, Any]) -> int:
        slots = 0
        for worker in info["workers"].values():
            rooms = [worker["nthreads"], *(worker["resources"].get(k, 0) // v for k, v in self._resources.items() if v)]
            slots += int(min(rooms))
        adaptive = getattr(getattr(self._client, "cluster", None), "_adaptive", None)
        if adaptive is None:
            return slots
        # it grows only while trials wait, so there are to be some
        most = adaptive.maximum * max(1, slots // max(1, len(info["workers"])))
        return int(min(most, max(1, 2 * slots)))

    def _on_loop(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(_awaited(what), self._client.loop.asyncio_loop)

    # ---- on the client's event loop

    def _hear(self, event: tuple[float, Any]) -> None:
        token, address, content = event[1]
        if not token:
            self._client.loop.add_callback(self._deposit, address, content)
            return
        number, future = self._futures.get(token, (0, None))
        if future is None:  # its end is known, but its worker was lost before the scheduler heard, which ran it again
            if (again := self._followed.get(token)) is not None:
                self._client.loop.add_callback(again.cancel)
            return
        self._where[token] = address
        for each in unpacked(content, number):
            self._inbox.put((token, each))
            if isinstance(each, Failed) and each.kind == "value":  # where it runs it may go on
                self._client.loop.add_callback(future.cancel)

    def _learn(self, event: tuple[float, Any]) -> None:
        """Note whose worker was lost; the scheduler has it run again by another, until it gives it up with an error."""
        fact = event[1]
        if not isinstance(fact, dict) or fact.get("action") != "remove-worker" or fact["expected"]:
            return
        for token in (key[0] for key in fact["processing-tasks"] if isinstance(key, tuple)):
            number, future = self._futures.get(token, (0, None))
            if future is not None and future.status != "error":
                self._inbox.put((token, Restarted(number, f"its worker {fact['worker']} was lost")))

    async def _deposit(self, address: str, key: int) -> None:
        if (packed := self._objectives.get(key)) is not None:
            await self._tell(address, pool.deposit, self._run, key, packed.blob, packed.paths, set(self._objectives))

    async def _tell(self, address: str | None, function: Callable[..., Any], *given: Any) -> None:
        workers = None if address is None else [address]
        for pause in (0.1, 1.0, 5.0):  # a worker that is gone needs nothing; what it ran is heard of in another way
            try:
                await self._client.run(function, *given, workers=workers)
            except Exception:  # noqa: BLE001 - a broken connection, be it to the scheduler or from there to the worker
                await asyncio.sleep(pause)
            else:
                return

    async def _follow(self, token: str, number: int, future: Future) -> None:
        """Notice a task that ends without having told of its trial's end."""
        self._followed[token] = future
        try:
            error = await future.exception()
        except (Exception, asyncio.CancelledError) as cancelled:  # noqa: BLE001 - by us, by somebody, with the scheduler
            error = cancelled
        del self._followed[token]
        ended = "was cancelled" if future.status == "cancelled" else "ended and told nothing"
        reason = f"its task {ended}" if error is None else f"{type(error).__name__}: {error}"
        self._inbox.put((token, Failed(number, "lost", " ".join(reason.split())[:500], 0.0)))


async def _awaited(what: Any) -> Any:
    return await what
