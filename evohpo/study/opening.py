"""Opening a stored study, with or without the code of its optimizer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from evohpo.errors import StoreError, UsageError
from evohpo.optimizers.registry import resolve, use
from evohpo.pruners.naming import pruner_of
from evohpo.study import journal as journals
from evohpo.study.journal import Journal
from evohpo.study.settings import Settings
from evohpo.study.study import Study


def load(path: str | Path, optimizer: Any = None, pruner: Any = None) -> Study:
    """Open a stored study, for reading or for going on.

    Nothing is locked before something is written, so a running study can be read.

    Args:
        path: the study's file.
        optimizer: only needed to go on with a study whose optimizer is your own code.
        pruner: only needed to go on with a study whose pruner is your own code.

    Raises:
        StoreError: there is no study at `path`, or it cannot be read.
    """
    if not journals.exists(path):
        raise StoreError(f"store {path}: there is no study there")
    journal = Journal(Path(path), write=False)
    settings = Settings.from_header(journal.header())
    recorded = settings.optimizer
    resolved = None
    if optimizer is not None:
        resolved = resolve(optimizer)
    elif recorded["rebuildable"]:
        with contextlib.suppress(UsageError):  # its plugin is not installed here: the study can still be read
            resolved = resolve(use(recorded["name"], repaired=recorded["repaired"], **recorded["options"]))
    return Study.opened(settings, resolved, pruner_of(settings.pruner) if pruner is None else pruner, journal)
