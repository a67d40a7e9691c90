"""Where values stand on an axis, and how the axis is labelled: log where the parameter is, categories by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import LARGEST, Floats
from evohpo.analysis.plots.frame import number, text
from evohpo.analysis.report.rows import shortened
from evohpo.space.parameters import Listed, plain
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from evohpo.space.parameters import Parameter
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

FORMAT = "~g"  # 0.001 and 100000, but 1e-7 and 1e+6
SHORT = 1e-4  # below it 1e-5 is easier to read than 0.00001
ROOMY = 1000  # letters: no need to save any
TICKS = 12  # labels of categories, at most
DECADES = 2.0  # orders of magnitude that the middle eight tenths of a positive metric span, for a log axis
FAR = 10.0  # so many times the middle nine tenths' range beyond them is far out
MANY, LIGHT = 3000, 1e30  # so many positions are kept as float32, up to so large ones
PAD = 0.06  # of an axis beyond its first and last point


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        name: the parameter's or metric's, as it is.
        log: whether positions are shown on a log scale.
        ticks: positions and escaped labels, where plotly is not to choose them.
        span: first and last position.
        room: that is wanted beyond both; half a category.
    """

    name: str
    log: bool
    ticks: tuple[list[float], list[str]] | None
    span: tuple[float, float]
    room: float = 0.0

    def scaled(self, positions: Floats) -> Floats:
        """Return positions as they are laid out: the exponents of ten on a log axis."""
        return np.log10(positions) if self.log else positions

    def layout(self, titled: bool = True, longest: int = 40, most: int = 7, letters: int = ROOMY) -> dict[str, Any]:
        """Return what plotly has to know of it.

        Args:
            titled: whether it has a title.
            longest: letters of the title.
            most: numbers on it, about.
            letters: of all labels together, where plotly does not choose them.
        """
        low, high = (math.log10(v) if self.log else v for v in self.span)
        pad = max(PAD * (high - low), self.room) or 0.5
        made: dict[str, Any] = {"type": "log" if self.log else "linear", "range": [low - pad, high + pad]}
        if titled:
            made["title"] = {"text": text(self.name, longest)}
        ticks = self._tiny(most) if self.log and self.span[0] < SHORT else self.ticks
        if ticks is not None:
            ticks = _thinned(*ticks, letters)
            made |= {"tickmode": "array", "tickvals": ticks[0], "ticktext": ticks[1]}
            made |= {"tickangle": 0} if letters < ROOMY else {}
        else:
            made |= {"tickformat": FORMAT, "nticks": self._labels(high - low + 2 * pad, most) if self.log else most}
        return made

    def _tiny(self, most: int) -> tuple[list[float], list[str]] | None:
        """Return powers of ten with short labels; None if there are not two."""
        first, last = math.ceil(math.log10(self.span[0]) - 1e-9), math.floor(math.log10(self.span[1]) + 1e-9)
        powers = [10.0**e for e in range(first, last + 1, max(1, -(-(last - first) // most)))]
        return (powers, [number(v) for v in powers]) if len(powers) > 1 else None

    @staticmethod
    def _labels(decades: float, most: int) -> int:
        """Return a number of labels at which plotly writes powers of ten, of few also twice and five times these."""
        return min(most, max(2, int(decades / 0.71))) if decades >= 2.3 else max(4, int(decades / 0.36))


def _thinned(at: list[float], labels: list[str], letters: int) -> tuple[list[float], list[str]]:
    """Return so many of the labels, evenly chosen, that they fit; each cut to half of the room."""
    plain = [shortened(unescape(label), max(letters // 2, 4)) for label in labels]
    step = next(s for s in range(1, len(at) + 1) if s == len(at) or sum(map(len, plain[::s])) <= letters)
    return at[::step], [text(label) for label in plain[::step]]


class ParameterAxis:
    """The axis of a parameter: `axis`, and `positions(values)` on it."""

    def __init__(self, name: str, parameter: Parameter) -> None:
        self._parameter = parameter
        scale = getattr(parameter, "scale", "linear")
        self.listed, self.warped = isinstance(parameter, Listed), scale in ("logit", "reverse_log")
        if isinstance(parameter, Listed):
            options = parameter.values_listed()
            self._places = {(type(v), v): float(i) for i, v in enumerate(options)}
            kept = range(0, len(options), -(-len(options) // TICKS))
            ticks = [float(i) for i in kept], [text(options[i], 16) for i in kept]
            self.axis = Axis(name, False, ticks, (0.0, float(len(options) - 1)), 0.5)
        elif self.warped:
            values, at = _spaced(parameter)
            self.axis = Axis(name, False, (at, [number(v) for v in values]), (0.0, 1.0))
        else:
            low, high = parameter.low, parameter.high  # type: ignore[attr-defined]  # Continuous or Integer
            self.axis = Axis(name, scale == "log", _whole_ticks(parameter), (float(low), float(high)))

    def positions(self, values: Iterable[Any]) -> Floats:
        """Return where values stand; NaN for what the axis does not know."""
        if self.listed:
            return np.array([self._places.get((type(v), v), np.nan) for v in map(plain, values)])
        if self.warped:
            return np.array([self._parameter.gene(v) for v in values])
        return np.array([float(v) for v in values])

    def of(self, trials: Iterable[Trial]) -> Floats:
        """Return where trials stand; NaN where the parameter does not apply to them."""
        name = self.axis.name
        given = [name in t.params for t in trials]
        where = np.full(len(given), np.nan)
        where[given] = self.positions(t.params[name] for t in trials if name in t.params)
        return where


def _whole_ticks(parameter: Any) -> tuple[list[float], list[str]] | None:
    """Return a tick a whole number, where there are few."""
    if parameter.scale == "linear" and isinstance(parameter.low, int) and parameter.size <= 8:
        values = parameter.values_listed()
        return [float(v) for v in values], [str(v) for v in values]
    return None


def _spaced(parameter: Any) -> tuple[list[Any], list[float]]:
    """Return values to label on a logit or reverse_log scale, such as 0.5, 0.9 and 0.99, and where they stand."""
    low, high = parameter.low, parameter.high
    tails = [10.0**-k for k in range(1, 9)]
    round_ones = [0.5, *(1 - t for t in tails), *(tails if parameter.scale == "logit" else []), 0.0]
    rest = parameter.levels(5) if isinstance(low, int) else [v for v in round_ones if low < v < high]
    kept: dict[float, Any] = {}
    for value in (low, high, *rest):
        at = parameter.gene(value)
        if all(abs(at - other) >= 0.16 for other in kept):
            kept[at] = value
    at = sorted(kept)
    return [kept[u] for u in at], at


def axis_of(study: Study, parameter: str) -> ParameterAxis:
    """Return the axis of a searched parameter."""
    return ParameterAxis(parameter, study.space.parameters[parameter])


def value_of(trial: Trial, metric: str) -> float:
    """Return a trial's metric, of huge values at most 1e100; NaN where there is no finite number."""
    value = as_number(trial.metrics.get(metric))
    return math.nan if value is None or not math.isfinite(value) else min(max(value, -LARGEST), LARGEST)


def values_of(trials: Iterable[Trial], metric: str) -> Floats:
    """Return `(n,)` values of a metric; NaN where there is no finite number."""
    return np.array([value_of(t, metric) for t in trials], float)


def metric_axis(metric: str, values: Sequence[float] | Floats) -> tuple[Axis, int]:
    """Return the axis of a metric, and how many values are beyond its ends: far from all others, they would hide them.

    It is a log axis for positive values most of which spread over two orders of magnitude or more.
    """
    y = np.asarray(values, float)
    y = y[np.isfinite(y)]
    if not len(y):
        return Axis(metric, False, None, (0.0, 1.0)), 0
    log = bool(y.min() > 0 and np.ptp(np.quantile(np.log10(y), [0.1, 0.9])) >= DECADES)
    z = np.log10(y) if log else y
    first, last = np.quantile(z, [0.05, 0.95])
    room = FAR * (last - first)
    inside = z[(z >= first - room) & (z <= last + room)] if room > 0 else z
    ends = float(inside.min()), float(inside.max())
    span = (10 ** ends[0], 10 ** ends[1]) if log else ends
    return Axis(metric, log, None, span), len(z) - len(inside)


def light(values: Floats) -> NDArray[Any]:
    """Return positions in half the memory where there are very many, and the eye would not tell."""
    known = values[np.isfinite(values)]
    if len(known) < MANY:
        return values
    largest = float(np.abs(known).max())
    return values.astype(np.float32) if largest < LIGHT and np.ptp(known) > largest / 1000 else values


def beyond(count: int) -> str:
    """Return the sentence about values that are not in view."""
    if not count:
        return ""
    return f"{count} far-out value{' is' if count == 1 else 's are'} out of view: double-click to see all."


def ticks(axis: Axis) -> tuple[list[float], list[str]]:
    """Return positions, on a log axis as exponents of ten, and their labels."""
    if axis.ticks is not None:
        return axis.ticks
    low, high = axis.span
    if axis.log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        step = max(1, -(-(last - first) // 6))
        values = [10.0**e for e in range(first, last + 1, step)]
        if len(values) < 2:
            values = [low, (low * high) ** 0.5, high]
        return [math.log10(v) for v in values], [number(v, 3) for v in values]
    values = _round_values(low, high)
    return values, [number(v, 6) for v in values]


def _round_values(low: float, high: float) -> list[float]:
    """Return about five round numbers in a range."""
    if high <= low:
        return [low]
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
