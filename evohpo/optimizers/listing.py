"""The list of optimizers, and of libraries whose live objects are accepted; what is broken is listed with its error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evohpo import plugins
from evohpo.optimizers import forms, registry
from evohpo.optimizers.protocol import Traits

if TYPE_CHECKING:
    from importlib import metadata


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of optimizers.

    Attributes:
        name: what users type.
        origin: see `Registered.origin`.
        form: "generator", "class", "search function" or "factory"; "" where it failed to import.
        traits: what it declares of itself; the default where it failed to import.
        error: why it cannot be used, "" if it can.
    """

    name: str
    origin: str
    form: str = ""
    traits: Traits = field(default_factory=Traits)
    error: str = ""

    @property
    def objectives(self) -> str:
        """How many objectives it takes: "single" or "multi"."""
        return self.traits.objectives

    @property
    def encoding(self) -> str:
        """The name of the encoding it wants."""
        return "Real" if self.traits.encoding is None else type(self.traits.encoding).__name__

    @property
    def reference(self) -> str:
        """The paper or library it comes from."""
        return self.traits.reference


def available_optimizers() -> dict[str, Listed]:
    """Return every optimizer there is, by name; what cannot be imported is listed with its error.

    Example:
        >>> [name for name in available_optimizers() if name.startswith("de-")]
        ['de-steady']
    """
    listed = {name: _listed(name) for name in registry.names()}
    for name, points in plugins.plugins("evohpo.optimizers").items():
        if name in registry.BUILT_IN:
            error = f"the name {name!r} belongs to evohpo: the plugin must choose another"
            listed[f"{name} ({points[0].value})"] = Listed(name, plugins.origin(points[0]), error=error)
    return dict(sorted(listed.items()))


def _listed(name: str) -> Listed:
    try:
        entry = registry.get(name)
    except Exception as error:  # noqa: BLE001 - one broken plugin must not hide the others
        return Listed(name, "evohpo" if name in registry.BUILT_IN else "plugin", error=str(error))
    return Listed(name, entry.origin, forms.form(entry.target), entry.traits)


def available_adapters() -> dict[str, Listed]:
    """Return the libraries whose live objects are accepted, by package; what cannot be imported is listed with its error.

    Example:
        >>> available_adapters()["inspyred"].origin
        'evohpo'
    """
    own = {root: Listed(root, "evohpo", "live objects") for root in registry.ADAPTERS}
    found = plugins.plugins("evohpo.adapters")
    return dict(sorted((own | {root: _adapter(root, points) for root, points in found.items()}).items()))


def _adapter(root: str, points: list[metadata.EntryPoint]) -> Listed:
    try:
        plugins.load(points, "the adapter for")
    except Exception as error:  # noqa: BLE001 - one broken plugin must not hide the others
        return Listed(root, plugins.origin(points[0]), error=str(error))
    return Listed(root, plugins.origin(points[0]), "live objects")
