"""How a number's range is laid out on the unit interval, and how results are rounded so that they come back exactly."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["linear", "log", "logit", "reverse_log"]
SCALES: tuple[str, ...] = get_args(Scale)
DIGITS = 13  # of a float's 16: what is lost between a value and its gene stays below half a unit of the last one


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


def warp(scale: str, x: Array) -> Array:
    """Return `x` on the scale's axis."""
    if scale == "log":
        return np.log(x)
    if scale == "logit":
        return np.asarray(np.log(x) - np.log1p(-x))
    if scale == "reverse_log":
        return -np.log1p(-x)
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


def rounded(scale: str, x: Array, low: float, high: float) -> Array:
    """Round to a decimal grid: coarser than the error of warping there and back, far finer than anybody tunes.

    So decoding the encoding of a decoded value, or of one typed by hand such as 0.001, gives that very value. Linear:
    13 digits of the span (15 of the bounds). Log: 13 significant digits, 12 over more than 26 decades.
    """
    if scale == "log" or (scale == "logit" and low < 0.01):
        return _significant(x, DIGITS - (scale == "log" and math.log(high) - math.log(low) > 60))
    span = high - low if scale == "linear" else 1.0
    size = max(abs(low), abs(high))
    decimals = min(DIGITS - 1 - math.floor(math.log10(span)), 14 - math.floor(math.log10(size)))
    return _decimals(x, np.full(x.shape, decimals))


def _significant(x: Array, digits: int) -> Array:
    return _decimals(x, digits - 1 - np.floor(np.log10(np.abs(x))).astype(int))


def _decimals(x: Array, decimals: NDArray[np.int64]) -> Array:
    """Round to so many decimals each; powers of ten are exact up to 22, so the nearest float to a short decimal comes out."""
    near = np.abs(decimals) <= 300  # beyond, the power itself overflows: leave those as they are
    power = 10.0 ** np.where(near, np.abs(decimals), 0)
    up = decimals >= 0
    whole = np.rint(np.where(up, x * power, x / power))
    return np.where(near, np.where(up, whole / power, whole * power), x)
