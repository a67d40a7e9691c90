"""The search space: parameters in order, conditions among them, and constraints on them all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import IllegalDefinition, IllegalValue, UnknownName, UsageError
from evohpo.space import conditions
from evohpo.space.encodings import Codec, Real
from evohpo.space.expressions import Expression
from evohpo.space.parameters import Categorical, Continuous, Integer, Ordinal, Parameter, Static, Values
from evohpo.space.repair import Repair
from evohpo.space.scales import Array

KINDS = {"continuous": Continuous, "integer": Integer, "categorical": Categorical, "ordinal": Ordinal, "static": Static}
LARGEST_GRID = 1_000_000  # points
ABSENT: Any = type(
    "Absent", (), {"__repr__": lambda _: "absent"}
)()  # marks an inactive parameter in a row and in a key

Config = dict[str, Any]


class Space:
    """A search space.

    Args:
        parameters: names and what they stand for; any plain value is a `Static` parameter.
        constraints: expressions that every configuration must satisfy, such as "hidden_2 <= hidden_1". One that mentions
            a parameter that does not apply is satisfied.

    Attributes:
        parameters: the parameters in order, in canonical form.
        constraints: the parsed constraints.
        names: names of all parameters, in order.
        searched: names of those that are not static.
        conditions: by name of a conditional parameter, the expression under which it applies.

    Raises:
        IllegalDefinition: a parameter, condition or constraint that cannot be; names the parameter.

    Example:
        >>> space = Space({
        ...     "learning_rate": Continuous(1e-4, 1e-1, scale="log"),
        ...     "solver": Categorical(["sgd", "adam"]),
        ...     "momentum": Continuous(0.0, 0.99, when={"solver": "sgd"}),
        ...     "seed": 100,
        ... })
        >>> space.complete({"solver": "adam"})
        {'learning_rate': 0.00316227766017, 'solver': 'adam', 'seed': 100}
    """

    def __init__(self, parameters: Mapping[str, Any], constraints: Iterable[str] = ()) -> None:
        if not isinstance(parameters, Mapping) or not parameters:
            raise IllegalDefinition(None, f"a space is made of a dict of names and parameters, not {parameters!r}")
        self.parameters: dict[str, Any] = {}
        self.conditions: dict[str, Expression] = {}
        for name, given in parameters.items():
            self.parameters[_name(name)] = _parameter(name, given)
        self.names = tuple(self.parameters)
        self.searched = tuple(n for n, p in self.parameters.items() if not isinstance(p, Static))
        for name in self.searched:
            self._add_condition(name)
        texts = [constraints] if isinstance(constraints, str) else constraints
        self.constraints = tuple(self._constraint(text) for text in texts)
        self._static = {n: p.value for n, p in self.parameters.items() if isinstance(p, Static)}
        self._real: Codec = Real().bind(self)
        self._repair = Repair(self)
        if self.constraints:
            self._repair.pool(self._real)  # says now if the constraints leave nothing

    def _add_condition(self, name: str) -> None:
        parameter = self.parameters[name]
        before = self.names[: self.names.index(name)]
        try:
            text = conditions.expression(parameter.when)
            if text is None:
                return
            condition = Expression.parse(text)
        except IllegalDefinition as error:
            raise IllegalDefinition(name, f"when: {error.reason}") from None
        for parent in condition.names:
            if parent not in before:
                what = (
                    "comes later; put it first"
                    if parent in self.names
                    else f"is unknown; before it come {', '.join(before) or 'none'}"
                )
                raise IllegalDefinition(name, f"when={text!r}: {parent!r} {what}")
        self._try(condition, name, "when")
        self.conditions[name] = condition
        if not self._possible(condition):
            raise IllegalDefinition(name, f"when={text!r}: never true for the values its parents can take")

    def _possible(self, condition: Expression) -> bool:
        """Whether some values of the parents meet a condition; not decided where there are too many."""
        levels = [self._parent_levels(n) for n in condition.names]
        if math.prod(len(v) for v in levels) > 20_000:
            return True
        grid = np.array(np.meshgrid(*[np.arange(len(v)) for v in levels], indexing="ij")).reshape(len(levels), -1)
        columns = {}
        for n, values, index in zip(condition.names, levels, grid, strict=True):
            table = (
                np.array(values)
                if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
                else _objects(values)
            )
            columns[n] = table[index]
        return bool(np.any(condition(columns)))

    def _parent_levels(self, name: str) -> list[Any]:
        parameter = self.parameters[name]
        return [parameter.value] if isinstance(parameter, Static) else parameter.levels(101)

    def _try(self, expression: Expression, name: str | None, what: str) -> None:
        """Evaluate once on ordinary values, so that comparing text with numbers is found now."""
        values = {n: p.value if isinstance(p, Static) else p.middle() for n, p in self.parameters.items()}
        try:
            with np.errstate(all="ignore"):
                expression(values)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
            raise IllegalDefinition(name, f"{what} {expression.text!r}: cannot be computed ({error})") from None

    def _constraint(self, text: str) -> Expression:
        try:
            expression = Expression.parse(text, self.names)
        except UnknownName as error:
            raise IllegalDefinition(None, f"constraint {error}") from None
        self._try(expression, None, "constraint")
        return expression

    # ---- columns: everything vectorised works on these

    def columns(self, U: Array) -> tuple[dict[str, Values], dict[str, NDArray[np.bool_]]]:
        """Return a column of values a searched parameter, and for conditional ones where they apply.

        Args:
            U: `(n, len(searched))` genes in [0, 1], one a searched parameter.
        """
        columns: dict[str, Values] = {n: self.parameters[n].read(U[:, i]) for i, n in enumerate(self.searched)}
        active: dict[str, NDArray[np.bool_]] = {}
        for name, condition in self.conditions.items():
            holds = np.broadcast_to(np.asarray(condition({**self._static, **columns}), bool), len(U))
            for parent in condition.names:
                if parent in active:
                    holds = holds & active[parent]
            active[name] = holds
        return columns, active

    def rows(self, columns: Mapping[str, Values], active: Mapping[str, NDArray[np.bool_]], n: int) -> list[Config]:
        """Return the configurations that columns hold."""
        lists: list[Any] = []
        for name in self.names:
            if name in self._static:
                lists.append([self._static[name]] * n)
                continue
            values = columns[name].tolist()
            if name in active and not active[name].all():
                values = [v if a else ABSENT for v, a in zip(values, active[name].tolist(), strict=True)]
            lists.append(values)
        names = self.names
        if any(not mask.all() for mask in active.values()):
            return [
                {k: v for k, v in zip(names, row, strict=True) if v is not ABSENT} for row in zip(*lists, strict=True)
            ]
        return [dict(zip(names, row)) for row in zip(*lists)]  # noqa: B905 - all of one length, and this is the hot path

    def satisfied(self, U: Array) -> NDArray[np.bool_]:
        """Return `(n, constraints)`: which constraints the configurations at genes `U` satisfy."""
        columns, active = self.columns(U)
        values = {**self._static, **columns}
        ok = np.ones((len(U), len(self.constraints)), bool)
        with np.errstate(all="ignore"):
            for j, constraint in enumerate(self.constraints):
                holds = np.broadcast_to(np.asarray(constraint(values), bool), len(U))
                for name in constraint.names:
                    if name in active:
                        holds = holds | ~active[name]
                ok[:, j] = holds
        return ok

    # ---- configurations

    def sample(self, n: int, rng: np.random.Generator) -> list[Config]:
        """Return `n` legal configurations, uniform on the genes within what the constraints leave.

        Where the constraints leave so little that rejection finds nothing, points are repaired instead.
        """
        dim = len(self.searched)
        U = rng.random((n, dim))
        for _ in range(200):
            if not self.constraints or not len(bad := np.flatnonzero(~self.satisfied(U).all(1))):
                break
            U[bad] = rng.random((len(bad), dim))
        return self.decode(self.repair(U)[0])

    def decode(self, X: Array) -> list[Config]:
        """Return the configurations of chromosomes `(n, dim)` in the `Real` encoding."""
        return self._real.decode(X)

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """Return the chromosomes `(n, dim)` of configurations in the `Real` encoding; inactive genes are 0.5."""
        return self._real.encode(configs)

    def repair(self, X: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return chromosomes in the `Real` encoding that satisfy the constraints, and which rows had to change."""
        return self._real.repair(X)

    def default(self) -> Config:
        """Return the defaults, mid-points where there are none; repaired if the constraints forbid them."""
        return self.complete({})

    def complete(self, partial: Mapping[str, Any]) -> Config:
        """Return `partial` with what is missing by default, else by mid-point (on its scale; of categories, the first).

        Where that breaks a constraint, the missing values move, never the given ones.

        Raises:
            IllegalValue: an unknown, illegal or inactive parameter, or given values that no completion makes legal.
        """
        self._check_names(partial)
        given = {n: self._canonical(n, v) for n, v in partial.items()}
        config: Config = {}
        for name, parameter in self.parameters.items():
            if not self._applies(name, config):
                if name in given:
                    raise IllegalValue(
                        name, given[name], f"does not apply: it is there only when {self.conditions[name].text}"
                    )
            elif name in self._static:
                config[name] = parameter.value
            else:
                config[name] = given[name] if name in given else parameter.middle()
        if not self.feasible(config):
            fixed = np.array([n in given for n in self.searched])
            repaired = self._repair.row(self._real.unit([config])[0], fixed)
            if repaired is None:
                raise IllegalValue(*self._broken(config))
            config = self.rows(*self.columns(repaired[None]), 1)[0] | {n: v for n, v in given.items() if n in config}
            if not self.feasible(config):
                raise IllegalValue(*self._broken(config))
        return config

    def validate(self, config: Mapping[str, Any]) -> Config:
        """Return `config` in canonical form: order and types of the space, static values included.

        Raises:
            IllegalValue: a missing, unknown, inactive or illegal value, or a broken constraint.
        """
        self._check_names(config)
        legal: Config = {}
        for name, parameter in self.parameters.items():
            if not self._applies(name, legal):
                if name in config:
                    raise IllegalValue(
                        name, config[name], f"does not apply: it is there only when {self.conditions[name].text}"
                    )
            elif name in self._static:
                if name in config and config[name] != parameter.value:
                    raise IllegalValue(name, config[name], f"is static, {parameter.value!r}")
                legal[name] = parameter.value
            elif name not in config:
                raise IllegalValue(name, None, "is missing")
            else:
                legal[name] = self._canonical(name, config[name])
        if not self.feasible(legal):
            raise IllegalValue(*self._broken(legal))
        return legal

    def feasible(self, config: Mapping[str, Any]) -> bool:
        """Return whether a configuration satisfies the constraints."""
        return all(self._holds(c, config) for c in self.constraints)

    def key(self, config: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what tells configurations apart: equal for equal ones, hashable."""
        return tuple([config.get(name, ABSENT) for name in self.searched])

    def grid(self, resolution: int | Mapping[str, int] = 10) -> list[Config]:
        """Return all distinct legal configurations of `resolution` levels a parameter, both ends included; of categories, all.

        Args:
            resolution: levels of parameters that have more, one number for all or by name (10 where not named).

        Raises:
            UsageError: that would be more than a million configurations.
        """
        each = resolution if isinstance(resolution, Mapping) else dict.fromkeys(self.searched, resolution)
        levels = {n: self.parameters[n].levels(each.get(n, 10)) for n in self.searched}
        count = math.prod(map(len, levels.values()))
        if count > LARGEST_GRID:
            raise UsageError(
                f"a grid of {count:,} configurations is too large; take a smaller resolution than {resolution!r}"
            )
        configs: list[Config] = [{}]
        for name in self.names:
            values = levels.get(name, [self._static.get(name)])
            configs = [
                c | {name: v} if self._applies(name, c) else c
                for c in configs
                for v in (values if self._applies(name, c) else [None])
            ]
        return [c for c in configs if self.feasible(c)]

    @property
    def size(self) -> float:
        """How many configurations there are, math.inf with a continuous parameter; constraints are not considered.

        With conditions it is exact up to 100,000 combinations, an upper bound beyond.
        """
        count = math.prod(self.parameters[n].size for n in self.searched)
        if not self.conditions or count > 100_000:
            return count if count == math.inf else int(count)
        configs: list[Config] = [{}]
        for name in self.searched:
            levels = self.parameters[name].levels(100_000)
            configs = [{**c, name: v} for c in configs for v in (levels if self._applies(name, c) else [ABSENT])]
        return len(configs)

    # ---- text

    def to_json(self) -> str:
        """Return the definition as JSON; `from_json` makes an equal space of it."""
        parameters = {}
        for name, parameter in self.parameters.items():
            kind = next(k for k, c in KINDS.items() if type(parameter) is c)
            fields = {f: getattr(parameter, f) for f in parameter.__dataclass_fields__}
            defaults = {f: d.default for f, d in parameter.__dataclass_fields__.items()}
            if name in self.conditions:
                fields["when"] = self.conditions[name].text
            parameters[name] = {"type": kind} | {
                f: v for f, v in fields.items() if isinstance(parameter, Static) or v != defaults[f]
            }
        return json.dumps({"parameters": parameters, "constraints": [c.text for c in self.constraints]})

    @classmethod
    def from_json(cls, text: str) -> Space:
        """Make a space of its JSON definition.

        Raises:
            IllegalDefinition: it is no JSON, or no definition of a space.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise IllegalDefinition(None, f"not JSON: {error}") from None
        if not isinstance(data, dict) or not isinstance(data.get("parameters"), dict):
            raise IllegalDefinition(None, 'a space in JSON is {"parameters": {...}, "constraints": [...]}')
        return cls(
            {n: _from_fields(n, fields) for n, fields in data["parameters"].items()}, data.get("constraints", ())
        )

    @classmethod
    def from_distributions(cls, distributions: Mapping[str, Any], constraints: Iterable[str] = ()) -> Space:
        """Make a space of lists and frozen SciPy distributions, as scikit-learn's searches take them."""
        from evohpo.space.distributions import parameter_of

        return cls({name: parameter_of(name, given) for name, given in distributions.items()}, constraints)

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __contains__(self, name: object) -> bool:
        return name in self.parameters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # compared by value

    def __repr__(self) -> str:
        lines = []
        for name, p in self.parameters.items():
            if isinstance(p, Static):
                lines.append(f"    {name!r}: {p.value!r},")
                continue
            fields = {
                f: getattr(p, f) for f in p.__dataclass_fields__ if getattr(p, f) != p.__dataclass_fields__[f].default
            }
            lines.append(f"    {name!r}: {type(p).__name__}({', '.join(f'{f}={v!r}' for f, v in fields.items())}),")
        tail = f", constraints={[c.text for c in self.constraints]!r}" if self.constraints else ""
        return "\n".join(["Space({", *lines, "}" + tail + ")"])

    # ---- within

    def _check_names(self, config: Mapping[str, Any]) -> None:
        for name in config:
            if name not in self.parameters:
                raise IllegalValue(str(name), config[name], str(UnknownName("parameter", str(name), self.names)))

    def _canonical(self, name: str, value: Any) -> Any:
        parameter: Parameter = self.parameters[name]
        if isinstance(parameter, Static):
            if value != parameter.value:
                raise IllegalValue(name, value, f"is static, {parameter.value!r}")
            return parameter.value
        try:
            return parameter.canonical(value)
        except ValueError as error:
            raise IllegalValue(name, value, str(error)) from None

    def _applies(self, name: str, config: Mapping[str, Any]) -> bool:
        return name not in self.conditions or self._holds(self.conditions[name], config, absent=False)

    def _holds(self, expression: Expression, config: Mapping[str, Any], absent: bool = True) -> bool:
        values = {n: config.get(n, ABSENT) for n in expression.names}
        if any(v is ABSENT for v in values.values()):
            return absent
        with np.errstate(all="ignore"):
            return bool(expression(values))

    def _broken(self, config: Mapping[str, Any]) -> tuple[str, Any, str]:
        """Return name, value and reason for the first constraint that does not hold."""
        broken = next(c for c in self.constraints if not self._holds(c, config))
        values = ", ".join(f"{n} = {config[n]!r}" for n in broken.names)
        return broken.names[0], config[broken.names[0]], f"breaks the constraint {broken.text!r} ({values})"


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name or "`" in name:
        raise IllegalDefinition(str(name), "a parameter's name is text that is not empty")
    return name


def _parameter(name: str, given: Any) -> Any:
    if isinstance(given, Parameter):
        return given.checked(name)
    if isinstance(given, list | tuple | set | frozenset | range | np.ndarray):
        raise IllegalDefinition(
            name,
            f"a plain {type(given).__name__}: write Categorical({list(given)!r}) to choose, or Static(...) to hand it through",
        )
    return Static(given).checked(name)


def _from_fields(name: str, fields: Any) -> Any:
    """Return the parameter that a dict of fields with a type describes; anything else is a plain value."""
    if not isinstance(fields, dict) or "type" not in fields:
        return fields
    arguments = {k: v for k, v in fields.items() if k != "type"}
    kind = KINDS.get(fields["type"])
    if kind is None:
        raise IllegalDefinition(name, str(UnknownName("type", str(fields["type"]), KINDS)))
    known = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    for field in arguments:
        if field not in known:
            raise IllegalDefinition(name, str(UnknownName(f"field of {fields['type']}", field, known)))
    try:
        return kind(**arguments)
    except TypeError as error:
        raise IllegalDefinition(name, str(error).replace("__init__()", fields["type"])) from None


def _objects(values: list[Any]) -> Values:
    table = np.empty(len(values), object)
    table[:] = values
    return table
