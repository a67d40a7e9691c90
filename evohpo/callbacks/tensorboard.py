"""Writes studies as event files for TensorBoard, with its table of hyperparameters."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from evohpo.callbacks.records import Head, Record, require, slug
from evohpo.callbacks.writing import Writer, Written

STUDY = "study"  # the run of the study as a whole


class TensorBoardWriter(Writer):
    """Writes event files below `directory`: `tensorboard --logdir directory` shows them while the study runs.

    Every study has a folder there, `name-id`, with a run `trial-000012` a trial and a run `study`. A trial's metrics are
    scalars by step, those it ended with included; its params and end are in the tab HPARAMS, everything else under TEXT. The
    study's run has the best value (or hypervolume) by number of trials that ended. Values are in single precision.

    Args:
        directory: where folders of studies are made.

    Raises:
        UsageError: tensorboard is not installed.
    """

    service = "TensorBoard"

    def __init__(self, directory: str | Path) -> None:
        require("tensorboard", "tensorboard", "TensorBoardWriter")
        self.directory = Path(directory)

    def _open(self, head: Head) -> Written:
        self._folder = self.directory / f"{slug(head.name)}-{slug(head.id)}"
        self._files: dict[str, Path] = {}  # by run, of this process
        self._kinds = head.kinds
        written = Written()
        for run in sorted(self._folder.glob("*/")):
            step, ended = _what_is_there(run)
            if run.name == STUDY:
                written.points = step
            elif ended:
                written.ended.add(int(run.name.removeprefix("trial-")))
            else:
                written.steps[int(run.name.removeprefix("trial-"))] = step
        self._write(STUDY, 0, [_experiment(head), _facts(head.facts)])
        return written

    def _start(self, record: Record) -> None:
        self._write(_run(record.number), 0, [_session_start(record, self._kinds)])

    def _report(self, number: int, step: int, metrics: dict[str, float]) -> None:
        self._write(_run(number), step, _scalars(metrics))

    def _end(self, record: Record) -> None:
        self._write(
            _run(record.number), record.step, [*_scalars(record.final), _facts(record.facts), _session_end(record)]
        )

    def _point(self, ended: int, values: dict[str, float]) -> None:
        self._write(STUDY, ended, _scalars(values))

    def _close(self, facts: dict[str, str], whole: bool) -> None:  # noqa: ARG002 - as for the other services
        self._write(STUDY, 0, [_facts(facts)])

    def _write(self, run: str, step: int, values: list[Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        now = time.time()
        events = [Event(wall_time=now, step=step, summary=Summary(value=values))]
        if run not in self._files:
            (self._folder / run).mkdir(parents=True, exist_ok=True)
            # read in the order of names: after those of an earlier process, also within the same second
            name = (
                f"events.out.tfevents.{int(now):010d}.{time.time_ns() % 10**9:09d}.{socket.gethostname()}.{os.getpid()}"
            )
            self._files[run] = self._folder / run / name
            events.insert(0, Event(wall_time=now, file_version="brain.Event:2"))
        with self._files[run].open("ab") as file:  # and closed: hundreds of trials may be paused
            for event in events:
                RecordWriter(file).write(event.SerializeToString())


def _run(number: int) -> str:
    return f"trial-{number:06d}"


def _what_is_there(run: Path) -> tuple[int, bool]:
    """Return the last step in a folder of event files, and whether its trial has ended."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import PLUGIN_NAME, SESSION_END_INFO_TAG

    events = EventAccumulator(str(run)).Reload()
    steps = [events.Scalars(tag)[-1].step for tag in events.Tags()["scalars"]]
    try:
        ended = SESSION_END_INFO_TAG in events.PluginTagToContent(PLUGIN_NAME)
    except KeyError:  # it was killed before it wrote anything
        ended = False
    return max(steps, default=0), ended


def _scalars(metrics: dict[str, float]) -> list[Any]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]


def _facts(facts: dict[str, str]) -> Any:
    """Return a table for the tab TEXT."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.plugins.text.metadata import PLUGIN_NAME

    rows = [f"| {name} | {' '.join(text.replace('|', '&#124;').split())} |" for name, text in facts.items()]
    table = "\n".join(["| | |", "|-|-|", *rows])
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    return Summary.Value(
        tag="facts", metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME)),
        tensor=TensorProto(dtype="DT_STRING", string_val=[table.encode()], tensor_shape=shape),
    )  # fmt: skip


# ---- the table of hyperparameters; its own helpers need TensorFlow


def _hparams(tag: str, **content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, create_summary_metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    data = HParamsPluginData(version=0, **content)
    return Summary.Value(tag=tag, metadata=create_summary_metadata(data), tensor=NULL_TENSOR)


def _experiment(head: Head) -> Any:
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG

    types = {"number": "DATA_TYPE_FLOAT64", "flag": "DATA_TYPE_BOOL", "text": "DATA_TYPE_STRING"}
    infos = [api_pb2.HParamInfo(name=name, type=types[kind]) for name, kind in head.kinds.items()]
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=metric)) for metric in head.metrics]
    experiment = api_pb2.Experiment(
        name=head.name, description=head.facts.get("goals", ""), user=head.facts.get("owner", ""),
        time_created_secs=time.time(), hparam_infos=infos, metric_infos=metrics,
    )  # fmt: skip
    return _hparams(EXPERIMENT_TAG, experiment=experiment)


def _session_start(record: Record, kinds: dict[str, Any]) -> Any:
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

    fields = {"number": "number_value", "flag": "bool_value", "text": "string_value"}
    info = SessionStartInfo(group_name=_run(record.number), start_time_secs=time.time())
    for name, value in record.params.items():
        setattr(info.hparams[name], fields[kinds[name]], value)
    return _hparams(SESSION_START_INFO_TAG, session_start_info=info)


def _session_end(record: Record) -> Any:
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo

    status = "STATUS_FAILURE" if record.status == "failed" else "STATUS_SUCCESS"
    return _hparams(SESSION_END_INFO_TAG, session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()))
