"""Names of training jobs. A name is the key that keeps a trial from being started twice.

`<prefix>-<study>-<id>-g000-i000` is generation 0, individual 0 of a study; `-s9` is added where it goes on after step 9, `-r1`
where it is tried again. The head is cut so that the tail always fits: a name has at most 63 characters.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from evohpo.sagemaker.limits import LONGEST_NAME

TAIL = len("-g000-i00000-s00000-r9")
_TAIL = re.compile(r"-g(\d{3,})-i(\d{3,})(?:-s(\d+))?(?:-r(\d+))?")


class Name(NamedTuple):
    """The name of a training job in its parts.

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
        """Return the name as the API knows it."""
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
