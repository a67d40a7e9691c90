"""What a launcher is: four methods that start, watch, end and read jobs somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LIVE = ("waiting", "running")
ENDED = ("done", "failed", "timeout", "memory", "lost", "cancelled")


@runtime_checkable
class Launcher(Protocol):
    """Starts jobs on whatever runs jobs in your house. See `evohpo.evaluators.launchers` for one of 30 lines.

    A method that cannot be carried out just now, for the scheduler is down or full, raises an OSError (a TimeoutError, a
    ConnectionError) or a `subprocess.SubprocessError`: it is called again later. Any other exception of `submit` fails the trial,
    of the other methods it ends the study.

    It may have two more methods. `find(name) -> str | None` returns the id of the job that was submitted under that name, whoever
    submitted it; with it no job is started twice, even if the driver is killed, or the answer lost, while it submits. `close()`
    lets go of what the launcher holds, when the study is over and its jobs are cancelled. Its name
    in the table is that of its class, or its attribute `worker`.
    """

    def submit(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path,
        resources: Mapping[str, Any],
    ) -> str:  # fmt: skip
        """Start a job, or put it in line, and return its id.

        Args:
            name: says study, generation and individual; letters, digits and hyphens, at most 63; no two jobs have the same.
            command: its words. No shell is to see them as they are: quote them (`shlex.join`) where one has to.
            environment: variables it needs, beside those that are there.
            directory: the trial's folder, where it is to run if it can.
            resources: what it needs, as the user said it.
        """
        ...

    def poll(self, jobs: Sequence[str], /) -> Mapping[str, str]:
        """Return by id the states of the jobs of these ids, in one call for all; an id that is unknown is left out.

        A state is one of "waiting", "running", "done", "failed" (the command's own fault), "timeout", "memory" (took too long
        or too much, said the scheduler), "lost" (the machine is gone or taken away: it is started again) and "cancelled". What
        follows it after a colon is for the table: "failed: exit code 3".
        """
        ...

    def cancel(self, job: str, /) -> None:
        """End the job of an id, running or waiting, with all it started; nothing happens if it has ended."""
        ...

    def read(self, job: str, offset: int, /) -> tuple[bytes, int]:
        """Return what a job printed from `offset` on, or a part of it, and where to go on; (b"", offset) if there is no more.

        Offsets begin with 0; what they count is the launcher's affair. All is to be there when `poll` says that the job has
        ended; where it comes later, see `settle` of `Launched`.
        """
        ...


def split(state: str) -> tuple[str, str]:
    """Return a state's word and what is said of it.

    >>> split("failed: exit code 3")
    ('failed', 'exit code 3')
    """
    word, _, reason = state.partition(":")
    return word.strip(), reason.strip()
