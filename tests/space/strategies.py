"""Hypothesis strategies: parameters with ordinary and extreme ranges, spaces with conditions and constraints."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from evohpo.errors import IllegalDefinition
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space

SCALARS = st.one_of(
    st.text(max_size=5), st.integers(-(10**9), 10**9), st.booleans(), st.none(), st.floats(-1e9, 1e9, allow_nan=False)
)
NAMES = st.text("abc-. λ_0", min_size=1, max_size=6).filter(str.strip)


@st.composite
def continuous(draw, when=None):
    """Any scale; bounds from 1e-300 to 1e300 on a log scale, wide or narrow or far from zero on a linear one."""
    scale = draw(st.sampled_from(["linear", "log", "logit", "reverse_log"]))
    if scale == "linear":
        low = draw(st.floats(-1e200, 1e200) | st.floats(-10, 10) | st.sampled_from([0.0, 1e6, -1e-9]))
        high = low + max(draw(st.floats(1e-100, 1e200) | st.floats(1e-6, 100)), abs(low) * 1e-13)
    elif scale == "log":
        decade = draw(st.floats(-300, 299) | st.floats(-6, 0))
        low = 10.0**decade
        high = 10.0 ** min(decade + draw(st.floats(1e-6, 600) | st.floats(0.1, 6)), 300)
    else:
        low = draw(st.floats(1e-9, 0.5) | st.floats(1e-300, 1e-9))
        high = 1 - draw(st.floats(1e-12, 0.49))
    return Continuous(low, high, scale, when=when)


@st.composite
def stepped(draw, when=None):
    """Continuous with steps, of short decimals as people write them."""
    scale = draw(st.sampled_from(["linear", "log"]))
    step, count = draw(st.sampled_from([0.1, 0.25, 0.05, 2.0, 1e-3])), draw(st.integers(1, 40))
    low = draw(st.sampled_from([0.1, 0.5, 1.0, 3.0]))
    return Continuous(low, round(low + count * step, 3), scale, step=step, when=when)


@st.composite
def integers(draw, when=None):
    scale = draw(st.sampled_from(["linear", "log", "reverse_log"]))
    step = draw(st.sampled_from([1, 1, 2, 7]))
    low = draw(st.integers(1, 10**6) | st.integers(1, 9)) if scale != "linear" else draw(st.integers(-(10**14), 10**14))
    return Integer(low, low + step * draw(st.integers(1, 30) | st.integers(1, 10**7)), scale, step, when=when)


@st.composite
def listed(draw, when=None):
    values = draw(st.lists(SCALARS, min_size=1, max_size=6, unique_by=lambda v: (type(v), v)))
    return draw(st.sampled_from([Categorical, Ordinal]))(values, when=when)


def parameters(when=None):
    return st.one_of(continuous(when), stepped(when), integers(when), listed(when))


@st.composite
def spaces(draw):
    """Up to six parameters of all kinds, static ones and conditional ones among them, also conditional on conditional ones."""
    known: dict[str, object] = {"kind": Categorical(["a", "b", "c"]), "flag": Categorical([True, False, None])}
    parents = [{"kind": "a"}, {"kind": ["b", "c"]}, {"flag": True}, {"kind": "a", "flag": [None, False]}, "kind != 'b'"]
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        when = draw(st.none() | st.sampled_from(parents))
        known[name] = draw(parameters(when) | SCALARS)
        if when and not isinstance(known[name], str | int | float | bool | None):
            known[f"{name} child"] = draw(parameters(f"`{name}` == `{name}`"))
    return Space(known)


CONSTRAINTS = [
    "units_2 <= units_1", "rate * units_1 <= 20", "depth + width <= 9", "solver == 'adam' or rate >= 0.001",
    "momentum >= 0.5", "not (solver == 'sgd' and depth > 4)", "log(rate) + width < 2", "width % 2 == 0",
    "`batch-size` >= width * 16", "max(depth, width) >= 3",
]  # fmt: skip


@st.composite
def constrained(draw):
    """A mixed space, log, ordinal and conditional parameters in it, under one to three constraints."""
    texts = draw(st.lists(st.sampled_from(CONSTRAINTS), min_size=1, max_size=3, unique=True))
    try:
        return Space(
            {
                "rate": Continuous(1e-5, 1.0, "log"), "units_1": Integer(1, 1024, "log"), "units_2": Integer(1, 1024, "log"),
                "batch-size": Ordinal([16, 32, 64, 128, 256]), "depth": Integer(1, 8), "width": Integer(1, 8),
                "solver": Categorical(["sgd", "adam", "lbfgs"]), "momentum": Continuous(0, 0.99, when={"solver": "sgd"}),
            },
            texts,
        )  # fmt: skip
    except IllegalDefinition as error:  # nothing is left by some combinations
        raise AssertionError(f"{texts} leave something: {error}") from error


def chromosomes(dim, most=12):
    """Return a strategy of matrices `(n, dim)`: corners, bounds and the inside."""
    gene = st.sampled_from([0.0, 1.0, 0.5, 1e-17, 1 - 2**-53]) | st.floats(0, 1)
    row = st.lists(gene, min_size=dim, max_size=dim)
    return st.lists(row, min_size=1, max_size=most).map(lambda rows: np.array(rows, float).reshape(len(rows), dim))


def uniform(n, dim, seed=0):
    return np.random.default_rng(seed).random((n, dim))
