"""One trial on SageMaker: the training job under way, what it printed, and what earlier jobs of it cost."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from evohpo.evaluators.calling import ended_early
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.metrics import Reader
from evohpo.evaluators.protocol import Failed, Finished, Reported
from evohpo.evaluators.reductions import single
from evohpo.sagemaker.logs import Log
from evohpo.sagemaker.metrics import same_single

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.evaluators.calling import End
    from evohpo.evaluators.launchers.naming import Name
    from evohpo.evaluators.metrics import Steps
    from evohpo.evaluators.protocol import Event, Job

ENDED = ("Completed", "Failed", "Stopped")
AGAIN = ("CapacityError", "InternalServerError", "InsufficientCapacity", "InsufficientInstanceCapacity")


@dataclass(slots=True)
class Spent:
    """What a trial's jobs took so far.

    Attributes:
        seconds: training time.
        billable: seconds that are billed, times instances; warm pools included.
        cost: in the currency of the prices; None without prices.
    """

    seconds: float = 0.0
    billable: float = 0.0
    cost: float | None = None

    def add(self, described: Mapping[str, Any], prices: Mapping[str, float]) -> None:
        """Count a job that ended."""
        resources = described.get("ResourceConfig", {})
        warm = described.get("WarmPoolStatus", {}).get("ResourceRetainedBillableTimeInSeconds", 0)
        billable = (described.get("BillableTimeInSeconds", 0) + warm) * resources.get("InstanceCount", 1)
        self.seconds += described.get("TrainingTimeInSeconds", 0)
        self.billable += billable
        price = prices.get(resources.get("InstanceType", ""))
        if price is not None:
            self.cost = (self.cost or 0.0) + billable * price / 3600

    @property
    def metrics(self) -> dict[str, float]:
        """The columns of the table that say so."""
        return {"billable_seconds": self.billable} | ({} if self.cost is None else {"cost": round(self.cost, 6)})


@dataclass(slots=True)
class Individual:
    """A trial with this evaluator.

    Attributes:
        job: the trial.
        name: of the training job under way, or to be started.
        worker: the kind of instance.
        spent: what its jobs took so far, earlier runs included.
        called: the training job's name where somebody else chose it.
        verdict: what the study wants of it.
        events: what happened and was not yet returned.
        step: the last step returned.
        metrics: the metrics of that step.
        own: whether this process started the job; else it was found running, or ended.
        not_before: when it may be started, on the monotonic clock.
        refusals: how often its start was put off or its job ended for want of an instance.
        over: whether its end is among the events.
        described: what the service said when the job had ended, until its end is returned; {} where it was not asked.
        deadline: until when, on the monotonic clock.
        resumed: how it goes on after a pause, for the next report.
        before: seconds of `spent` that were told with the pause before.
        looked_back: whether earlier jobs of the trial were looked for.
        earlier: names of those that are over; they may have printed steps after they were told to stop.
    """

    job: Job
    name: Name
    worker: str = ""
    spent: Spent = field(default_factory=Spent)
    called: str = ""
    verdict: Verdict = Verdict.GO
    events: deque[Event] = field(default_factory=deque)
    step: int = 0
    metrics: dict[str, Any] | None = None
    own: bool = True
    not_before: float = 0.0
    refusals: int = 0
    reader: Reader | None = None
    log: Log | None = None
    over: bool = False
    described: dict[str, Any] | None = None
    deadline: float = math.inf
    resumed: str = ""
    before: float = 0.0
    looked_back: bool = False
    earlier: list[Name] = field(default_factory=list)

    @property
    def known_as(self) -> str:
        """The name under which the service knows the job."""
        return self.called or str(self.name)

    @property
    def seconds(self) -> float:
        """Training time that was not told before."""
        return self.spent.seconds - self.before

    def listen(self, logs: Any, patterns: Mapping[str, str | None], steps: Steps) -> None:
        """Read what is printed from now on, and what earlier jobs of the trial had printed; steps become events.

        Args:
            logs: a client of CloudWatch Logs.
            patterns: by name of a metric, its pattern, or None.
            steps: what makes steps of them, see `Reader`.
        """
        self.reader = Reader(patterns, steps, min(name.step for name in [*self.earlier, self.name]))
        resumed, self.resumed = self.resumed and (self.resumed if self.own else "adopted"), ""
        for name in self.earlier:
            self.reader.begin(name.step)
            self.read(Log(logs, str(name)))
        self.reader.begin(self.name.step)
        self.resumed = resumed
        self.log = Log(logs, self.known_as)

    def read(self, log: Log) -> None:
        """Read what was printed since the last time; steps become events."""
        assert self.reader is not None
        for line in log.read():
            completed = self.reader.feed(line)
            if completed is not None and self.verdict is Verdict.GO and completed[0] > self.job.step:
                how = self.resumed and ("re-run" if self.reader.again else self.resumed)
                self.events.append(Reported(self.job.number, *completed, how))
                self.resumed = ""

    def values(self, patterns: Mapping[str, str | None], how: Mapping[str, str], late: bool) -> dict[str, float] | None:
        """Return the metrics of the ended job, None while its log may not be complete.

        Args:
            patterns: by name, the pattern or None.
            how: by name, how many values become one.
            late: the log is not waited for any longer.
        """
        assert self.described is not None
        said = {m["MetricName"]: single(m["Value"]) for m in self.described.get("FinalMetricDataList", ())}
        final = {name: said[name] for name in patterns if name in said}
        if self.reader is None:
            return final if len(final) == len(patterns) and set(how.values()) == {"last"} else None
        printed = self.reader.values
        complete = all(
            printed[name] and (name not in final or same_single(printed[name][-1], final[name])) if pattern else name in final
            for name, pattern in patterns.items()
        )  # fmt: skip
        return final | self.reader.reduced(how) if complete or late else None

    def ended_early(self) -> End:
        """Return the end of a trial that the study stopped or paused."""
        end = ended_early(
            self.job, self.verdict, max(self.step, self.job.step), self.metrics, self.seconds, self.worker
        )
        if isinstance(end, Finished):
            return replace(end, value={**(end.value or {}), **self.spent.metrics})
        return replace(end, metrics=self.spent.metrics)

    def finished(self, values: Mapping[str, float]) -> End:
        """Return the end of a job that completed; a metric that is no number is a failure."""
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            return self.failed("value", f"training job {self.known_as}: {', '.join(wrong)}")
        return Finished(self.job.number, {**values, **self.spent.metrics}, self.seconds, self.step, self.worker)

    def failed(self, kind: str, reason: str, log: str = "") -> Failed:
        """Return a failure."""
        return Failed(self.job.number, kind, reason, self.seconds, self.step, self.worker, log, self.spent.metrics)
