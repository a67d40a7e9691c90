"""Spaces: parameters, conditions and constraints, and the encodings that make chromosomes of configurations."""

from evohpo.space.conditions import at_least, at_most, between
from evohpo.space.encodings import Binary, Codec, Configs, Encoding, Genes, Index, OneHot, Real
from evohpo.space.expressions import Expression
from evohpo.space.numeric import Continuous, Integer
from evohpo.space.parameters import Categorical, Ordinal, Parameter, Static
from evohpo.space.space import Space

__all__ = [
    "Binary", "Categorical", "Codec", "Configs", "Continuous", "Encoding", "Expression", "Genes", "Index", "Integer",
    "OneHot", "Ordinal", "Parameter", "Real", "Space", "Static", "at_least", "at_most", "between",
]  # fmt: skip
