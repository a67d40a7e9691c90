"""How a number's range is laid out on the unit interval, and how results are rounded so that they come back exactly."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["linear", "log", "logit", "reverse_log"]
SCALES: tuple[str, ...] = get_args(Scale)
DIGITS = 13  # of a float's 16: enough to tune anything, few enough that a value survives the way through its gene
EPS = 2.0**-52
EXACT = 22  # powers of ten up to here are exact floats, so that scaling by them rounds correctly
POWERS = np.array([float(f"1e{k}") for k in range(EXACT + 1)])


def trouble(scale: str, low: float, high: float) -> str:
    """Return why the range does not fit the scale, or ""."""
    if scale not in SCALES:
        return f"scale={scale!r}: must be one of {', '.join(map(repr, SCALES))}"
    if scale == "log" and low <= 0:
        return f"a log scale needs low > 0, not {low!r}"
    if scale == "logit" and not (low > 0 and high < 1):
        return f"a logit scale needs 0 < low and high < 1, not [{low!r}, {high!r}]"
    if scale == "reverse_log" and not (low >= 0 and high < 1):
        return f"a reverse_log scale needs 0 <= low and high < 1, not [{low!r}, {high!r}]"
    return ""


def warp(scale: str, x: float) -> float:
    """Return where `x` is on the scale's axis."""
    if scale == "log":
        return math.log(x)
    if scale == "logit":
        return math.log(x) - math.log1p(-x)
    if scale == "reverse_log":
        return -math.log1p(-x)
    return x


def unwarp(scale: str, t: Array) -> Array:
    """Return the numbers at `t` on the scale's axis."""
    if scale == "log":
        return np.exp(t)
    if scale == "logit":
        return 1 / (1 + np.exp(-t))
    if scale == "reverse_log":
        return -np.expm1(-t)
    return t


def precision(scale: str, low: float, high: float) -> tuple[bool, int]:
    """Return whether values are rounded to significant digits (else to decimals), and to how many.

    13 digits, of the span or of each value, more for narrow ranges; fewer where the way value, gene, value loses more
    than that (11 significant ones for a log scale from 1e-300 to 1e300). Half a unit of the last one always exceeds
    what is lost, so every rounded value comes back from its gene as the very same float.
    """
    span, size = high - low, max(abs(low), abs(high))
    if scale == "linear":
        lost = 1.2 * EPS * (3 * span + size)
    else:
        ends = warp(scale, low), warp(scale, high)
        lost = 2 * EPS * (max(map(abs, ends)) + ends[1] - ends[0] + 1)
    most = math.floor(-math.log10(2 * lost))
    if scale == "log" or (
        scale == "logit" and low < 0.01
    ):  # what matters is relative: 0.001 is as far from 0.01 as 0.1
        return True, min(max(DIGITS, DIGITS - 1 - math.floor(math.log10(span) - math.log10(low))), most)
    return False, min(DIGITS - math.ceil(math.log10(span)), most)


def rounded(x: Array, significant: bool, digits: int) -> Array:
    """Return `x` rounded to so many significant digits or decimals, each the float nearest to that short decimal."""
    if not significant and abs(digits) <= EXACT:
        scale = float(POWERS[abs(digits)])
        near: Array = np.rint(x * scale) / scale if digits >= 0 else np.rint(x / scale) * scale
        return near + 0.0  # never -0.0
    decimals = digits - 1 - np.floor(np.log10(x)).astype(int) if significant else np.full(x.shape, digits)
    if decimals.size and decimals.min() >= 0 and decimals.max() <= EXACT:  # the usual case, at half the cost
        power = POWERS[decimals]
        return np.asarray(np.rint(x * power) / power)
    power = POWERS.take(np.abs(decimals), mode="clip")
    with np.errstate(over="ignore"):  # of what is replaced below
        result: Array = np.where(decimals >= 0, np.rint(x * power) / power, np.rint(x / power) * power)
    for i in np.flatnonzero(np.abs(decimals) > EXACT):  # below 1e-10 or above 1e35 or so: exact, but slow
        result[i] = round(float(x[i]), int(decimals[i]))
    return result
