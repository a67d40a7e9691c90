"""The search space: parameters in order, conditions among them, and constraints on them all."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalDefinition, IllegalValue, UnknownName
from evohpo.space import checks, conditions, counting, text
from evohpo.space.encodings import Codec, Real
from evohpo.space.expressions import Expression
from evohpo.space.parameters import Listed, Parameter, Static, plain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from evohpo.space.parameters import Values
    from evohpo.space.scales import Array

Config = dict[str, Any]


class _Absent:
    def __repr__(self) -> str:
        return "absent"

    def __reduce__(self) -> str:
        return "ABSENT"  # one object, copied and pickled too


ABSENT: Any = _Absent()  # marks a parameter that does not apply, in a row and in a key


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
        >>> from evohpo.space import Categorical, Continuous
        >>> space = Space({
        ...     "learning_rate": Continuous(1e-4, 1e-1, scale="log"),
        ...     "solver": Categorical(["sgd", "adam"]),
        ...     "momentum": Continuous(0.0, 0.99, when={"solver": "sgd"}),
        ...     "seed": 100,
        ... })
        >>> space.complete({"solver": "adam"})
        {'learning_rate': 0.003162277660168, 'solver': 'adam', 'seed': 100}
    """

    def __init__(self, parameters: Mapping[str, Any], constraints: Iterable[str] = ()) -> None:
        if not isinstance(parameters, Mapping) or not parameters:
            raise IllegalDefinition(None, f"a space is made of a dict of names and parameters, not {parameters!r}")
        self.parameters: dict[str, Any] = {}
        self.conditions: dict[str, Expression] = {}
        for name, given in parameters.items():
            self.parameters[checks.legal_name(name)] = checks.parameter(name, given)
        self.names = tuple(self.parameters)
        self.searched = tuple(n for n, p in self.parameters.items() if not isinstance(p, Static))
        self._static = {n: p.value for n, p in self.parameters.items() if isinstance(p, Static)}
        before: dict[str, Any] = {}
        for name in self.names:
            before[name] = self.parameters[name] = self._with_condition(name, before)
        texts = [constraints] if isinstance(constraints, str) else constraints or ()
        self.constraints = tuple(self._constraint(text) for text in texts)
        self._twins = tuple(n for n in self.searched if _has_twins(self.parameters[n]))
        self._real: Codec = Real().bind(self)
        if self.constraints:
            self._real.repairer.pool()  # says now if the constraints leave nothing

    def _with_condition(self, name: str, before: Mapping[str, Any]) -> Any:
        """Return a parameter with its condition, on those before it, checked and as text."""
        parameter = self.parameters[name]
        try:
            text = conditions.expression(parameter.when)
            if text is None:
                return parameter
            condition = Expression.parse(text)
            for parent in condition.names:
                if parent not in before:
                    late = "comes later; put it first" if parent in self.parameters else _unknown(parent, before)
                    raise IllegalDefinition(None, f"{text!r}: {parent!r} {'is itself' if parent == name else late}")
            checks.computable(condition, before, "expression")
            if checks.never(condition, before):
                raise IllegalDefinition(None, f"{text!r}: never true for the values its parents can take")
        except IllegalDefinition as error:
            raise IllegalDefinition(name, f"when: {error.reason}") from None
        self.conditions[name] = condition
        return dataclasses.replace(parameter, when=text)

    def _constraint(self, text: str) -> Expression:
        try:
            expression = Expression.parse(text, self.names)
        except UnknownName as error:
            raise IllegalDefinition(None, f"constraint: {error}") from None
        checks.computable(expression, self.parameters, "constraint")
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
            values = [self._still(name) for _ in range(n)] if name in self._static else columns[name].tolist()
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

    def decode(self, X: ArrayLike) -> list[Config]:
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
        config = self.usual(given)
        if not self.feasible(config):
            fixed = np.array([n in given for n in self.searched], bool)
            repaired = self._real.repairer.around(self._real.unit([config])[0], fixed)
            if repaired is None:
                raise IllegalValue(*self._broken(config))
            config = self.rows(*self.columns(repaired[None]), 1)[0]
        return config

    def usual(self, given: Mapping[str, Any]) -> Config:
        """Return `given`, canonical values, with defaults and mid-points for the rest; constraints are not looked at.

        Raises:
            IllegalValue: a given value that does not apply.
        """
        config: Config = {}
        for name, parameter in self.parameters.items():
            if not self._applies(name, config):
                if name in given:
                    raise self._not_there(name, given[name])
            elif name in self._static:
                config[name] = self._still(name)
            else:
                config[name] = given[name] if name in given else parameter.middle()
        return config

    def validate(self, config: Mapping[str, Any]) -> Config:
        """Return `config` in canonical form: order and types of the space, static values included.

        Raises:
            IllegalValue: a missing, unknown, inactive or illegal value, or a broken constraint.
        """
        legal = self.narrowed(config)
        for name in config:
            if name not in legal:
                raise self._not_there(name, config[name])
        if not self.feasible(legal):
            raise IllegalValue(*self._broken(legal))
        return legal

    def narrowed(self, config: Mapping[str, Any]) -> Config:
        """Return a configuration in canonical form without what does not apply in it; constraints are not looked at.

        For algorithms that know no conditions and give every parameter a value.

        Raises:
            IllegalValue: a missing, unknown or illegal value.
        """
        self._check_names(config)
        legal: Config = {}
        for name, parameter in self.parameters.items():
            if not self._applies(name, legal):
                continue
            if name in config:
                legal[name] = self._canonical(name, config[name])
            elif isinstance(parameter, Static):
                legal[name] = self._still(name)
            else:
                raise IllegalValue(name, None, "is missing")
        return legal

    def feasible(self, config: Mapping[str, Any]) -> bool:
        """Return whether a configuration satisfies the constraints."""
        return all(self._holds(c, config) for c in self.constraints)

    def key(self, config: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what tells configurations apart: equal for equal ones, hashable."""
        values = [config.get(name, ABSENT) for name in self.searched]
        return tuple(values + [type(config.get(name)) for name in self._twins])

    def grid(self, resolution: int | Mapping[str, int] = 10) -> list[Config]:
        """Return all distinct legal configurations of `resolution` levels a parameter, both ends included; of categories, all.

        Args:
            resolution: levels of parameters that have more, one number for all or by name (10 where not named).

        Raises:
            UsageError: that would be more than a million configurations.
        """
        return counting.grid(self, resolution)

    @property
    def size(self) -> float:
        """How many configurations there are, math.inf with a continuous parameter; constraints are not considered.

        An int. With conditions it is exact up to 100,000 combinations of the parameters they mention, an upper bound beyond.
        """
        return counting.size(self)

    # ---- text

    def to_json(self) -> str:
        """Return the definition as JSON; `from_json` makes an equal space of it."""
        return text.to_json(self)

    @classmethod
    def from_json(cls, definition: str) -> Space:
        """Make a space of its JSON definition.

        Raises:
            IllegalDefinition: it is no JSON, or no definition of a space.
        """
        return cls(*text.from_json(definition))

    @classmethod
    def from_distributions(cls, distributions: Mapping[str, Any], constraints: Iterable[str] = ()) -> Space:
        """Make a space of lists and frozen SciPy distributions, as scikit-learn's searches take them.

        Raises:
            IllegalDefinition: a distribution without bounds, or whatever a space refuses.

        Example:
            >>> Space.from_distributions({"max_depth": [3, 5, None], "batch_size": [32, 64, 128], "seed": 1})
            Space({
                'max_depth': Categorical(choices=[3, 5, None]),
                'batch_size': Ordinal(values=[32, 64, 128]),
                'seed': 1,
            })
        """
        from evohpo.space.distributions import parameter_of

        if not isinstance(distributions, Mapping):
            raise IllegalDefinition(None, f"distributions are a dict of names and lists or such, not {distributions!r}")
        return cls({name: parameter_of(str(name), given) for name, given in distributions.items()}, constraints)

    @classmethod
    def from_sagemaker(
        cls, hyperparameter_ranges: Mapping[str, Any], static: Mapping[str, Any] | None = None,
        constraints: Iterable[str] = (),
    ) -> Space:  # fmt: skip
        """Make a space of the ranges that SageMaker's own tuner takes: objects of its SDK 2 or 3, or the API's dict.

        Args:
            hyperparameter_ranges: ranges by name, or the API's `ParameterRanges`. Numbers among the choices are numbers
                again, where the SDK made text of them; the scaling type Auto is "log" from a factor of 100 on.
            static: hyperparameters that are not searched.
            constraints: expressions that every configuration must satisfy.

        Raises:
            IllegalDefinition: something that is no range, or whatever a space refuses.
        """
        from evohpo.space.sagemaker import parameters_of

        return cls(parameters_of(hyperparameter_ranges, static or {}), constraints)

    def to_sagemaker(self, kinds: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return ranges and static hyperparameters as SageMaker's own tuner takes them; `from_sagemaker` reads them back.

        Args:
            kinds: what has the classes `ContinuousParameter`, `IntegerParameter` and `CategoricalParameter`, such as
                `sagemaker.tuner` (SDK 2) or `sagemaker.core.parameter` (SDK 3); None for the API's `ParameterRanges`.

        Raises:
            IllegalDefinition: what that tuner has no range for: conditions, constraints, steps, logit scales.
        """
        from evohpo.space.sagemaker import objects_of, ranges_of

        return ranges_of(self) if kinds is None else objects_of(self, kinds)

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
        return text.show(self)

    # ---- within

    def _check_names(self, config: Mapping[str, Any]) -> None:
        if not isinstance(config, Mapping):
            raise IllegalValue("configuration", config, "must be a dict of names and values")
        for name in config:
            if name not in self.parameters:
                raise IllegalValue(str(name), config[name], str(UnknownName("parameter", str(name), self.names)))

    def _canonical(self, name: str, value: Any) -> Any:
        parameter: Parameter = self.parameters[name]
        if isinstance(parameter, Static):
            if (value.tolist() if isinstance(value, np.ndarray) else plain(value)) != parameter.value:
                raise IllegalValue(name, value, f"is static, {parameter.value!r}")
            return self._still(name)
        try:
            return parameter.canonical(value)
        except ValueError as error:
            raise IllegalValue(name, value, str(error)) from None

    def _still(self, name: str) -> Any:
        """Return a static value; of lists and dicts a copy, so that no trial can change them for the others."""
        value = self._static[name]
        return copy.deepcopy(value) if isinstance(value, list | dict) else value

    def _not_there(self, name: str, value: Any) -> IllegalValue:
        return IllegalValue(name, value, f"does not apply: it is there only when {self.conditions[name].text}")

    def _applies(self, name: str, config: Mapping[str, Any]) -> bool:
        return name not in self.conditions or self._holds(self.conditions[name], config, absent=False)

    def _holds(self, expression: Expression, config: Mapping[str, Any], absent: bool = True) -> bool:
        values = {n: config.get(n, ABSENT) for n in expression.names}
        if any(v is ABSENT for v in values.values()):
            return absent
        return bool(expression(values))

    def _broken(self, config: Mapping[str, Any]) -> tuple[str, Any, str]:
        """Return name, value and reason for the first constraint that does not hold."""
        broken = next(c for c in self.constraints if not self._holds(c, config))
        values = ", ".join(f"{n} = {config[n]!r}" for n in broken.names)
        return broken.names[0], config[broken.names[0]], f"breaks the constraint {broken.text!r} ({values})"


def _unknown(parent: str, before: Mapping[str, Any]) -> str:
    return (
        f"is unknown: {UnknownName('parameter', parent, before)}" if before else "is unknown: nothing comes before it"
    )


def _has_twins(parameter: Parameter) -> bool:
    """Whether some values differ in nothing but their type, as 1 and 1.0 do."""
    return isinstance(parameter, Listed) and len(set(parameter.options)) < len(parameter.options)
