"""Slurm as a launcher: sbatch, squeue, sacct and scancel."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.script.command import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CHUNK = 1 << 20  # bytes read at a time
PATIENCE = 60.0  # seconds that a command may take
KILLED = {9, 15, 137, 143}  # SIGKILL and SIGTERM come from outside, as signals or as a shell's exit codes of them
STATES = {
    "PENDING": "waiting", "CONFIGURING": "waiting", "REQUEUED": "waiting", "REQUEUE_FED": "waiting",
    "REQUEUE_HOLD": "waiting", "RESV_DEL_HOLD": "waiting", "SPECIAL_EXIT": "waiting",
    "RUNNING": "running", "COMPLETING": "running", "RESIZING": "running", "SIGNALING": "running",
    "STAGE_OUT": "running", "STOPPED": "running", "SUSPENDED": "running",
    "COMPLETED": "done", "FAILED": "failed", "TIMEOUT": "timeout", "DEADLINE": "timeout", "OUT_OF_MEMORY": "memory",
    "NODE_FAIL": "lost", "BOOT_FAIL": "lost", "LAUNCH_FAILED": "lost", "PREEMPTED": "lost", "REVOKED": "lost",
    "CANCELLED": "cancelled",
}  # fmt: skip
OVER = {"done", "failed", "timeout", "memory", "lost", "cancelled"}
REFUSED = re.compile(
    r"invalid|unrecogni[sz]ed|not available|not permitted|not accessible|denied|ambiguous", re.IGNORECASE
)


class Slurm:
    """Starts jobs with sbatch. For `Launched`; the driver runs where these commands do, such as on a login node.

    The folders of trials must be on a file system that the nodes see: give `tune` a `store=` there. A trial's folder holds its
    batch script, `<name>.sh`, and its output, `slurm-<id>.out`. The states of all jobs are asked for in one call of squeue, and
    of sacct for those that ended; on clusters without sacct squeue alone has to do, which knows them for some minutes.

    Jobs are submitted with `--no-requeue`: one whose node failed, or that was preempted, is started again by the study.

    Args:
        options: of sbatch: `partition="gpu"`, `time="2:00:00"`, `gpus=1`, `cpus_per_task=8`; True for those without a value.
            `Launched(resources=...)` takes the same.
        setup: lines of the batch script before the command, such as "module load cuda"; a shell runs them.

    Raises:
        UsageError: there is no sbatch on the PATH.

    Example:
        evaluator = eh.Launched(eh.Slurm(partition="gpu", gpus=1), ["python", "train.py"], {"loss": r"loss=(.*)"}, poll=15)
    """

    def __init__(self, *, setup: str = "", **options: Any) -> None:
        for program in ("sbatch", "squeue", "scancel"):
            if shutil.which(program) is None:
                raise UsageError(f"there is no program {program!r} on the PATH: this is no node that submits to Slurm")
        self.setup, self.options = setup, options
        self._accounts = shutil.which("sacct") is not None
        self._folders: dict[str, Path] = {}

    def submit(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path,
        resources: Mapping[str, Any],
    ) -> str:  # fmt: skip
        """Write the batch script and submit it.

        Raises:
            UsageError: Slurm refuses it.
        """
        script = directory / f"{name}.sh"
        script.write_text(_script(command, environment, self.setup), encoding="utf-8")
        folder = str(directory).replace("\\", "\\\\").replace("%", "%%")
        words = [
            "sbatch", "--parsable", "--no-requeue", f"--job-name={name}", f"--chdir={directory}",
            f"--output={folder}/slurm-%j.out", *_options(self.options | dict(resources)), str(script),
        ]  # fmt: skip
        try:
            said = _run(words)
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            if refusal := next((line for line in lines if REFUSED.search(line)), ""):
                raise UsageError(f"Slurm refuses the job: {refusal}") from error
            raise
        job = said.strip().split(";")[0]  # a cluster may follow
        self._folders[job] = directory
        return job

    def find(self, name: str) -> str | None:
        """Return the id of the latest job of a name, None if there is none."""
        jobs = [*self._queued("%i|%Z", f"--name={name}"), *self._accounted("JobID,WorkDir", f"--name={name}")]
        for job, folder in jobs:
            self._folders.setdefault(job, Path(folder))
        return max((job for job, _ in jobs), key=_rank, default=None)

    def poll(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the states of jobs."""
        said = dict(self._queued("%i|%T"))
        states = {job: _state(said[job], "") for job in ids if job in said}
        ended = [job for job in ids if job not in states or states[job].partition(":")[0] in OVER]
        if ended:
            for job, state, code in self._accounted("JobID,State,ExitCode", f"--jobs={','.join(ended)}"):
                known = _state(state, code)
                if job not in states or known.partition(":")[0] in OVER:  # accounts may come late
                    states[job] = known
        return states

    def cancel(self, job: str) -> None:
        """End a job."""
        _run(["scancel", job])

    def read(self, job: str, offset: int) -> tuple[bytes, int]:
        """Return what a job printed from a byte on."""
        path = self._folders[job] / f"slurm-{job}.out"
        if not path.exists():  # it did not begin
            return b"", offset
        with path.open("rb") as file:
            file.seek(offset)
            printed = file.read(CHUNK)
        return printed, offset + len(printed)

    def _queued(self, form: str, *more: str) -> list[list[str]]:
        return _rows(_run(["squeue", "--me", "--noheader", "--states=all", f"--format={form}", *more]))

    def _accounted(self, form: str, *more: str) -> list[list[str]]:
        if not self._accounts:
            return []
        words = ["sacct", "--noheader", "--parsable2", "--allocations", f"--format={form}", *more]
        if not any(word.startswith("--jobs=") for word in more):
            words.append("--starttime=now-30days")
        return _rows(_run(words))


def _script(command: Sequence[str], environment: Mapping[str, str], setup: str) -> str:
    """Return a batch script: each word is one word for the shell, whatever is in it."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines = ["#!/bin/sh", *setup.splitlines(), *exports, f"exec {shlex.join(command)}"]
    return "\n".join(lines) + "\n"


def _options(options: Mapping[str, Any]) -> list[str]:
    """Return options of sbatch as words."""
    words = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    return [
        name if value is True else f"{name}={text(value)}"
        for name, value in words.items()
        if value is not None and value is not False
    ]


def _state(said: str, code: str) -> str:
    """Return a state of a launcher for one of Slurm's.

    >>> _state("CANCELLED by 1000", "0:15"), _state("FAILED", "3:0"), _state("FAILED", "0:9"), _state("NODE_FAIL", "1:0")
    ('cancelled: CANCELLED by 1000', 'failed: exit code 3', 'lost: killed by signal 9', 'lost: NODE_FAIL')
    """
    word = said.split()[0].rstrip("+") if said.split() else ""
    state = STATES.get(word, "running")  # a word of a newer Slurm: it will come to an end that is known
    if word != "FAILED":
        return f"{state}: {said.strip()}"
    exit_code, _, signal = code.partition(":")
    numbers = {int(number) for number in (exit_code, signal) if number.isdecimal()}
    if killed := numbers & KILLED:
        return f"lost: killed by signal {min(killed) % 128}"
    return f"failed: exit code {exit_code}" if exit_code else "failed"


def _rank(job: str) -> tuple[int, str]:
    return (int(job), "") if job.isdecimal() else (0, job)


def _rows(said: str) -> list[list[str]]:
    return [line.strip().split("|") for line in said.splitlines() if line.strip()]


def _run(words: Iterable[str]) -> str:
    """Run a command of Slurm and return what it printed.

    Raises:
        subprocess.SubprocessError: it failed, or did not answer.
    """
    done = subprocess.run(  # noqa: S603 - words, no shell
        list(words), capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout
