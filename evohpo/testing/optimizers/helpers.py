"""What the checks of several subjects share."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any

import evohpo as eh
from evohpo.testing.problems import Objective, cube, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def complete(study: eh.Study) -> None:
    """Assert that a study has trials and that all of them have ended."""
    open_ = [t.number for t in study.trials if not t.ended]
    assert study.trials, "it proposed nothing"
    assert not open_, f"trials {open_} never ended"


def same(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], what: str) -> None:
    """Assert that two lists of configurations are equal; name the first trial that differs."""
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        assert a == b, f"{what}: trial {number} differs, {dict(a)} and {dict(b)}"
    assert len(first) == len(second), f"{what}: {len(first)} and {len(second)} trials"


def is_steady(optimizer: Any) -> bool:
    """Return whether it proposes although results are out."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    study.begin(budget=40, workers=1)
    asked = study.ask(1000)
    for trial in asked[:-1]:  # islands wait for one generation each, not for all that is out
        study.tell(trial, 0.0)
    return len(asked) == 1000 or bool(study.ask(1))


def in_step(optimizer: Any) -> dict[str, Any]:
    """Return the argument that makes a steady-state optimizer independent of timing."""
    return {"lookahead": 4} if is_steady(optimizer) else {}


def drive_for(study: eh.Study, objective: Objective, trials: int, seconds: float) -> eh.Study:
    """Ask and tell until there are `trials` trials, or so much time of the processor is used."""
    began = process_time()
    while len(study.trials) < trials and process_time() - began < seconds and (asked := study.ask(20)):
        measure(study, objective, asked)
    return study
