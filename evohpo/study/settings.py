"""What makes a study the one it is: written into the header of its store, compared when somebody goes on with it."""

from __future__ import annotations

import json
import platform
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evohpo import plugins
from evohpo.errors import UsageError
from evohpo.space import Space
from evohpo.trials.goals import Goals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.optimizers.registry import Resolved


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides which trials a study proposes, and its description.

    Attributes:
        space: what is searched.
        goals: what is optimized, under which constraints.
        optimizer: name, options, origin and whether the name alone can bring it back.
        seed: the root of all randomness.
        population: the population asked for, or None.
        duplicates: "reuse" or "evaluate".
        lookahead: how far proposals run ahead of results, or None.
        repeats: how often the best configurations are measured, "auto", or None.
        pruner: its name and what it was made with, or None.
        name: a name for people.
        owner: whose study it is.
        description: what it is about.
        notes: plain data of whoever made the study (the command line keeps its arguments here).
        id: six hexadecimal digits that tell this study from every other, in names that outlive it; no decision hangs on it.
    """

    space: Space
    goals: Goals
    optimizer: dict[str, Any]
    seed: int
    population: int | None = None
    duplicates: str = "reuse"
    lookahead: int | None = None
    pruner: dict[str, Any] | None = None
    name: str = ""
    owner: str = ""
    description: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(3))
    repeats: int | str | None = None

    def to_header(self) -> dict[str, Any]:
        """Return the settings as JSON values, with the versions of all that could change a proposal."""
        return {
            "space": json.loads(self.space.to_json()),
            "goals": self.goals.to_dict(),
            "optimizer": self.optimizer,
            "seed": self.seed,
            "population": self.population,
            "duplicates": self.duplicates,
            "lookahead": self.lookahead,
            "repeats": self.repeats,
            "pruner": self.pruner,
            "name": self.name,
            "owner": self.owner,
            "description": self.description,
            "notes": dict(self.notes),
            "id": self.id,
            "fingerprint": fingerprint(),
        }

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_header` wrote."""
        plain = {"id": ""} | {k: v for k, v in header.items() if k not in ("space", "goals", "fingerprint")}
        return cls(space=Space.from_json(json.dumps(header["space"])), goals=Goals.of(**header["goals"]), **plain)

    def check_same(self, given: Settings, seed_given: bool, where: str) -> None:
        """Compare with the settings a user gives to go on.

        Raises:
            UsageError: they describe another study; says what differs.
        """
        mine, other = self.to_header(), given.to_header()
        for header in (mine, other):  # another version of the same optimizer is found out by replay, if it matters
            header["optimizer"] = {k: v for k, v in header["optimizer"].items() if k in ("name", "options", "repaired")}
        keys = (
            "space",
            "goals",
            "optimizer",
            "population",
            "duplicates",
            "lookahead",
            "repeats",
            "pruner",
            *(["seed"] if seed_given else []),
        )
        differing = [_difference(key, mine[key], other[key]) for key in keys if mine[key] != other[key]]
        if differing:
            raise UsageError(
                f"store {where} holds another study: {'; '.join(differing)}. "
                "Give the same arguments to go on with it, or another path for a new study"
            )


def fingerprint() -> dict[str, str]:
    """Return the versions that can change what an optimizer proposes."""
    return {
        "python": platform.python_version(),
        "numpy": plugins.version("numpy"),
        "evohpo": plugins.version("evohpo"),
        "machine": platform.machine(),
    }


def _difference(key: str, mine: Any, other: Any) -> str:
    """Say in one clause what differs, down to the first key of nested settings."""
    while isinstance(mine, dict) and isinstance(other, dict):
        names = [name for name in {**mine, **other} if mine.get(name) != other.get(name)]
        key = f"{key}.{names[0]}"
        mine, other = mine.get(names[0]), other.get(names[0])
    short = [text if len(text) <= 120 else f"{text[:117]}..." for text in (json.dumps(mine), json.dumps(other))]
    return f"{key} is {short[0]} there and {short[1]} here"


def describe(resolved: Resolved) -> dict[str, Any]:
    """Return what the store keeps of an optimizer; options that are no JSON can be shown but not brought back."""
    options, plain = {}, True
    for name, value in sorted(resolved.options.items()):
        try:
            options[name] = json.loads(json.dumps(value))
        except TypeError:
            shown = json.dumps(value, default=lambda foreign: f"<{type(foreign).__name__}>", skipkeys=True)
            options[name], plain = json.loads(shown), False
    return {
        "name": resolved.name, "options": options, "repaired": resolved.repaired, "origin": resolved.origin,
        "rebuildable": resolved.rebuildable and plain,
    }  # fmt: skip


def check(duplicates: str, population: int | None, lookahead: int | None, seed: int | None) -> None:
    """Refuse arguments of a study that make no sense.

    Raises:
        UsageError: says which one, and what it may be.
    """
    if duplicates not in ("reuse", "evaluate"):
        raise UsageError(f'duplicates={duplicates!r}: must be "reuse" or "evaluate"')
    for name, value in (("population", population), ("lookahead", lookahead)):
        if value is not None and (isinstance(value, bool) or int(value) != value or value < 1):
            raise UsageError(f"{name}={value!r}: must be a whole number of at least 1")
    if seed is not None and (isinstance(seed, bool) or int(seed) != seed or seed < 0):
        raise UsageError(f"seed={seed!r}: must be a whole number of at least 0")
