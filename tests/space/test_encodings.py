"""Encodings: every one is a two-way map, says what its genes are, and bears what algorithms do to chromosomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evohpo.errors import IllegalValue, UnknownName, UsageError
from evohpo.space import Binary, Categorical, Configs, Continuous, Index, Integer, OneHot, Ordinal, Real, Space
from tests.space import strategies

quick = settings(deadline=None, max_examples=60)
MATRICES = [Real(), OneHot(), Binary(), Binary(gray=False), Binary(bits=24), Index(), Index(2), Index(7)]
matrices = pytest.mark.parametrize("encoding", MATRICES, ids=repr)
SMALL = Space(
    {
        "rate": Continuous(1e-4, 1e-1, "log"), "units": Integer(1, 100, "log"),
        "epochs": Integer(10, 50), "batch": Ordinal([32, 64, 128]),
        "solver": Categorical(["sgd", "adam", "lbfgs"]), "seed": 1,
        "momentum": Continuous(0, 1, step=0.25, when={"solver": "sgd"}),
    }
)  # fmt: skip


@matrices
@quick
@given(data=st.data())
def test_decoding_what_was_encoded_gives_the_same_configurations(encoding, data):
    space = data.draw(strategies.spaces())
    codec = encoding.bind(space)
    configs = codec.decode(data.draw(strategies.chromosomes(codec.dim, 8)))
    X = codec.encode(configs)
    assert X.shape == (len(configs), codec.dim)
    assert X.min(initial=0) >= 0
    assert X.max(initial=1) <= 1
    assert codec.decode(X) == configs
    assert [list(map(type, c.values())) for c in codec.decode(X)] == [list(map(type, c.values())) for c in configs]


@matrices
@quick
@given(data=st.data())
def test_every_chromosome_decodes_to_a_legal_configuration_also_out_of_bounds(encoding, data):
    space = data.draw(strategies.spaces())
    codec = encoding.bind(space)
    X = 3 * strategies.uniform(10, codec.dim, data.draw(st.integers(0, 99))) - 1
    configs = codec.decode(X)
    assert [space.validate(c) for c in configs] == configs
    assert codec.decode(np.clip(X, 0, 1)) == configs


@matrices
@quick
@given(data=st.data())
def test_genes_that_do_not_apply_are_ignored_and_stay_as_they_are(encoding, data):
    codec = encoding.bind(data.draw(strategies.spaces()))
    X = strategies.uniform(10, codec.dim, data.draw(st.integers(0, 99)))
    active = codec.active(X)
    assert active.shape == X.shape
    assert codec.decode(np.where(active, X, 0.9)) == codec.decode(X)
    snapped = codec.snap(X)
    assert (snapped[~active] == X[~active]).all()
    assert codec.decode(snapped) == codec.decode(X)
    assert (codec.snap(snapped) == snapped).all()
    for row, config in zip(active, codec.decode(X), strict=True):
        assert [n in config for n in codec.genes.parameter] == row.tolist()


@matrices
def test_genes_say_what_they_are(encoding):
    codec = encoding.bind(SMALL)
    genes = codec.genes
    assert genes.cardinality.dtype == np.int64
    assert len(genes.cardinality) == len(genes.ordered) == len(genes.parameter) == len(genes.kind) == codec.dim
    assert tuple(dict.fromkeys(genes.parameter)) == SMALL.searched
    assert set(genes.kind) <= {"continuous", "integer", "categorical", "ordinal", "bit"}


@matrices
@quick
@given(seed=st.integers(0, 99))
def test_a_gene_with_a_cardinality_says_nothing_but_its_bin(encoding, seed):
    codec = encoding.bind(SMALL)
    X = strategies.uniform(20, codec.dim, seed)
    k = codec.genes.cardinality
    centres = np.where(k > 0, (np.floor(X * k) + 0.5) / np.maximum(k, 1), X)
    assert codec.decode(centres) == codec.decode(X)


def test_the_genes_of_real_one_hot_index_and_binary():
    assert Real().bind(SMALL).genes.cardinality.tolist() == [0, 0, 41, 3, 3, 5]
    assert Real().bind(SMALL).genes.ordered.tolist() == [True, True, True, True, False, True]
    assert OneHot().bind(SMALL).genes.cardinality.tolist() == [0, 0, 41, 3, 0, 0, 0, 5]
    assert OneHot().bind(SMALL).genes.ordered.tolist() == [True, True, True, True, False, False, False, True]
    # of nine levels from 1 to 100 on a log scale two are 1
    assert Index(9).bind(SMALL).genes.cardinality.tolist() == [9, 8, 41, 3, 3, 5]
    assert Index(500).bind(SMALL).genes.cardinality.tolist() == [500, 100, 41, 3, 3, 5]
    binary = Binary().bind(SMALL).genes
    assert set(binary.cardinality.tolist()) == {2}
    assert not binary.ordered.any()
    assert [binary.parameter.count(n) for n in SMALL.searched] == [16, 10, 6, 2, 2, 3]


def test_the_largest_gene_of_a_choice_wins():
    codec = OneHot().bind(Space({"c": Categorical(["a", "b", "c"]), "x": Continuous(0, 1)}))
    assert codec.decode([[0.2, 0.3, 0.1, 0.5]]) == [{"c": "b", "x": 0.5}]
    assert codec.encode([{"c": "c", "x": 0.25}]).tolist() == [[0, 0, 1, 0.25]]


@pytest.mark.parametrize("encoding", [Real(), OneHot(), Index()])
def test_what_does_not_apply_is_encoded_as_neutral(encoding):
    space = Space(
        {
            "a": Categorical(["x", "y"]),
            "b": Categorical([1, 2, 3], when={"a": "y"}),
            "c": Continuous(0, 1, when={"a": "y"}),
        }
    )
    codec = encoding.bind(space)
    of_children = np.isin(codec.genes.parameter, ["b", "c"])
    assert (codec.encode([{"a": "x"}])[0, of_children] == 0.5).all()


def test_binary_codes_follow_one_another():
    space = Space({"units": Integer(0, 7), "rate": Continuous(0.0, 0.07, step=0.01)})
    assert Binary(3, gray=False).bind(space).encode([{"units": 5, "rate": 0.03}]).tolist() == [[1, 0, 1, 0, 1, 1]]
    assert Binary(3).bind(space).encode([{"units": 5, "rate": 0.03}]).tolist() == [[1, 1, 1, 0, 1, 0]]


def codes(bits):
    return (np.arange(2**bits)[:, None] >> np.arange(bits - 1, -1, -1)) & 1


def test_gray_neighbours_differ_in_one_bit():
    codec = Binary().bind(Space({"n": Integer(0, 63)}))
    X = codec.encode([{"n": n} for n in range(64)])
    assert (np.abs(np.diff(X, axis=0)).sum(1) == 1).all()


@quick
@given(st.integers(1, 70), st.integers(0, 3), st.booleans())
def test_every_binary_code_of_a_discrete_parameter_is_legal_and_shared_out_evenly(k, more, gray):
    bits = max(1, (k - 1).bit_length()) + more
    codec = Binary(bits, gray).bind(Space({"n": Ordinal(list(range(k)))}))
    values = [c["n"] for c in codec.decode(codes(bits))]
    counts = np.bincount(values, minlength=k)
    assert counts.max() - counts.min() <= 1
    if not gray:
        assert values == [c * k // 2**bits for c in range(2**bits)]


@pytest.mark.parametrize(
    ("low", "high", "scale"), [(1, 10, "log"), (3, 1000, "log"), (1, 65_536, "log"), (1, 500, "reverse_log")]
)
def test_binary_codes_reach_every_log_integer(low, high, scale):
    codec = Binary().bind(Space({"n": Integer(low, high, scale)}))
    everything = [{"n": n} for n in range(low, high + 1)]
    assert codec.decode(codec.encode(everything)) == everything


def test_binary_codes_reach_every_step_on_a_log_scale_and_both_ends_of_a_continuous_range():
    space = Space({"s": Continuous(0.1, 20.1, "log", step=0.5), "c": Continuous(-1, 3)})
    configs = [{"s": s, "c": c} for s in space.parameters["s"].values_listed() for c in (-1.0, 3.0)]
    codec = Binary().bind(space)
    assert codec.decode(codec.encode(configs)) == configs


def test_bits_can_be_given_by_name():
    assert Binary({"units": 4}).bind(SMALL).genes.parameter.count("units") == 4
    with pytest.raises(UnknownName, match="did you mean 'units'"):
        Binary({"unit": 4}).bind(SMALL)


@pytest.mark.parametrize(
    "encoding",
    [Binary(1), Binary(0), Binary(2.5), Binary(True), Binary(99), Binary({"epochs": 5}), Index(1), Index(2.5)],
)
def test_what_cannot_hold_the_values_is_refused(encoding):
    with pytest.raises(UsageError, match=r"bits|resolution"):
        encoding.bind(SMALL)


def test_too_many_values_for_a_code_are_refused():
    with pytest.raises(UsageError, match="too many values"):
        Binary().bind(Space({"n": Integer(0, 10**12)}))


@pytest.mark.parametrize("resolution", [2, 5, 33])
def test_index_levels_are_distinct_and_reach_both_ends(resolution):
    space = Space({"rate": Continuous(1e-4, 1e-1, "log"), "units": Integer(1, 12, "log")})
    codec = Index(resolution).bind(space)
    for i, name in enumerate(space.searched):
        k = codec.genes.cardinality[i]
        X = np.full((k, 2), 0.5)
        X[:, i] = (np.arange(k) + 0.5) / k
        values = [c[name] for c in codec.decode(X)]
        assert values == sorted(set(values))
        assert (values[0], values[-1]) == (space.parameters[name].low, space.parameters[name].high)


@matrices
@pytest.mark.parametrize("X", [np.zeros((3, 99)), np.zeros(5), np.zeros((2, 2, 6)), 0.5])
def test_chromosomes_of_another_shape_are_refused(encoding, X):
    with pytest.raises(UsageError, match="columns"):
        encoding.bind(SMALL).decode(X)


@matrices
def test_a_gene_that_is_no_number_is_refused(encoding):
    codec = encoding.bind(SMALL)
    X = np.full((3, codec.dim), 0.5)
    X[1, -1] = np.nan
    with pytest.raises(UsageError, match="row 1"):
        codec.decode(X)


def test_encoding_what_is_no_choice_is_refused_with_its_name():
    with pytest.raises(IllegalValue, match="solver"):
        SMALL.encode([{**SMALL.default(), "solver": "sdg"}])


@matrices
def test_a_space_of_static_values_has_no_genes(encoding):
    codec = encoding.bind(Space({"a": 1}))
    assert codec.dim == 0
    assert codec.decode(np.empty((2, 0))) == [{"a": 1}] * 2
    assert (
        codec.encode([{"a": 1}]).shape
        == codec.snap(np.empty((1, 0))).shape
        == codec.active(np.empty((1, 0))).shape
        == (1, 0)
    )


@matrices
def test_no_chromosomes_are_no_configurations(encoding):
    codec = encoding.bind(SMALL)
    assert codec.decode([]) == codec.decode(np.empty((0, codec.dim))) == []
    assert codec.encode([]).shape == (0, codec.dim)
    assert codec.snap(np.empty((0, codec.dim))).shape == (0, codec.dim)


def test_configurations_are_their_own_encoding_validated():
    codec = Configs().bind(SMALL)
    config = {**SMALL.default(), "epochs": 20.0}
    assert codec.dim == 0
    assert codec.decode([config]) == codec.encode([config]) == codec.snap([config]) == [{**config, "epochs": 20}]
    assert type(codec.decode([config])[0]["epochs"]) is int
    assert codec.active([config]).shape == (1, 0)
    with pytest.raises(IllegalValue):
        codec.decode([{}])
