"""Folders of trials: where checkpoints lie, and how one trial goes on from another one's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def inherit(source: Path, target: Path) -> None:
    """Make `target` a copy of the folder `source`, empty where there is none; what was there before goes."""
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
