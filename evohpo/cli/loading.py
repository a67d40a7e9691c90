"""From what is typed on a command line to objects: `module:name`, `file.py:name`, spaces in TOML, options, sizes."""

from __future__ import annotations

import importlib
import json
import re
import sys
import traceback
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.errors import EvohpoError, UnknownName, UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from evohpo.space import Space

TYPES = "continuous, integer, categorical, ordinal, static"
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def load_object(target: str, what: str) -> Any:
    """Return what `module:name` or `file.py:name` stands for; `name` may be a path of attributes.

    A file is imported under its stem with its folder on `sys.path`, so that worker processes find it too.

    Args:
        target: the text as typed.
        what: what it is for, for messages.

    Raises:
        UsageError: there is no such file, module or name, or importing it failed.
    """
    home, colon, path = target.rpartition(":")
    if not colon or not home or not path:
        script = f'; for a script "python {target}"' if what == "objective" and target.endswith(".py") else ""
        raise UsageError(f"{what} {target!r}: write module:name or file.py:name, e.g. train.py:train{script}")
    module = import_file(home, what) if home.endswith(".py") else _import(home, f"{what} {target!r}")
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        first = path.partition(".")[0]
        known = [
            n for n, value in vars(module).items() if not n.startswith("_") and callable(value) == (what != "space")
        ]
        if first in vars(module):
            raise UsageError(f"{what} {target!r}: {first!r} has no attribute {path.partition('.')[2]!r}") from None
        raise UsageError(f"{what} {target!r}: {UnknownName(f'name in {home}', first, known)}") from None


def load_objective(target: str) -> Any:
    """Return the function that `module:name` or `file.py:name` stands for.

    Raises:
        UsageError: it cannot be loaded, or is no function.
    """
    objective = load_object(target, "objective")
    if not callable(objective):
        raise UsageError(f"objective {target!r}: is of type {type(objective).__name__}, not a function")
    return objective


def load_optimizer(text: str, given: dict[str, Any]) -> Any:
    """Return an optimizer by its name, or by where it is, with the options given.

    Raises:
        UsageError: it cannot be loaded.
    """
    from evohpo.optimizers import use

    target = load_object(text, "optimizer") if ":" in text else text
    return use(target, **given) if given else target


def import_file(path: str | Path, what: str) -> ModuleType:
    """Import a Python file as the module of its stem.

    Raises:
        UsageError: there is no such file, its name cannot be a module's, or importing it failed.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise UsageError(f"{what}: there is no file {str(file)!r}")
    stem = file.stem
    loaded = getattr(sys.modules.get(stem), "__file__", None)
    taken = stem in sys.modules and (loaded is None or Path(loaded).resolve() != file)
    if taken or "." in stem or stem in sys.stdlib_module_names:
        raise UsageError(
            f"{what}: rename {file.name}: a file is imported as module {stem!r}, and that name is taken or has a dot"
        )
    _first_on_path(str(file.parent))
    return _import(stem, f"{what} {str(path)!r}")


def _import(module: str, where: str) -> ModuleType:
    _first_on_path(str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and module.split(".")[0] == error.name:
            raise UsageError(f"{where}: there is no module {module!r} on the path or in {Path.cwd()}") from error
        if isinstance(error, EvohpoError):
            raise
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
        at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames[1:] else ""
        raise UsageError(f"{where}: importing it failed{at}, {type(error).__name__}: {error}") from error


def _first_on_path(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def load_space(text: str) -> Space:
    """Return the space of a `.toml` file, or the `Space` or dict that `module:name` or `file.py:name` stands for.

    Raises:
        UsageError: it cannot be read, or is no space; names the file and the parameter.
    """
    from evohpo.space import Space

    if text.endswith(".toml"):
        return _space_of_toml(Path(text))
    if ":" not in text:
        raise UsageError(f"space {text!r}: write file.toml, module:name or file.py:name")
    given = load_object(text, "space")
    if isinstance(given, Space):
        return given
    if isinstance(given, dict):
        try:
            return Space(given)
        except UsageError as error:
            raise UsageError(f"space {text!r}: {error}") from error
    raise UsageError(f"space {text!r}: is of type {type(given).__name__}, not a Space or a dict")


def _space_of_toml(path: Path) -> Space:
    import tomllib

    from evohpo.space import Space

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"space {path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"space {path}: is not TOML ({error})") from error
    constraints = content.pop("constraints", [])
    if not isinstance(constraints, list) or not all(isinstance(c, str) for c in constraints):
        raise UsageError(f'space {path}: constraints must be a list of texts such as ["layers * units <= 600"]')
    for name, fields in content.items():
        if isinstance(fields, dict) and "type" not in fields:
            raise UsageError(f"space {path}: parameter {name!r}: say its type, one of {TYPES}")
        if isinstance(fields, dict) and "constraints" in fields:
            raise UsageError(f"space {path}: parameter {name!r}: put constraints at the top, before the first [table]")
    try:
        return Space.from_json(json.dumps({"parameters": content, "constraints": constraints}))
    except TypeError as error:
        raise UsageError(f"space {path}: {error}; TOML dates and times cannot be hyperparameters") from error
    except UsageError as error:
        raise UsageError(f"space {path}: {error}") from error


def load_configs(text: str) -> list[dict[str, Any]]:
    """Return the configurations that `text` gives: JSON, an object or a list of them, or the path of such a file.

    Raises:
        UsageError: it is neither.
    """
    file = Path(text)
    try:
        content = json.loads(file.read_text("utf-8") if text.endswith(".json") else text)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--initial {text!r}: neither JSON such as '{{\"layers\": 3}}' nor a .json file of it ({error})"
        ) from error
    configs = content if isinstance(content, list) else [content]
    if not all(isinstance(c, dict) for c in configs):
        raise UsageError(f"--initial {text!r}: give an object, or a list of objects")
    return configs


def options(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return `key=value` texts as a dict; values are JSON or TOML, else text.

    >>> options(("inertia=0.7", "topology=ring", "adaptive=true"))
    {'inertia': 0.7, 'topology': 'ring', 'adaptive': True}

    Raises:
        UsageError: a text without `=`.
    """
    return dict(_pair(text) for text in pairs)


def _pair(text: str) -> tuple[str, Any]:
    import tomllib

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--option {text!r}: write key=value")
    parsed: Any = value
    try:
        parsed = json.loads(value)
    except ValueError:
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
            json.dumps(parsed)  # a date is text
        except (tomllib.TOMLDecodeError, TypeError):
            parsed = value
    return key.strip(), parsed


def size(text: str) -> float:
    """Return bytes.

    >>> size("2GB"), size("512MiB"), size("1e9")
    (2000000000.0, 536870912.0, 1000000000.0)

    Raises:
        UsageError: it is no size.
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    try:
        if match is None:
            raise ValueError
        return float(match[1]) * UNITS[match[2]]
    except (ValueError, KeyError):
        raise UsageError(f"--memory {text!r}: write a size such as 2GB or 512MiB") from None
