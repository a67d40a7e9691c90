"""The engine's side: a process next to the engine's own worker that runs one trial after the other.

An engine cannot end a thread, nor a process without everything else that runs in it. So a trial runs in a child of the
engine's worker: it may crash, hang or eat memory, and the worker goes on, and says exactly what became of the trial.
"""

from __future__ import annotations

import pickle
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from evohpo.evaluators.calling import failed
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.processes import Processes
from evohpo.evaluators.protocol import Event, Failed, Finished, Job, Paused, Reported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TICK = 0.2  # seconds between looks for a verdict in the middle of a step


class Packed:
    """A pickled objective that is the objective itself once it has been sent on; it is never loaded on the way.

    Args:
        blob: the objective as `pack_objective` made it.
        paths: where the study's process finds its modules; only the trial's process looks there too.
    """

    def __init__(self, blob: bytes, paths: list[str]) -> None:
        self.blob, self.paths = blob, paths

    def __reduce__(self) -> tuple[Any, ...]:
        return unpack, (self.blob, self.paths)

    def __call__(self, *given: Any) -> Any:
        """Call the objective, in whatever process this is."""
        return unpack(self.blob, self.paths)(*given)


def unpack(blob: bytes, paths: list[str]) -> Callable[..., Any]:
    """Load an objective, with the modules of the study's process at hand where this machine has them."""
    sys.path.extend(path for path in paths if path not in sys.path)
    return pickle.loads(blob)  # type: ignore[no-any-return]  # noqa: S301 - from the study this process runs for


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all trials of a study.

    Attributes:
        memory: bytes a trial may use, or None.
        threads: native threads a trial may use, or None.
        scratch: folder of trials that have no other.
    """

    memory: float | None
    threads: int | None
    scratch: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job on its way to an engine's worker.

    Attributes:
        token: the name of this attempt, different for each.
        number: the trial's number.
        seed: for `ctx.seed`.
        step: the last step reported before a pause.
        directory: the trial's folder.
        timeout: seconds it may run, or None.
        details: parameters and resources, pickled.
        key: which objective.
        near: the worker that has it in memory, paused; "" if none.
    """

    token: str
    number: int
    seed: int
    step: int
    directory: str
    timeout: float | None
    details: bytes = field(repr=False)
    key: int
    near: str = ""


class Seat:
    """A place for one trial at a time, in a process that lives on for the next one.

    Args:
        name: the engine's worker, for events.
        terms: what holds for all trials.
    """

    def __init__(self, name: str, terms: Terms) -> None:
        self.token = ""
        self.paused: set[int] = set()  # trials that it may have in memory
        self._name, self._scratch = name, terms.scratch
        self._child = Processes(1, memory=terms.memory, threads=terms.threads, retries=0)  # the study counts
        self._early: list[Event] = []
        self._verdicts: SimpleQueue[Verdict] = SimpleQueue()
        self._number, self._held = 0, False

    def start(self, parcel: Parcel, objective: Packed, resources: Mapping[str, Any]) -> None:
        """Begin a trial; `resources` is what the engine gave it."""
        self.token, self._number, self._held = parcel.token, parcel.number, False
        self._verdicts = SimpleQueue()
        self.paused.discard(parcel.number)
        job = Job(
            parcel.number, {}, objective, parcel.seed, Path(parcel.directory), parcel.step, parcel.timeout
        )  # fmt: skip
        try:
            params, wanted = pickle.loads(parcel.details)  # noqa: S301 - from the study this process runs for
            self._child.submit(replace(job, params=params, resources={**resources, **wanted}))
        except Exception as error:  # noqa: BLE001 - a class that cannot be imported here ends this trial, not the study
            self._early.append(failed(job, error, 0.0, parcel.step, self._name))

    def answer(self, token: str, verdict: Verdict) -> None:
        """Hand over the study's verdict, from any thread: on the report that waits, or in the middle of a step."""
        if token == self.token:
            self._verdicts.put(verdict)

    def more(self, gone: Callable[[], bool]) -> list[Event]:
        """Wait for the verdict if there was a report, and then for what happens next.

        Args:
            gone: asked again and again whether nobody wants to know any more; then the process ends, and [] is returned.
        """
        events, self._early = self._early, []
        while not events:
            if gone():
                self.close()
                return []
            try:
                verdict = self._verdicts.get(self._held, TICK)
            except Empty:
                if self._held:
                    continue
            else:
                self._held = False
                if verdict is not Verdict.GO:
                    self._child.stop(self._number, verdict is Verdict.PAUSE)
            events = self._child.wait(TICK)
        self._held = isinstance(events[-1], Reported)
        if isinstance(events[-1], Paused):
            self.paused.add(self._number)
        return [event if isinstance(event, Reported) else replace(event, worker=self._name) for event in events]

    def close(self) -> None:
        """End the process and all it started."""
        self.paused.clear()
        self._child.close()

    def clear(self) -> None:
        """Remove the folders of trials that had no other, on this machine."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def is_end(event: object) -> bool:
    """Return whether a job is over with this event."""
    return isinstance(event, Finished | Failed | Paused)


def unpacked(content: bytes, number: int) -> list[Event]:
    """Return what a seat told of a trial; a failure if it has something that cannot be loaded in this process."""
    try:
        events: list[Event] = pickle.loads(content)  # noqa: S301 - from a process that runs for this study
    except Exception as error:  # noqa: BLE001 - a class that cannot be imported here
        return [Failed(number, "value", f"what it returned cannot be read here ({error}); return numbers", 0.0)]
    return events
