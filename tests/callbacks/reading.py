"""What tracking services have of a study, read back with their own readers."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field


@dataclass
class Run:
    """A trial's run, or the study's: params, values by metric and step in the order written, facts, and how it ended."""

    params: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    end: str = ""

    @property
    def points(self):
        """How many values there are at all."""
        return sum(len(curve) for curve in self.curves.values())


def tensorboard(folder):
    """Return the runs in a `TensorBoardWriter`'s folder, by name, with TensorBoard's own accumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.util.tensor_util import make_ndarray

    runs = {}
    for path in sorted(folder.glob("*/*/")):
        events = EventAccumulator(str(path)).Reload()
        run = runs[path.name] = Run()
        for tag in events.Tags()["scalars"]:
            run.curves[tag] = [(e.step, e.value) for e in events.Scalars(tag)]
            run.final[tag] = run.curves[tag][-1][1]
        for tag, content in events.PluginTagToContent(metadata.PLUGIN_NAME).items():
            data = HParamsPluginData.FromString(content)
            if tag == metadata.SESSION_START_INFO_TAG:
                given = data.session_start_info.hparams
                run.params = {name: getattr(value, value.WhichOneof("kind")) for name, value in given.items()}
            elif tag == metadata.SESSION_END_INFO_TAG:
                run.end = {1: "good", 2: "failed"}[data.session_end_info.status]
            else:
                run.params = {info.name: info.type for info in data.experiment.hparam_infos}
        if "facts" in events.Tags()["tensors"]:
            (text,) = make_ndarray(events.Tensors("facts")[-1].tensor_proto)
            rows = [row.strip("| ").split(" | ", 1) for row in text.decode().splitlines()[2:]]
            run.facts = dict(rows)
    return runs


def mlflow(uri, experiment):
    """Return the runs in an experiment, by name, with MLflow's own client."""
    from mlflow.tracking import MlflowClient

    client, runs = MlflowClient(uri), {}
    for found in client.search_runs([client.get_experiment_by_name(experiment).experiment_id], max_results=1000):
        tags = found.data.tags
        key = f"trial-{int(tags['evohpo.trial']):06d}" if "evohpo.trial" in tags else "study"
        assert key not in runs, "a run was made twice"
        histories = {m: client.get_metric_history(found.info.run_id, m) for m in found.data.metrics}
        runs[key] = Run(
            found.data.params,
            {m: [(p.step, p.value) for p in sorted(history, key=lambda p: p.step)] for m, history in histories.items()},
            found.data.metrics,
            {name.removeprefix("evohpo."): text for name, text in tags.items()},
            {"FINISHED": "good", "FAILED": "failed"}.get(found.info.status, found.info.status),
        )
        if key != "study":
            assert tags["mlflow.parentRunId"]
    return runs


def wandb(folder, study_id):
    """Return the runs written offline, by name; files of one run, begun again after a kill, are one."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs = {}
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda p: p.parent.name):
        number = path.stem.removeprefix(f"run-{study_id}").lstrip("-")
        run = runs.setdefault(f"trial-{number}" if number else "study", Run())
        for content in _records(path.read_bytes()):
            record = Record.FromString(content)
            for item in record.run.config.update:
                if item.key != "_wandb":
                    run.params[item.key] = json.loads(item.value_json)
            row = {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.history.item}
            step = row.get("_step")
            for name, value in row.items():
                if not name.startswith("_"):
                    run.curves.setdefault(name, []).append((step, value))
            for item in record.summary.update:
                value = json.loads(item.value_json)
                (run.facts if isinstance(value, str) else run.final)[item.key or item.nested_key[0]] = value
            if record.HasField("exit"):
                run.end = "failed" if record.exit.exit_code else "good"
    return runs


def _records(content):
    """Yield the records of a log in blocks of 32 KiB (wandb/core's transaction log, LevelDB's format)."""
    at, parts = 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        if not kind:
            return
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield parts
            parts = b""
