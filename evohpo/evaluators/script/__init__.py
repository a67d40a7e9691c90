"""Trials as runs of a script in any language: `Script`, and where its metrics may be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.evaluators.script.evaluator import Script
    from evohpo.evaluators.script.files import ResultsFile
    from evohpo.evaluators.script.printed import Printed, Records

__getattr__, __dir__ = exports(
    __name__, {"evaluator": ("Script",), "files": ("ResultsFile",), "printed": ("Printed", "Records")}
)

__all__ = ["Printed", "Records", "ResultsFile", "Script"]
