"""Which optimizers there are, and how whatever a user hands over becomes one.

Names are looked up among the registered ones (the decorator `optimizer`), the built-in ones (their modules are imported
when asked for) and the entry points of group `evohpo.optimizers`. Live objects of other libraries are handed to the
adapter of the package they come from, built-in or of entry-point group `evohpo.adapters`.
"""

from __future__ import annotations

import copy
import functools
import importlib
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from evohpo import plugins
from evohpo.errors import EvohpoError, OptimizerError, UnknownName, UsageError
from evohpo.optimizers import forms
from evohpo.optimizers.protocol import Optimizer, Problem, Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib import metadata

    import numpy as np

    from evohpo.space import Encoding

T = TypeVar("T")

BUILT_IN = {
    "random": "random", "sobol": "sobol", "grid": "grid", "ga": "ga", "ga-steady": "steady", "de": "de",
    "de-steady": "steady", "pso": "pso", "cmaes": "cmaes", "es": "cmaes", "paes": "paes", "nsga2": "nsga2", "sa": "sa",
    "nsga3": "nsga3", "moead": "moead", "mo-cmaes": "mocmaes", "eda": "eda", "dehb": "dehb", "pbt": "pbt",
    "islands": "islands", "tpe": "tpe", "bo": "bo.bo", "auto": "auto",
    **{f"inspyred.{name}": "inspyred" for name in ("ga", "es", "sa", "dea", "eda", "pso", "aco", "nsga2", "paes")},
}  # fmt: skip
ADAPTERS = {"inspyred": "evohpo.optimizers.inspyred:adapt"}

ACCEPTED = """an optimizer is one of
  - a registered name, see evohpo.available_optimizers()
  - a generator function (problem, rng, **options) that yields populations
  - a class with ask and tell, or a function (problem, rng, **options) that returns such an object
  - an object with ask and tell
  - a search function (evaluate, problem, rng, **options) that calls evaluate(X)
  - a live object of a library that has an adapter, e.g. inspyred.swarm.PSO(random.Random(1))
  - evohpo.use(one of these, **options)"""


@dataclass(frozen=True, slots=True)
class Registered:
    """An optimizer with a name.

    Attributes:
        name: what users type.
        target: what was registered: a generator function, a class, a search function or a factory.
        traits: what it declares of itself.
        origin: "evohpo", "plugin <distribution> <version>" or "<module>:<qualified name>".
        notes: what a study should tell its user once, e.g. a default that was replaced and why.
    """

    name: str
    target: Any
    traits: Traits
    origin: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """An optimizer together with the options it is to be started with; made by `use`."""

    target: Any
    options: Mapping[str, Any]
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """An optimizer ready to be started, whatever form it came in.

    Attributes:
        name: stable text for the journal and the table.
        target: what is started.
        traits: what it declares of itself.
        options: what the user gave.
        repaired: True if it is told snapped chromosomes (Lamarck) instead of its own (Baldwin).
        origin: distribution and version of the code it comes from, or "<module>:<qualified name>".
        rebuildable: True if `name` is enough to find it again.
        live: True if `target` is an object with a state, of which each start takes a copy.
        adapter: turns the live object of another library into something that can be started.
        notes: what a study should tell its user once.
    """

    name: str
    target: Any
    traits: Traits
    options: Mapping[str, Any]
    repaired: bool
    origin: str
    rebuildable: bool
    live: bool = False
    adapter: Callable[[Any], Registered | None] | None = None
    notes: tuple[str, ...] = ()

    def start(self, problem: Problem, rng: np.random.Generator) -> Optimizer:
        """Return a fresh optimizer for `problem` that draws from `rng`.

        Raises:
            UsageError: a live object that cannot be copied was started before.
            OptimizerError: it raised while it was made.
        """
        target = _private(self.target, self.name) if self.live else self.target
        if self.adapter is not None:
            adapted = self.adapter(target)
            assert adapted is not None  # it knew the original
            target = adapted.target
        # our own search functions draw from `rng` alone, and a swap costs more than a hand-over
        scoped = self.adapter is not None or (forms.is_search(target) and not self.origin.startswith("evohpo "))
        try:
            return forms.start(target, self.options, self.traits, self.name, problem, rng, scoped=scoped)
        except EvohpoError:
            raise
        except Exception as error:
            message = f"optimizer {self.name!r} could not be started, {type(error).__name__}: {error}"
            raise OptimizerError(message) from error


_registered: dict[str, Registered] = {}
_taken: list[Any] = []  # live objects in use that cannot be copied; told apart by identity, so they must stay alive


def optimizer(
    name: str,
    *,
    objectives: Literal["single", "multi"] = "single",
    constraints: bool = False,
    encoding: Encoding | None = None,
    fidelity: bool = False,
    told: Literal["fitness", "results"] = "fitness",
    finite: bool = False,
    reference: str = "",
    heirs: bool = False,
) -> Callable[[T], T]:
    """Register an optimizer under `name`; what is decorated stays as it is.

    Args:
        name: what users type.
        objectives: see `Traits`, like all that follow.
        constraints: it reads violations itself.
        encoding: the encoding it wants.
        fidelity: it wants the result of every rung.
        told: what `yield` gives back to a generator.
        finite: it ends by itself.
        reference: the paper or library it comes from.
        heirs: its trials go on from the folders of others.

    Raises:
        UsageError: somebody else registered the name. The same function or class, defined again as a notebook cell
            does, takes the place of the old one.

    Example:
        >>> @optimizer("doctest.corners")
        ... def corners(problem, rng, population=4):
        ...     while True:
        ...         yield rng.integers(0, 2, (population, problem.dim))
        >>> get("doctest.corners").target is corners
        True
    """
    traits = Traits(objectives, constraints, encoding, fidelity, told, finite, reference, heirs)

    def register(target: T) -> T:
        _add(Registered(name, target, traits, _origin(target)))
        return target

    return register


def _add(entry: Registered) -> None:
    other, address = _registered.get(entry.name), _address(entry.target)
    home = f"evohpo.optimizers.{BUILT_IN[entry.name]}:" if entry.name in BUILT_IN else ""
    if other is not None and _address(other.target) != address:
        raise UsageError(_taken_by(entry.name, other.origin, address))
    if other is None and not address.startswith(home):
        raise UsageError(_taken_by(entry.name, "evohpo", address))
    _registered[entry.name] = entry


def _taken_by(name: str, first: str, second: str) -> str:
    return f"optimizer {name!r} is already registered by {first}, and now by {second}: choose another name"


def _address(target: Any) -> str:
    """Return "<module>:<qualified name>" of a function or class, or of the class of anything else."""
    named = target if hasattr(target, "__qualname__") else getattr(target, "func", type(target))  # func: a partial's
    return f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', type(named).__qualname__)}"


def _origin(target: Any) -> str:
    address = _address(target)
    return "evohpo" if address.startswith("evohpo.") else address


def names() -> set[str]:
    """Return every name there is, whether or not what it stands for can be imported."""
    return {*_registered, *BUILT_IN, *plugins.plugins("evohpo.optimizers")}


def get(name: str) -> Registered:
    """Return the optimizer registered as `name`, importing its module or plugin if need be.

    Raises:
        UnknownName: nobody registered it; the message has the nearest names.
        UsageError: its plugin cannot be imported, or claims a name that is taken.
    """
    if name not in _registered and name in BUILT_IN:
        importlib.import_module(f"evohpo.optimizers.{BUILT_IN[name]}")
    if name in _registered:
        return _registered[name]
    found = plugins.plugins("evohpo.optimizers")
    if name not in found:
        raise UnknownName("optimizer", name, {*_registered, *BUILT_IN, *found})
    return _load(found[name])


def _load(points: list[metadata.EntryPoint]) -> Registered:
    target = plugins.load(points, "optimizer")
    known = _find(target)
    entry = Registered(points[0].name, target, known.traits if known else Traits(), plugins.origin(points[0]))
    _add(entry)
    return entry


def _find(target: Any) -> Registered | None:
    return next((entry for entry in _registered.values() if entry.target is target), None)


def use(target: Any, /, *, repaired: bool = False, **options: Any) -> Use:
    """Attach options to an optimizer of any form.

    Args:
        target: whatever `optimizer=` accepts, another `use` included: the options add up, later ones win.
        repaired: tell the optimizer the chromosomes as they were snapped to legal values (Lamarck) instead of its own.
        **options: arguments it is started with.

    Example:
        >>> use(use("pso", neighborhood_size=5), inertia=0.7)
        Use(target='pso', options={'neighborhood_size': 5, 'inertia': 0.7}, repaired=False)
    """
    if isinstance(target, Use):
        return Use(target.target, {**target.options, **options}, repaired or target.repaired)
    return Use(target, options, repaired)


def resolve(spec: Any) -> Resolved:
    """Return `spec` ready to be started; nothing runs yet.

    A live object has a state, so each start takes a copy of it. One that cannot be copied can be started once.

    Args:
        spec: a name, or an optimizer in any of its forms, or `use(...)` of these.

    Raises:
        UnknownName: nobody registered that name.
        UsageError: it is no optimizer, or has no such option, or needs an argument that nobody gives.
    """
    wanted = spec if isinstance(spec, Use) else Use(spec, {})
    target, adapter, named = wanted.target, None, False
    if isinstance(target, str):
        entry = get(target)
        named = True
    elif found := target if isinstance(target, Registered) else _find(target):
        entry, named = found, True
    elif (adapter := _adapter(target)) and (adapted := adapter(target)) is not None:
        entry = adapted
    else:
        adapter = None
        entry = Registered(_address(target), target, Traits(), _origin(target))
    if not forms.form(entry.target):
        raise UsageError(f"optimizer={target!r}: {ACCEPTED}")
    forms.check(entry.target, wanted.options, entry.name)
    # what is made of other optimizers declares what those need
    traits = entry.traits
    if hasattr(entry.target, "traits_with"):
        traits = entry.target.traits_with(traits, wanted.options)
    live = not named and not isinstance(target, (type, FunctionType, functools.partial))
    return Resolved(
        entry.name, target if adapter else entry.target, traits, wanted.options, wanted.repaired,
        _fingerprint(entry), named, live, adapter, entry.notes,
    )  # fmt: skip


def _adapter(target: Any) -> Callable[[Any], Registered | None] | None:
    """Return the adapter for a live object: of the package it or a base class comes from, or of its shape.

    Raises:
        UsageError: the library's plugin is not installed, or fails to import.
    """
    for root in plugins.roots(target):
        if root in ADAPTERS:
            module, _, name = ADAPTERS[root].partition(":")
            return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    if found := plugins.adapter(target, "evohpo.adapters", "the adapter for"):
        return found  # type: ignore[no-any-return]
    for root in plugins.roots(target):
        if root in plugins.EXTRAS:
            extra = plugins.EXTRAS[root]
            raise UsageError(
                f"optimizer={target!r} comes from {root}, whose adapter is not installed: pip install 'evohpo[{extra}]'"
            )
    from evohpo.optimizers import searchers  # it needs this module

    return searchers.adapt if searchers.is_searcher(target) else None


def _fingerprint(entry: Registered) -> str:
    """Return the distribution and version that `entry` comes from, as far as there is one."""
    if entry.origin == "evohpo":
        library = entry.name.partition(".")[0] if "." in entry.name else ""  # names are "<library>.<algorithm>"
        return _version("evohpo") + (f", {_version(library)}" if library else "")
    if entry.origin.startswith("plugin "):
        return entry.origin.removeprefix("plugin ")
    return _version(entry.origin.partition(":")[0].partition(".")[0]) or entry.origin


def _version(package: str) -> str:
    version = plugins.version(package)
    return f"{package} {version}" if version else ""


def _private(target: Any, name: str) -> Any:
    """Return a copy of a live object, so that studies that share it do not disturb each other.

    Raises:
        UsageError: it cannot be copied and was started before.
    """
    try:
        return copy.deepcopy(target)
    except Exception as error:
        if any(target is other for other in _taken):
            raise UsageError(
                f"optimizer {name!r} is a live object that is in use by another study and cannot be copied "
                f"({type(error).__name__}: {error}): make a new one for each study, or hand over its class"
            ) from error
        _taken.append(target)
        return target
