"""Trials as SageMaker training jobs: any estimator, one job a trial, started once whatever happens to the driver."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import check_workers
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.launchers.naming import Name, Places, head_of
from evohpo.evaluators.metrics import Steps, check_pattern, reductions_of
from evohpo.evaluators.protocol import Failed, Finished, Paused, Reported
from evohpo.sagemaker.clients import OUTAGE, Clients, explained, is_transient, poll_of
from evohpo.sagemaker.individual import ENDED, Individual, Spent
from evohpo.sagemaker.launching import Later, Launcher, NoQuota, is_train_fn
from evohpo.sagemaker.leaving import leave, release_warm_pool, running, stop_job
from evohpo.sagemaker.limits import problems
from evohpo.sagemaker.metrics import patterns_of
from evohpo.sagemaker.options import defined_metrics, shape
from evohpo.sagemaker.outcomes import failure, result, unknown
from evohpo.sagemaker.quota import Quota
from evohpo.sagemaker.template import template_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evohpo.evaluators.protocol import Event, Job
    from evohpo.study import Study

UNSEEN = 120.0  # seconds that a job just started may be unknown to the service
OWN_METRICS = {"billable_seconds", "cost"}


class SageMaker(Closing):
    r"""Runs each trial as a training job of Amazon SageMaker.

    The estimator, trainer or request becomes one template; its script is uploaded once, and a job a trial is started from it
    with boto3. A job's name says study, generation and individual, and nothing is started twice under one name: a driver that
    was killed finds its jobs again.

    Args:
        source: a SageMaker SDK v2 estimator, a v3 `ModelTrainer`, or a dict, the CreateTrainingJob request; or a function of
            job name and hyperparameters that starts a job (and may return the job's name if it chose another, or metrics).
        metric: names and patterns, `{"accuracy": r"accuracy=(\S+)"}`; or names of metrics that the estimator or its
            algorithm defines.
        inputs: what the estimator's own `fit` or `train` takes: a location in S3, channels, or the SDK's objects.
        max_parallel_jobs: jobs at once; None for the study's `workers`.
        job_prefix: what the jobs' names begin with.
        steps: what makes reports of printed metrics, for pruners: True counts them, a pattern finds the step's number in a
            line; None for jobs without steps.
        reduce: which of a metric's values counts: "last", "first", "max", "min" or "mean"; a dict for several metrics.
        instance_type: kind of instance, if not the template's.
        instance_count: instances a job, if not the template's.
        volume_gb: their disks, if not the template's.
        max_runtime: seconds a job may train, if not the template's. Jobs that take longer fail as "timeout".
        spot: managed spot training.
        max_wait: seconds that a spot job may wait and train; twice `max_runtime` by default.
        keep_alive: seconds that an instance stays warm for the next job; the account needs a quota for that.
        checkpoints: location in S3 below which each trial has a prefix of its own, synchronised with
            `/opt/ml/checkpoints`; needed to go on after a pause. By default below the template's output, for jobs with steps.
        prices: by kind of instance, what an hour costs; makes the column "cost", which `Stop(cost=...)` watches.
        retries: how often a job is started again that found no instance or met a fault of the service.
        patience: seconds to wait for the log of a job that has ended without its metrics.
        poll: seconds between looks at the service; 15, and 0.1 for one on this machine.
        on_exit: what becomes of jobs when a run is broken off: "stop" ends them, "leave" lets them go on until the same
            call adopts them, "ask" asks at a terminal and stops them elsewhere.
        tags: further tags of the jobs.
        environment: further environment variables of the jobs. `EVOHPO_TRIAL`, `EVOHPO_STEP` (the
            last one reported before), `EVOHPO_SEED` and, where it is known, `EVOHPO_LIMIT` (the last one wanted) are set.
        session: a `boto3.Session`; the estimator's own by default.

    Raises:
        UsageError: an argument that makes no sense; no boto3, region or credentials.

    Example:
        evaluator = SageMaker(estimator, {"accuracy": r"Validation-accuracy=(\S+)"}, inputs="s3://bucket/train")
        eh.tune(None, space, maximize="accuracy", evaluator=evaluator, optimizer="ga", generations=3, population=6, workers=6)
    """

    def __init__(
        self, source: Any, metric: str | Iterable[str] | Mapping[str, str], *, inputs: Any = None,
        max_parallel_jobs: int | None = None, job_prefix: str = "evohpo", steps: Steps = None,
        reduce: str | Mapping[str, str] = "last", instance_type: str | None = None, instance_count: int | None = None,
        volume_gb: int | None = None, max_runtime: int | None = None, spot: bool = False, max_wait: int | None = None,
        keep_alive: int = 0, checkpoints: str | None = None, prices: Mapping[str, float] | None = None, retries: int = 3,
        patience: float = 60.0, poll: float | None = None, on_exit: str = "ask", tags: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None, session: Any = None,
    ) -> None:  # fmt: skip
        if on_exit not in ("ask", "stop", "leave"):
            raise UsageError(f'on_exit={on_exit!r}: must be "ask", "stop" or "leave"')
        if max_parallel_jobs is not None and max_parallel_jobs < 1:
            raise UsageError(f"max_parallel_jobs={max_parallel_jobs!r}: must be at least 1")
        self.capacity = max_parallel_jobs or 0
        train_fn = source if is_train_fn(source) else None
        template = None if train_fn is not None else template_of(source, inputs)
        self._patterns = patterns_of(metric, defined_metrics(template.request) if template is not None else {})
        self._reduce = reductions_of(reduce, self._patterns)
        self._steps = check_pattern("steps", steps, whole=True) if isinstance(steps, str) else steps
        self._clients = Clients(session or (template.session if template is not None else None))
        self._worker, where = "", checkpoints or ""
        if template is not None:
            shape(
                template.request, patterns=self._patterns, instance_type=instance_type, instance_count=instance_count,
                volume_gb=volume_gb, max_runtime=max_runtime, spot=spot, max_wait=max_wait, keep_alive=keep_alive, tags=tags,
                environment=environment,
            )  # fmt: skip
            self._worker = template.request["ResourceConfig"].get("InstanceType", "")
            where = where or template.request.get("CheckpointConfig", {}).get("S3Uri", "")
            if self._steps and not where:
                where = f"{template.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/checkpoints"
        self._warm = keep_alive > 0
        self._launcher = Launcher(self._clients, template, train_fn, where, prices or {}, self._facts)
        self._template, self._prices, self._retries, self._patience = template, prices or {}, retries, patience
        self._poll = poll if poll is not None else poll_of(self._clients.sagemaker)
        self._prefix, self._on_exit = job_prefix, on_exit
        self._study: Study | None = None
        self._head = head_of(job_prefix, "jobs", secrets.token_hex(3))
        self._places = Places(None)
        self._queue: deque[Individual] = deque()
        self._flying: dict[int, Individual] = {}
        self._spent: dict[int, Spent] = {}  # of paused trials
        self._last: deque[str] = deque(maxlen=100)  # jobs whose instances may be warm
        self._quota = Quota(self._poll)
        self._next_poll = 0.0
        self._silent_since: float | None = None

    def begin(self, study: Study) -> None:
        """Learn whose jobs these are; check names, limits and access before anything is started.

        Raises:
            UsageError: says what is wrong.
        """
        self._study, self._places = study, Places(study)
        identity = study.settings.id or hashlib.sha256(f"{study.name}-{study.seed}".encode()).hexdigest()[:6]
        self._head = head_of(self._prefix, study.name, identity)
        unmeasured = [m for m in study.goals.metrics if m not in self._patterns and m not in OWN_METRICS]
        if unmeasured and self._template is not None:
            raise UsageError(
                f"metric= does not say how to find {unmeasured[0]!r}; it knows {', '.join(self._patterns)}"
            )
        if study.pruner is not None and not self._steps:
            raise UsageError(
                'the pruner would see no steps: give steps=True, or a pattern such as steps=r"epoch=(\\d+)"'
            )
        if self._template is not None:
            static = self._template.request.get("HyperParameters", {})
            for name in study.space.names:  # where one does not apply, the script is to get none
                static.pop(name, None)
            example = dict.fromkeys(study.space.names, "") | study.space.default()  # with conditional ones
            refused = list(problems(self._template.clone(self._head, example)))
            if refused:
                raise UsageError(f"{'; '.join(refused)}. Nothing was started")
        with explained():
            self._clients.sagemaker.list_training_jobs(NameContains=self._head, MaxResults=1)

    # ---- the protocol

    def submit(self, job: Job) -> None:
        """Put a trial in line; its job starts as soon as there is room."""
        check_workers(self)
        name = Name(self._head, *self._places.of(job.number))
        individual = Individual(job, name, self._worker, step=job.step)
        if job.step:
            individual.resumed = "checkpoint"
        if (spent := self._spent.pop(job.number, None)) is not None:
            individual.spent, individual.before = spent, spent.seconds
        self._queue.append(individual)

    def wait(self, timeout: float | None) -> list[Event]:
        """Start what there is room for, look at what runs, and return what happened; see `Evaluator`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._launch()
            if time.monotonic() >= self._next_poll:
                self._look()
            events = self._take()
            now = time.monotonic()
            if events or (deadline is not None and now >= deadline):
                return events
            until = self._next_poll if deadline is None else min(deadline, self._next_poll)
            time.sleep(max(0.0, min(until - now, 1.0)))

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a trial as of the last report returned; its job is stopped."""
        individual = self._flying.get(number)
        if individual is None:
            individual = next((i for i in self._queue if i.job.number == number), None)
            if individual is None:
                self._spent.pop(number, None)
                return
            self._queue.remove(individual)
            self._flying[number] = individual
            individual.verdict = Verdict.PAUSE if pause else Verdict.STOP
            self._end(individual, individual.ended_early())
            return
        individual.verdict = Verdict.PAUSE if pause else Verdict.STOP
        individual.events.clear()  # it printed more before it could be stopped; that does not count
        if individual.over or individual.described is not None:
            self._end(individual, individual.ended_early())
            return
        with explained():
            stop_job(self._clients.sagemaker, individual.known_as)

    def close(self) -> None:
        """Stop what still runs, or leave it for the next run, as `on_exit` says."""
        flying = [i.known_as for i in self._flying.values() if i.described is None and not i.over]
        self._queue.clear()
        self._flying.clear()
        if self._study is not None or flying:
            leave(self._clients.sagemaker, self._head, flying, self._on_exit, self._study)
        if self._warm:
            release_warm_pool(self._clients.sagemaker, self._last)

    # ---- starting

    def _launch(self) -> None:
        """Start jobs while there is room for them."""
        for _ in range(len(self._queue)):
            if not self._quota.room(self.capacity, len(self._flying)):
                return
            individual = self._queue.popleft()
            if time.monotonic() < individual.not_before:
                self._queue.append(individual)
                continue
            try:
                self._inherit(individual)
                self._launcher.start(individual)
                if self._steps or set(self._reduce.values()) != {"last"}:
                    individual.listen(self._clients.logs, self._patterns, self._steps)
            except NoQuota as refusal:
                self._queue.appendleft(individual)
                self._quota.refused(str(refusal), self.capacity, len(self._flying))
                return
            except Later as refusal:
                self._queue.appendleft(individual)
                self._silence(refusal)
                self._quota.hold()
                return
            self._silent_since = None
            self._flying[individual.job.number] = individual
            self._last.append(individual.known_as)

    def _inherit(self, individual: Individual) -> None:
        """Give a trial that starts the checkpoints of the one that it goes on from."""
        job = individual.job
        trial = self._study.trials[job.number] if self._study is not None else None
        if trial is None or trial.heir < 0 or trial.steps or not job.step or individual.looked_back:
            return
        individual.looked_back = True  # it has no earlier jobs of its own
        individual.name = individual.name._replace(step=job.step)
        self._launcher.inherit(Name(self._head, *self._places.of(trial.heir)), individual.name)

    # ---- looking

    def _look(self) -> None:
        """Find out what became of the jobs in flight."""
        try:
            flying = [i for i in self._flying.values() if not i.over]
            if any(i.described is None for i in flying):
                active = running(self._clients.sagemaker, self._head)
                for individual in flying:
                    if individual.described is None and individual.known_as not in active:
                        self._look_at(individual)
            for individual in flying:
                if individual.log is not None and individual.verdict is Verdict.GO and not individual.over:
                    individual.read(individual.log)
                if individual.described is not None and not individual.events:
                    late = time.monotonic() >= individual.deadline
                    end = result(individual, self._patterns, self._reduce, late, self._clients.logs)
                    if end is not None:
                        self._end(individual, end)
            self._silent_since = None
        except Exception as error:
            if not is_transient(error):
                with explained():
                    raise
            self._silence(error)
        self._next_poll = time.monotonic() + self._poll

    def _look_at(self, individual: Individual) -> None:
        """Ask for one job that is not listed as running."""
        now, described = time.monotonic(), self._launcher.describe(individual.known_as)
        if described is None:
            individual.deadline = min(individual.deadline, now + UNSEEN)
            if now >= individual.deadline:
                self._end(individual, unknown(individual))
            return
        individual.deadline = math.inf
        if described["TrainingJobStatus"] not in ENDED:
            return
        individual.spent.add(described, self._prices)
        if individual.verdict is not Verdict.GO:
            self._end(individual, individual.ended_early())
        elif described["TrainingJobStatus"] == "Completed":
            individual.described, individual.deadline = described, now + self._patience
        elif (end := failure(individual, described, self._retries, self._clients.logs)) is not None:
            self._end(individual, end)
        else:
            self._again(individual)

    def _again(self, individual: Individual) -> None:
        """Put a trial back in line, under the next name."""
        self._flying.pop(individual.job.number)
        individual.name = individual.name._replace(attempt=individual.name.attempt + 1)
        individual.refusals += 1
        individual.not_before = time.monotonic() + self._quota.pause(individual.refusals)
        individual.own, individual.reader, individual.log = True, None, None
        self._queue.append(individual)

    def _silence(self, error: Exception) -> None:
        """Bear with a service that does not answer, for a while."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > OUTAGE:
            raise UsageError(
                f"SageMaker gave no answer for {OUTAGE / 60:g} minutes ({error}); jobs go on, the same call adopts them"
            ) from error

    # ---- within

    def _end(self, individual: Individual, end: Event) -> None:
        individual.events.append(end)
        individual.over = True
        if isinstance(end, Paused):
            self._spent[individual.job.number] = individual.spent

    def _take(self) -> list[Event]:
        """Return what happened, of each trial at most to its next report: the study first has to decide on that."""
        taken: list[Event] = []
        for number in sorted(self._flying):
            individual = self._flying[number]
            while individual.events:
                event = individual.events.popleft()
                taken.append(event)
                if isinstance(event, Reported):
                    individual.step, individual.metrics = event.step, event.metrics
                    break
                if isinstance(event, Finished | Failed | Paused):
                    del self._flying[number]
        return taken

    def _facts(self, individual: Individual) -> dict[str, str]:
        job = individual.job
        facts = {"EVOHPO_TRIAL": job.number, "EVOHPO_STEP": job.step, "EVOHPO_SEED": job.seed}
        limit = self._study.trials[job.number].limit if self._study is not None else 0
        return {name: str(value) for name, value in (facts | ({"EVOHPO_LIMIT": limit} if limit else {})).items()}
