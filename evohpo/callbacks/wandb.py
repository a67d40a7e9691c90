"""Writes studies to Weights & Biases: a group of runs a study, one of them a trial."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evohpo.callbacks.records import Head, Record, require, slug
from evohpo.callbacks.writing import Writer, Written

if TYPE_CHECKING:
    from collections.abc import Mapping

STUDY = -1  # in place of a trial's number


class WandbWriter(Writer):
    """Writes a run a trial and one for the study, all in one group, to Weights & Biases, online or offline.

    A trial's params are the run's config, its metrics are its history by step, and what it ended with is its summary:
    metrics, status, error and the like. The study's run has goals, optimizer and seed as config, and the best value (or
    hypervolume) by number of trials that ended. Names keep letters, digits, `_` and `/`.

    What was written is noted in `<directory>/wandb/evohpo-<study>.jsonl`, so that a resumed study goes on in the same runs.

    Args:
        project: the project; the study's name if not given.
        entity: the user or team; the default one if not given.
        mode: "online" or "offline" (`wandb sync` sends it later); what WANDB_MODE says if not given.
        directory: where files go; what WANDB_DIR says, or the current folder, if not given.
        **settings: further arguments for `wandb.init`, such as `tags=["nightly"]`.

    Raises:
        UsageError: wandb is not installed.
    """

    service = "Weights & Biases"
    forbidden = r"[^A-Za-z0-9_/]|^[_/]+"

    def __init__(
        self, project: str | None = None, *, entity: str | None = None,
        mode: Literal["online", "offline"] | None = None,
        directory: str | Path | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        require("wandb", "wandb", "WandbWriter")
        self.project, self.entity, self.mode, self.settings = project, entity, mode, settings
        self.directory = Path(directory if directory is not None else os.environ.get("WANDB_DIR") or ".")

    def _open(self, head: Head) -> Written:
        self._head, self._runs = head, dict[int, Any]()
        notes = self.directory / "wandb" / f"evohpo-{slug(head.id)}.jsonl"
        notes.parent.mkdir(parents=True, exist_ok=True)
        written = _read(notes)
        self._notes = notes.open("a")
        self._notes.write("\n")  # a kill may have cut the last line short
        self._begin(STUDY, head.name, head.facts)
        return written

    def _begin(self, number: int, name: str, config: Mapping[str, Any]) -> None:
        import wandb

        run = wandb.init(
            project=self.project or slug(self._head.name), entity=self.entity, mode=self.mode, dir=str(self.directory),
            id=slug(self._head.id) if number == STUDY else f"{slug(self._head.id)}-{number:06d}", name=name,
            group=f"{slug(self._head.name)}-{slug(self._head.id)}", job_type="study" if number == STUDY else "trial",
            config=dict(config), resume="allow", reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", login_timeout=5), **self.settings,
        )  # fmt: skip
        if run.disabled:
            raise RuntimeError("not logged in: run `wandb login`, set WANDB_API_KEY, or take mode='offline'")
        self._runs[number] = run

    def _note(self, **what: int | bool) -> None:
        self._notes.write(json.dumps(what) + "\n")
        self._notes.flush()

    def _start(self, record: Record) -> None:
        self._begin(record.number, f"trial {record.number}", record.params)

    def _report(self, number: int, step: int, metrics: dict[str, float]) -> None:
        self._runs[number].log(metrics, step=step)
        self._note(trial=number, step=step)

    def _end(self, record: Record) -> None:
        run = self._runs.pop(record.number)
        run.summary.update({**record.metrics, **record.facts})
        run.finish(exit_code=1 if record.status == "failed" else 0)
        self._note(trial=record.number, ended=True)

    def _leave(self, number: int) -> None:
        self._runs.pop(number).finish()

    def _point(self, ended: int, values: dict[str, float]) -> None:
        self._runs[STUDY].log(values, step=ended)
        self._note(points=ended)

    def _close(self, facts: dict[str, str], whole: bool) -> None:
        run = self._runs.pop(STUDY)
        run.summary.update(facts)
        run.finish(exit_code=0 if whole else 1)
        self._notes.close()


def _read(notes: Path) -> Written:
    """Return what an earlier run noted; a line that a kill cut short is passed over."""
    written = Written()
    for line in notes.read_text().splitlines() if notes.exists() else ():
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if "points" in note:
            written.points = note["points"]
        elif "ended" in note:
            written.ended.add(note["trial"])
        else:
            written.steps[note["trial"]] = note["step"]
    return written
