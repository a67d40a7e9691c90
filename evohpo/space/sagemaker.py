"""Ranges of Amazon SageMaker's tuner, read and written: those of its SDKs, by their looks, and those of its API.

The SDKs are not imported. What SageMaker calls a scaling type is a scale here; `Auto` is read as "log" where the range spans
a factor of 100 or more, as its tuner is advised to do, else as "linear".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalDefinition
from evohpo.space.numeric import Continuous, Integer
from evohpo.space.parameters import Categorical, Listed, Ordinal, Parameter, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.space.space import Space

SCALES = {"Linear": "linear", "Logarithmic": "log", "ReverseLogarithmic": "reverse_log"}
TYPES = {scale: name for name, scale in SCALES.items()}
WIDE = 100.0  # ratio of the bounds from which Auto means a log scale


def parameters_of(ranges: Mapping[str, Any], static: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that ranges and static hyperparameters mean, in their order; ranges win.

    Args:
        ranges: range objects by name; or the API's `ParameterRanges`.
        static: values by name, or objects with a `value`.

    Raises:
        IllegalDefinition: names the hyperparameter that is no range.
    """
    if any(name.endswith("ParameterRanges") for name in ranges):
        ranges = _of_api(ranges)
    fixed = {name: Static(getattr(value, "value", value)) for name, value in static.items() if name not in ranges}
    return fixed | {name: _parameter(name, given) for name, given in ranges.items()}


def _of_api(ranges: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in ranges.get("CategoricalParameterRanges", ()):
        found[entry["Name"]] = _categorical(entry["Values"])
    for kind, cast in (("Continuous", float), ("Integer", int)):
        for entry in ranges.get(f"{kind}ParameterRanges", ()):
            low, high = cast(float(entry["MinValue"])), cast(float(entry["MaxValue"]))
            found[entry["Name"]] = _numeric(entry["Name"], kind, low, high, entry.get("ScalingType", "Auto"))
    return found


def _parameter(name: str, given: Any) -> Any:
    if isinstance(given, Parameter):
        return given
    if hasattr(given, "min_value") and hasattr(given, "max_value"):
        kind = getattr(given, "__name__", type(given).__name__)
        return _numeric(name, kind, given.min_value, given.max_value, getattr(given, "scaling_type", "Auto"))
    if hasattr(given, "values") and not callable(given.values):
        return _categorical(given.values)
    if hasattr(given, "value"):
        return Static(given.value)
    raise IllegalDefinition(name, f"{given!r} is no range: it has neither min_value and max_value nor values")


def _numeric(name: str, kind: str, low: Any, high: Any, scaling: str) -> Any:
    if scaling != "Auto" and scaling not in SCALES:
        raise IllegalDefinition(name, f"scaling type {scaling!r}: must be Auto, {', '.join(SCALES)}")
    scale: Any = SCALES.get(scaling) or ("log" if low > 0 and high / low >= WIDE else "linear")
    return (
        Integer(int(low), int(high), scale=scale) if kind.startswith("Integer") else Continuous(low, high, scale=scale)
    )


def _categorical(values: Any) -> Categorical:
    """Return a choice. The SDKs make text of numbers; where all values are numbers, they are numbers again."""
    texts = list(values)
    if all(isinstance(text, str) for text in texts):
        for number in (int, float):
            try:
                numbers = [number(text) for text in texts]
            except ValueError:
                continue
            if len(set(numbers)) == len(texts):
                return Categorical(numbers)
    return Categorical(texts)


def ranges_of(space: Space, encode: Callable[[Any], str] = str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the API's `ParameterRanges` of a space, and its static hyperparameters.

    Args:
        space: the space.
        encode: makes text of the values of a choice.

    Raises:
        IllegalDefinition: names the first parameter that the tuner has no range for: a conditional one, one with a step or on
            a logit scale; or an input constraint.
    """
    if space.constraints:
        raise IllegalDefinition(None, f"SageMaker's tuner knows no constraint such as {space.constraints[0].text!r}")
    ranges: dict[str, list[dict[str, Any]]] = {
        f"{kind}ParameterRanges": [] for kind in ("Continuous", "Integer", "Categorical")
    }
    for name, parameter in space.parameters.items():
        if name in space.conditions:
            raise IllegalDefinition(name, "SageMaker's tuner knows no conditional parameters")
        if isinstance(parameter, Static):
            continue
        if isinstance(parameter, Listed):
            ranges["CategoricalParameterRanges"].append(
                {"Name": name, "Values": [encode(v) for v in parameter.options]}
            )
            continue
        kind = "Integer" if isinstance(parameter, Integer) else "Continuous"
        if parameter.scale not in TYPES:
            raise IllegalDefinition(name, f"SageMaker's tuner knows no {parameter.scale} scale")
        if parameter.step not in (None, 1):
            raise IllegalDefinition(name, f"SageMaker's tuner knows no steps ({parameter.step}); give Ordinal(values)")
        ranges[f"{kind}ParameterRanges"].append(
            {
                "Name": name,
                "MinValue": repr(parameter.low),
                "MaxValue": repr(parameter.high),
                "ScalingType": TYPES[parameter.scale],
            }
        )
    static = {name: parameter.value for name, parameter in space.parameters.items() if isinstance(parameter, Static)}
    return {kind: entries for kind, entries in ranges.items() if entries}, static


def objects_of(space: Space, kinds: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return range objects by name, made with the classes in `kinds`, and static hyperparameters; see `ranges_of`.

    Args:
        space: the space.
        kinds: what has `ContinuousParameter`, `IntegerParameter` and `CategoricalParameter`, such as `sagemaker.tuner`.
    """
    _, static = ranges_of(space)
    objects: dict[str, Any] = {}
    for name in space.searched:
        parameter = space.parameters[name]
        if isinstance(parameter, Categorical | Ordinal):
            objects[name] = kinds.CategoricalParameter(list(parameter.options))
        else:
            kind = kinds.IntegerParameter if isinstance(parameter, Integer) else kinds.ContinuousParameter
            objects[name] = kind(parameter.low, parameter.high, scaling_type=TYPES[parameter.scale])
    return objects, static
