"""How trials are run, from the command line: how many at once, within which limits, as a function or as a script."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evohpo.cli import loading
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.evaluators import Evaluator

COUNT, SECONDS = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)

WORKING: list[Callable[[Any], Any]] = [
    click.option("--workers", type=COUNT, help="Trials that run at once, each in its own process. [default: 1]"),
    click.option("--memory", metavar="SIZE", help="What a single trial may use, e.g. 2GB."),
    click.option("--quorum", type=click.FloatRange(0, 1, min_open=True), metavar="Q",
                 help="Share of a generation after which the next begins, if workers are idle."),
    click.option("--metric", multiple=True, metavar="NAME[=PATTERN]", help="Of a script: how it is found in what is printed."),
    click.option("--steps", metavar="PATTERN", help=r"Of a script: what tells the step in a line, e.g. 'epoch=(\d+)'."),
    click.option("--arguments", metavar="STYLE",
                 help="Of a script: flags, hydra, json, file, environment, or a text such as '--{name} {value}'."),
]  # fmt: skip
SCRIPTS = ("metric", "steps", "arguments")
KEPT = ("workers", "memory", "quorum", *SCRIPTS)


def is_command(target: str) -> bool:
    """Return whether an objective is a command line or a program, not a function. Of `train.py` alone the name is missing.

    >>> is_command("python train.py"), is_command("train.py:train"), is_command("package.module:Class.method")
    (True, False, False)
    """
    if re.fullmatch(r"\S+:[\w.]+", target):
        return False
    return " " in target or (Path(target).is_file() and not target.endswith(".py"))


def lasting(command: str) -> str:
    """Return a command line with the whole paths of the files that it names.

    Raises:
        UsageError: it cannot be split into words.
    """
    from evohpo.evaluators.script.command import Command

    return shlex.join(Command(command, None).words)


def evaluator_of(arguments: dict[str, Any]) -> Evaluator | None:
    """Return a script's evaluator, or processes where a trial has limits; None leaves it to the number of workers.

    Raises:
        UsageError: options of a script for a function, or something that is wrong with the command.
    """
    memory = loading.size(arguments["memory"]) if arguments.get("memory") else None
    workers, timeout = arguments.get("workers") or 1, arguments.get("trial_timeout")
    if is_command(arguments["objective"]):
        from evohpo.evaluators.script import Script

        style = {"arguments": arguments["arguments"]} if arguments.get("arguments") else {}
        return Script(
            arguments["objective"], _metrics(arguments.get("metric") or ()), steps=arguments.get("steps"), workers=workers,
            timeout=timeout, memory=memory, **style,
        )  # fmt: skip
    if given := [f"--{name}" for name in SCRIPTS if arguments.get(name)]:
        raise UsageError(f"{', '.join(given)}: for a script, such as 'python train.py'; a function returns its metrics")
    if memory is None and timeout is None:
        return None
    from evohpo.evaluators import Processes

    return Processes(workers, timeout=timeout, memory=memory)


def _metrics(given: tuple[str, ...]) -> dict[str, str] | list[str] | None:
    pairs = [text.partition("=") for text in given]
    if any(equals for _, equals, _ in pairs) and not all(equals for _, equals, _ in pairs):
        raise UsageError("--metric: give a pattern for each metric, NAME=PATTERN, or for none of them")
    patterns = {name: pattern for name, _, pattern in pairs}
    return None if not given else patterns if pairs[0][1] else list(patterns)
