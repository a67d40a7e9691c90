"""The command line of a trial: words, never a text for a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import UsageError
from evohpo.evaluators.context import plain

if TYPE_CHECKING:
    from evohpo.reporting import RunningTrial

Arguments: TypeAlias = str | Callable[[Mapping[str, Any]], Iterable[Any]] | None
STYLES = ("flags", "hydra", "json", "file", "environment")
PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")
PLAIN = re.compile(r"[A-Za-z_][\w./:@-]*")  # texts that hydra reads as texts
PARAMS = "params.json"


class Command:
    """Makes the command line of each trial.

    Args:
        words: the command, a list of words or one text that is split into words as a shell would. `{learning_rate}` in a
            word stands for that parameter, `{number}`, `{seed}`, `{step}` and `{directory}` for what the trial is.
        arguments: how parameters that no word names are given, see `Script`.

    Raises:
        UsageError: no words, or arguments that make no sense.
    """

    def __init__(self, words: str | Path | Sequence[str | os.PathLike[str]], arguments: Arguments) -> None:
        if isinstance(words, str) and not _is_file(words):
            words = shlex.split(words)
        elif isinstance(words, str | Path):
            words = [words]
        self.words = [os.fspath(word) for word in words]
        if not self.words or not all(isinstance(word, str) for word in self.words):
            raise UsageError(f'{self.words!r} is no command: give its words, such as ["python", "train.py"]')
        program = self.words[0]
        on_path = os.sep not in program and shutil.which(program) is not None
        # trials run in folders of their own, where names that lead from here to a file would lead nowhere
        self.words = [
            str(Path(word).absolute()) if _is_file(word) and (i or not on_path) else word
            for i, word in enumerate(self.words)
        ]
        if program.endswith(".py") and _is_file(program):
            self.words.insert(0, sys.executable)
        self._named = {name for word in self.words for name in PLACEHOLDER.findall(word)}
        self.arguments = arguments
        self._template: list[str] = []
        if isinstance(arguments, str) and arguments not in STYLES:
            self._template = shlex.split(arguments)
            if "{name}" not in arguments or "{value}" not in arguments:
                raise UsageError(
                    f"arguments={arguments!r}: must name {{name}} and {{value}}, or be one of {', '.join(STYLES)}, "
                    "or a function of the hyperparameters that returns words"
                )
        elif arguments is not None and not isinstance(arguments, str) and not callable(arguments):
            raise UsageError(f"arguments={arguments!r}: must be text, a function, or None for none")

    def check(self, path: str | None) -> None:
        """Refuse a command that cannot be started.

        Args:
            path: where programs are looked for, the variable PATH.

        Raises:
            UsageError: says what is wrong.
        """
        program = self.words[0]
        if PLACEHOLDER.search(program) or shutil.which(program, path=path) is not None:
            return
        if Path(program).is_dir():
            raise UsageError(f"{program} is a folder, not a program. Nothing was started")
        if _is_file(program):
            raise UsageError(
                f"{program} is not executable: allow it (chmod +x), or name the program that runs it, "
                f'such as ["sh", {Path(program).name!r}]. Nothing was started'
            )
        hint = f" (this Python is {sys.executable})" if program == "python" else ""
        raise UsageError(f"there is no program {program!r}{hint}. Nothing was started")

    def line(self, trial: RunningTrial, absent: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
        """Return the words of a trial's command, and the environment variables that its arguments are.

        Args:
            trial: what the words are filled with.
            absent: parameters that do not apply to it; words that name one are left out, and the options before them.

        Raises:
            UsageError: the function of arguments gave no words.
        """
        known = {"number": trial.number, "seed": trial.seed, "step": trial.step, "directory": str(trial.directory)}
        texts = {name: text(value) for name, value in (known | dict(trial.params)).items()}
        words: list[str] = []
        for word in self.words:
            if set(absent).isdisjoint(PLACEHOLDER.findall(word)):
                words.append(filled(word, texts))
            elif not word.startswith("-") and re.fullmatch(r"-[^=]+", words[-1] if words else ""):
                words.pop()
        rest = {name: plain(value) for name, value in trial.params.items() if name not in self._named}
        if self.arguments == "environment":
            return words, {name: text(value) for name, value in rest.items()}
        return words + self._arguments(rest, trial), {}

    def _arguments(self, params: Mapping[str, Any], trial: RunningTrial) -> list[str]:
        arguments = self.arguments
        if arguments is None:
            return []
        if callable(arguments):
            words = arguments(dict(params))
            if isinstance(words, str) or not isinstance(words, Iterable):
                raise UsageError(f"the function arguments= must return a list of words, not {words!r}")
            return [text(word) for word in words]
        if arguments == "json":
            return [json.dumps(params)]
        if arguments == "file":
            return [str(trial.directory / PARAMS)]
        if arguments == "hydra":
            return [f"{name}={_hydra(value)}" for name, value in params.items()]
        if arguments == "flags":
            return [word for name, value in params.items() for word in _flag(name, value)]
        return [
            filled(word, {"name": name, "value": text(value)})
            for name, value in params.items()
            for word in self._template
        ]


def text(value: Any) -> str:
    """Return a value as a word: texts as they are, numbers so that they are read back exactly, the rest as JSON.

    >>> [text(value) for value in ("a b", 1e-05, 3, True, None, [1, 2])]
    ['a b', '1e-05', '3', 'true', 'null', '[1, 2]']
    """
    value = plain(value)
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value, default=str)


def texts(environment: Mapping[str, Any] | None) -> dict[str, str]:
    """Return environment variables as texts."""
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else text(value)
        for name, value in (environment or {}).items()
    }


def filled(word: str, texts: Mapping[str, str]) -> str:
    """Return a word with the texts of what it names in braces; other braces are left alone."""
    return PLACEHOLDER.sub(lambda match: texts.get(match[1], match[0]), word)


def _is_file(word: str | Path) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # a word too long, or of other characters than names of files have
        return False


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [] if value is None else [f"--{name}", text(value)]


def _hydra(value: Any) -> str:
    """Return a value as hydra's grammar of overrides reads it back."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_hydra, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_hydra(one)}' for key, one in value.items())}}}"
    if not isinstance(value, str) or (
        PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "null", "nan", "inf")
    ):
        return text(value)
    quoted = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), value)
    return f"'{quoted}'"
