"""Names of jobs, here and on SageMaker. A name is the key that keeps a trial from being started twice.

`<prefix>-<study>-<id>-g000-i000` is generation 0, individual 0 of a study; `-s9` is added where it goes on after step 9, `-r1`
where it is tried again. The head is cut so that the tail always fits: a name has at most 63 characters.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evohpo.study import Study

LONGEST_NAME = 63  # characters, of SageMaker and of Kubernetes
TAIL = len("-g000-i00000-s00000-r9")
_TAIL = re.compile(r"-g(\d{3,})-i(\d{3,})(?:-s(\d+))?(?:-r(\d+))?")


class Name(NamedTuple):
    """The name of a job in its parts.

    Attributes:
        head: what all jobs of a study begin with.
        generation: the generation, from 0.
        individual: the place in the generation, from 0.
        step: the step after which it goes on; 0 for a start.
        attempt: how often it was tried before.
    """

    head: str
    generation: int
    individual: int
    step: int = 0
    attempt: int = 0

    @property
    def trial(self) -> str:
        """The name of the trial, which all its jobs begin with."""
        return f"{self.head}-g{self.generation:03d}-i{self.individual:03d}"

    def __str__(self) -> str:
        """Return the name as one text."""
        return self.trial + (f"-s{self.step}" if self.step else "") + (f"-r{self.attempt}" if self.attempt else "")

    @classmethod
    def read(cls, text: str, head: str) -> Name | None:
        """Return the parts of a name, None if it is no job of the study that `head` stands for."""
        found = _TAIL.fullmatch(text, len(head)) if text.startswith(head) else None
        return None if found is None else cls(head, *(int(part or 0) for part in found.groups()))


def head_of(prefix: str, study: str, identity: str) -> str:
    """Return what all jobs of a study begin with, in the alphabet of names, short enough for every tail."""
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", f"{prefix}-{study}").strip("-")
    return f"{readable[: LONGEST_NAME - TAIL - len(identity) - 1].rstrip('-') or 'evohpo'}-{identity}".rstrip("-")


class Places:
    """Where trials stand: their generations, and their places in them.

    Args:
        study: whose trials they are; None for jobs of no study.
    """

    def __init__(self, study: Study | None) -> None:
        self._study = study
        self._known: list[tuple[int, int]] = []
        self._sizes: Counter[int] = Counter()

    def of(self, number: int) -> tuple[int, int]:
        """Return a trial's generation and its place in it."""
        trials = self._study.trials if self._study is not None else ()
        while len(self._known) < len(trials):
            generation = trials[len(self._known)].generation
            self._known.append((generation, self._sizes[generation]))
            self._sizes[generation] += 1
        return self._known[number] if number < len(self._known) else (0, number)
