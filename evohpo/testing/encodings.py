"""Does an encoding keep its promises? It is the two-way map between chromosomes and configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import evohpo as eh
from evohpo.testing.outcome import Check, Inapplicable, raise_failures, run_checks
from evohpo.testing.problems import cube, mixed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.space import Encoding, Space


def spaces() -> list[Space]:
    """Return the spaces that encodings are tried on: one parameter, mixed ones, conditions in conditions, only discrete."""
    nested = eh.Space(
        {
            "model": eh.Categorical(["tree", "net", "none"]),
            "layers": eh.Integer(0, 3, when={"model": "net"}),
            "units": eh.Integer(1, 512, scale="log", when={"layers": eh.at_least(1)}),
            "share": eh.Continuous(0.01, 0.99, scale="logit", when={"model": "tree"}),
            "step": eh.Continuous(0.0, 1.0, step=0.25),
            "still": "a value",
        }
    )
    discrete = eh.Space(
        {"a": eh.Integer(-2, 2), "b": eh.Ordinal([1, 10, 100]), "c": eh.Categorical([True, False, None])}
    )
    return [cube(1), cube(7), mixed(), nested, discrete]


def _samples(space: Space, n: int = 60) -> list[dict[str, Any]]:
    return space.sample(n, np.random.default_rng(1))


def genes_agree(encoding: Encoding) -> None:
    """A codec has as many genes as it says, each of a searched parameter, in [0, 1]."""
    for space in spaces():
        codec = encoding.bind(space)
        X: Any = codec.encode(_samples(space))
        if isinstance(X, list):
            raise Inapplicable("it has no genes")
        assert X.shape == (60, codec.dim), f"60 configurations became an array of shape {X.shape}, dim is {codec.dim}"
        parts = codec.genes.cardinality, codec.genes.ordered, codec.genes.parameter, codec.genes.kind
        assert {len(part) for part in parts} == {codec.dim}, "genes has another length than dim"
        assert set(codec.genes.parameter) == set(space.searched), "not every searched parameter has a gene"
        assert X.min() >= 0, f"a gene of {X.min()}"
        assert X.max() <= 1, f"a gene of {X.max()}"


def round_trip(encoding: Encoding) -> None:
    """What is encoded decodes to the same configuration, wherever it can express it exactly."""
    for space in spaces():
        codec = encoding.bind(space)
        back = codec.decode(codec.encode(_samples(space)))
        again = codec.decode(codec.encode(back))  # a grid rounds once
        for first, second in zip(back, again, strict=True):
            assert first == second, f"{first} comes back as {second}"
    discrete = spaces()[-1]
    codec, configs = encoding.bind(discrete), _samples(discrete)
    for config, decoded in zip(configs, codec.decode(codec.encode(configs)), strict=True):
        assert config == decoded, f"{config} comes back as {decoded}"


def decodes_to_legal(encoding: Encoding) -> None:
    """Any chromosome, repaired, decodes to a legal configuration; the corners of the cube, too."""
    rng = np.random.default_rng(1)
    for space in spaces():
        codec = encoding.bind(space)
        if not codec.dim:
            raise Inapplicable("it has no genes")
        X = np.concatenate([rng.random((40, codec.dim)), np.zeros((1, codec.dim)), np.ones((1, codec.dim))])
        for params in codec.decode(codec.repair(X)[0]):
            space.validate(params)


def repair_is_settled(encoding: Encoding) -> None:
    """What was repaired need not be repaired again, and what is legal stays as it is."""
    space = mixed()
    codec = encoding.bind(space)
    X: Any = codec.encode(_samples(space)) if not codec.dim else np.random.default_rng(1).random((80, codec.dim))
    repaired, _ = codec.repair(X)
    again, changed = codec.repair(repaired)
    assert not np.any(changed), "repaired chromosomes are repaired again"
    assert np.array_equal(again, repaired) if codec.dim else again == repaired, "repaired chromosomes change again"


def every_value_is_reached(encoding: Encoding) -> None:
    """Random chromosomes decode to every value of a discrete parameter."""
    space = spaces()[-1]
    codec = encoding.bind(space)
    if not codec.dim:
        raise Inapplicable("it has no genes")
    configs = codec.decode(np.random.default_rng(1).random((600, codec.dim)))
    for name, parameter in space.parameters.items():
        missing = [v for v in parameter.values_listed() if not any(c[name] is v or c[name] == v for c in configs)]
        assert not missing, f"{name} never is {missing[0]!r}"


def snap_is_canonical(encoding: Encoding) -> None:
    """A snapped chromosome decodes as the original does, and snapping it again changes nothing."""
    for space in spaces():
        codec = encoding.bind(space)
        if not codec.dim:
            raise Inapplicable("it has no genes")
        X = np.random.default_rng(2).random((40, codec.dim))
        snapped = codec.snap(X)
        assert codec.decode(snapped) == codec.decode(X), "snapping changes what a chromosome decodes to"
        assert np.allclose(codec.snap(snapped), snapped, atol=1e-12), "snapping again changes it again"


def nothing_is_fine(encoding: Encoding) -> None:
    """No configuration encodes to no chromosome."""
    for space in spaces():
        assert len(encoding.bind(space).encode([])) == 0


CHECKS: list[Check] = [
    genes_agree, round_trip, decodes_to_legal, repair_is_settled, every_value_is_reached, snap_is_canonical, nothing_is_fine
]  # fmt: skip


def check_encoding(encoding: Encoding, *, expected: Mapping[str, str] | None = None) -> None:
    """Check that an encoding keeps its promises.

    Args:
        encoding: what has `bind(space)`.
        expected: by name of a check, why it may fail.

    Raises:
        CheckFailed: names the first check that failed, and why.

    Example:
        >>> check_encoding(eh.Binary(bits={}, gray=False))
    """
    raise_failures(run_checks(CHECKS, encoding, dict(expected or {})))
