"""Writes studies to MLflow: a parent run a study, a child run a trial."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from evohpo.callbacks.records import Head, Record, require
from evohpo.callbacks.writing import Writer, Written

if TYPE_CHECKING:
    from collections.abc import Mapping

STUDY, TRIAL, STATUS = "evohpo.study", "evohpo.trial", "evohpo.status"  # tags that runs are found by
ENDS = ("completed", "stopped", "failed")
LONGEST_TAG, LONGEST_PARAM, MOST = 5000, 500, 100  # characters, characters, params and tags a request


class MLflowWriter(Writer):
    """Writes a parent run a study and a child run a trial to an MLflow tracking server, or to a local database.

    A trial's params are the run's params, its metrics are metrics by step, those it ended with last; status, error and the
    like are tags `evohpo.…`. The parent has goals, optimizer and seed as tags, and the best value (or hypervolume) by number
    of trials that ended. Names keep letters, digits and `_ - . /`, everything else becomes an underscore.

    Args:
        experiment: name of the experiment, made where there is none; the study's name if not given.
        tracking_uri: such as "http://localhost:5000", or "sqlite:///mlflow.db", which needs `pip install sqlalchemy alembic`
            besides; what MLflow is set to if not given.
        tags: further tags for all runs.

    Raises:
        UsageError: mlflow is not installed.
    """

    service = "MLflow"
    forbidden = r"[^\w\-./ ]|^[./ ]+|/(?=/|\.)|/$"  # also what is no path in its simplest form

    def __init__(
        self, experiment: str | None = None, tracking_uri: str | None = None, *, tags: Mapping[str, str] | None = None
    ) -> None:
        require("mlflow", "mlflow", "MLflowWriter")
        self.experiment, self.tracking_uri, self.tags = experiment, tracking_uri, dict(tags or {})

    def _open(self, head: Head) -> Written:
        from mlflow.tracking import MlflowClient

        self._client, self._runs, self._head = MlflowClient(self.tracking_uri), dict[str, str](), head
        name = self.experiment or head.name
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found is not None else self._client.create_experiment(name)
        written, page = Written(), None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{STUDY}` = '{head.id}'", page_token=page.token if page else None
            )
            for run in page:
                self._take_in(run, written)
            if not page.token:
                break
        self._begin("study", head.name, {}, head.facts)
        return written

    def _take_in(self, run: Any, written: Written) -> None:
        trial = run.data.tags.get(TRIAL, "study")
        self._runs[trial] = run.info.run_id
        if trial != "study" and run.data.tags.get(STATUS) in ENDS:
            written.ended.add(int(trial))
            return
        histories = [self._client.get_metric_history(run.info.run_id, name) for name in run.data.metrics]
        last = max((metric.step for history in histories for metric in history), default=0)
        if trial == "study":
            written.points = last
        else:
            written.steps[int(trial)] = last

    def _begin(self, key: str, name: str, params: Mapping[str, Any], facts: Mapping[str, str]) -> None:
        """Open a run, or make it."""
        if key in self._runs:
            self._client.update_run(self._runs[key], status="RUNNING")
        else:
            tags = self.tags | {STUDY: self._head.id}
            if key != "study":
                tags |= {TRIAL: key, "mlflow.parentRunId": self._runs["study"]}
            self._runs[key] = self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id
        self._log(key, 0, {}, facts, params)

    def _log(
        self, key: str, step: int, metrics: Mapping[str, float], facts: Mapping[str, str], params: Mapping[str, Any]
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, step) for name, value in metrics.items()]
        tags = [RunTag(f"evohpo.{name}", text[:LONGEST_TAG]) for name, text in facts.items()]
        given = [Param(name, str(value)[:LONGEST_PARAM]) for name, value in params.items()]
        for i in range(0, max(len(points), len(tags), len(given)), MOST):
            part = slice(i, i + MOST)
            self._client.log_batch(self._runs[key], points[part], given[part], tags[part])

    def _start(self, record: Record) -> None:
        self._begin(str(record.number), f"trial {record.number}", record.params, {})

    def _report(self, number: int, step: int, metrics: dict[str, float]) -> None:
        self._log(str(number), step, metrics, {}, {})

    def _end(self, record: Record) -> None:
        key = str(record.number)
        self._log(key, record.step, record.final, record.facts, {})
        self._client.set_terminated(self._runs[key], "FAILED" if record.status == "failed" else "FINISHED")

    def _leave(self, number: int) -> None:
        self._client.update_run(self._runs[str(number)], status="SCHEDULED")

    def _point(self, ended: int, values: dict[str, float]) -> None:
        self._log("study", ended, values, {}, {})

    def _close(self, facts: dict[str, str], whole: bool) -> None:
        self._log("study", 0, {}, facts, {})
        self._client.set_terminated(self._runs["study"], "FINISHED" if whole else "KILLED")
