"""A search space in the terms of the tuner that SageMaker has built in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.space import Categorical, Integer, Ordinal, Space, Static
from evohpo.space.sagemaker import TYPES, ranges_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MOST_RANGES = MOST_CHOICES = 30
LONGEST_CHOICE = 256  # characters


class Translation:
    """A space as the built-in tuner knows it: ranges of numbers, and lists of texts.

    Args:
        space: what is searched.
        encode: how the script expects a value, as text.
    """

    def __init__(self, space: Space, encode: Callable[[Any], str]) -> None:
        self.space, self._encode = space, encode
        searched = {name: space.parameters[name] for name in space.searched}
        listed = {n: p.options for n, p in searched.items() if isinstance(p, Categorical | Ordinal)}
        self._texts = {name: {encode(value): value for value in options} for name, options in listed.items()}
        self._twins = [name for name, options in listed.items() if len(self._texts[name]) < len(options)]
        self.static = {n: p.value for n, p in space.parameters.items() if isinstance(p, Static)}

    @property
    def ranges(self) -> dict[str, list[dict[str, Any]]]:
        """What the API calls ParameterRanges, of a space that is not refused."""
        return ranges_of(self.space, self._encode)[0]

    def params(self, tuned: Mapping[str, str]) -> dict[str, Any]:
        """Return a training job's hyperparameters in the space's own values."""
        values: dict[str, Any] = {}
        for name in self.space.searched:
            parameter, text = self.space.parameters[name], tuned[name]
            if name in self._texts:
                values[name] = self._texts[name].get(text, text)
            else:
                number = whole(text) if isinstance(parameter, Integer) else float(text)
                values[name] = min(max(number, parameter.low), parameter.high)  # the service may round at the ends
        return values

    def refused(self, strategy: str, trials: int) -> Iterator[str]:
        """Yield what of the space the tuner cannot search, a clause each."""
        space, grid = self.space, 1
        if space.conditions:
            yield f"knows no conditional parameters ({', '.join(space.conditions)})"
        if space.constraints:
            yield f"knows no constraints ({space.constraints[0].text})"
        if not 1 <= len(space.searched) <= MOST_RANGES:
            yield f"tunes 1 to {MOST_RANGES} parameters, not {len(space.searched)}"
        for name in space.searched:
            parameter = space.parameters[name]
            if name in self._texts:
                yield from self._refused_choices(name, len(parameter.options))
                grid *= len(parameter.options)
                continue
            if parameter.step != (1 if isinstance(parameter, Integer) else None):
                yield f"knows no steps: parameter {name!r} has step={parameter.step!r}; list its values in an Ordinal"
            if parameter.scale not in TYPES:
                yield f"knows no {parameter.scale} scale, which parameter {name!r} has"
            elif parameter.scale == "reverse_log" and isinstance(parameter, Integer):
                yield f"has a reverse logarithmic scale in [0, 1) only; parameter {name!r} is an Integer"
            if strategy == "Grid":
                yield f"makes a grid of listed values only, and parameter {name!r} is a range"
        if strategy == "Grid" and trials != grid:
            yield f"runs the whole grid: trials must be {grid}, not {trials}"

    def _refused_choices(self, name: str, n: int) -> Iterator[str]:
        if n == 1:
            yield f"tunes no parameter of one value: give {name!r} the plain value"
        if n > MOST_CHOICES:
            yield f"takes up to {MOST_CHOICES} values, and parameter {name!r} has {n}"
        if name in self._twins:
            yield f"sees two values of parameter {name!r} as the same text"
        if any(len(text) > LONGEST_CHOICE for text in self._texts[name]):
            yield f"takes values of up to {LONGEST_CHOICE} characters, and parameter {name!r} has a longer one"


def whole(text: str) -> int:
    """Return the whole number that a text stands for; the service may write it as 3.0."""
    return int(float(text))
