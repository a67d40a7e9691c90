"""Expressions over named values, such as "layers >= 2 and solver == 'sgd'": parsed by a whitelist, never run as code.

Arithmetic is done in float64, on single values and on whole columns alike, so both give the same answer and no expression
can make numbers that grow without bound. Comparisons are Python's: 1 == 1.0 == True.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalDefinition, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LONGEST = 1000  # characters; no sensible condition is longer, and parsing stays instant
DEEPEST = 100  # nested operations
LARGEST = 2**63  # whole numbers in the text

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.mod, ast.Pow: np.float_power,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "min": lambda *a: _fold(np.minimum, a), "max": lambda *a: _fold(np.maximum, a), "log": np.log,
    "exp": np.exp, "sqrt": np.sqrt,
}  # fmt: skip
_WORDS: dict[type[ast.expr], str] = {  # what people see who know no syntax trees
    ast.Call: f"a function other than {', '.join(_FUNCTIONS)}", ast.Attribute: "a dot", ast.Subscript: "[...]",
    ast.Tuple: "a comma (of a number, write a point)", ast.List: "a list", ast.Set: "{...}", ast.Dict: "{...}",
    ast.BinOp: "this operator", ast.UnaryOp: "this operator", ast.IfExp: "if ... else", ast.Lambda: "lambda",
}  # fmt: skip
_FLAWS: dict[type[ast.expr], str] = {
    ast.BoolOp: "it joins comparisons: give each of them by itself",
    ast.UnaryOp: "it turns a comparison round: write the opposite one",
}
_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`([^`]+)`")  # text in quotes, or a name in backquotes
_LINES = str.maketrans("\r\n\f", "   ")


def quoted(name: str) -> str:
    """Return a name as it has to be written in an expression.

    Example:
        >>> quoted("layers"), quoted("batch-size"), quoted("lambda")
        ('layers', '`batch-size`', '`lambda`')
    """
    plain = (
        name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    )  # Python would normalise other letters
    return name if plain else f"`{name}`"


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; two are equal if their texts are.

    Attributes:
        text: as it was written.
        names: the names it mentions, in the order of their first appearance.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)
    _original: Mapping[str, str] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, known: Iterable[str] | None = None) -> Expression:
        """Parse `text`: comparisons, and/or/not, in, arithmetic, abs/min/max/log/exp/sqrt; `odd-name` in backquotes.

        Raises:
            IllegalDefinition: it does not parse, or has something in it that is not allowed; says what and where.
            UnknownName: it mentions a name that is not `known`.
        """
        if not isinstance(text, str) or not text.strip():
            raise IllegalDefinition(None, f"an expression is text such as 'layers >= 2', not {text!r}")
        if len(text) > LONGEST:
            raise IllegalDefinition(None, f"expression {text[:40]!r}...: longer than {LONGEST} characters")
        plain, original = _unquoted(text)
        indent = len(plain) - len(plain.lstrip())
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            at = (error.offset or len(plain.strip()) + 1) if isinstance(error, SyntaxError) else 1
            raise IllegalDefinition(
                None, f"expression {text!r}: not understood at character {at + indent} ({_hint(plain)})"
            ) from None
        names: dict[str, None] = {}
        _Reader(text, plain.strip(), indent, original, names).check(tree, 0)
        if known is not None:
            known = list(known)
            for name in names:
                if name not in known:
                    raise UnknownName(f"name in {text!r}:", name, known)
        return cls(text, tuple(names), tree, original)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the value for `values`: scalars, or arrays of one length for all of them at once.

        What cannot be computed, such as the logarithm of a negative number, is NaN, for which no comparison holds.
        """
        with np.errstate(all="ignore"):
            return _value(self._tree, values, self._original)

    @property
    def is_comparison(self) -> bool:
        """Whether it is a comparison of numbers, or a chain of them, so that it has margins."""
        return self.flaw is None

    @property
    def flaw(self) -> str | None:
        """Why it is no comparison of numbers, and where; None if it is one, or a chain of them."""
        if not isinstance(self._tree, ast.Compare):
            return self._at(self._tree, _FLAWS.get(type(self._tree), "it compares nothing"))
        for op, right in zip(self._tree.ops, self._tree.comparators, strict=True):
            if isinstance(op, ast.NotEq | ast.In | ast.NotIn):
                return self._at(right, "only <, <=, >, >= and == say how far a number is off")
        for node in ast.walk(self._tree):
            if node is not self._tree and isinstance(node, ast.Compare | ast.BoolOp):
                return self._at(node, "it compares the outcome of a comparison")
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                return self._at(node, "'not' is no number")
            if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str)):
                return self._at(node, f"{node.value!r} is no number")
        return None

    def _at(self, node: ast.expr, why: str) -> str:
        plain = _unquoted(self.text)[0]
        return f"{why} (at character {_character(node, plain.strip(), len(plain) - len(plain.lstrip()))})"

    @property
    def is_simple(self) -> bool:
        """Whether each of its comparisons is between one name and constants, without arithmetic."""
        return not any(
            isinstance(n, ast.BinOp | ast.Call)
            or (isinstance(n, ast.Compare) and sum(isinstance(side, ast.Name) for side in (n.left, *n.comparators)) > 1)
            for n in ast.walk(self._tree)
        )

    @property
    def numbers(self) -> list[float]:
        """The numbers in it, each with both signs."""
        found = [n.value for n in ast.walk(self._tree) if isinstance(n, ast.Constant)]
        return [s * v for v in found if isinstance(v, int | float) and not isinstance(v, bool) for s in (1, -1)]

    def margins(self, values: Mapping[str, Any]) -> list[Any]:
        """Return by how much each comparison of the chain is missed: above 0 where it does not hold, inf for NaN.

        Only for an expression that `is_comparison`.
        """
        assert isinstance(self._tree, ast.Compare)
        with np.errstate(all="ignore"):
            nodes = (self._tree.left, *self._tree.comparators)
            sides = [_number(_value(node, values, self._original)) for node in nodes]
            return [_margin(op, a, b) for op, a, b in zip(self._tree.ops, sides, sides[1:], strict=False)]

    def scales(self, values: Mapping[str, Any], measured: Iterable[str]) -> list[float]:
        """Return what each comparison's margin is to be seen against: its bound, where one side has no `measured` name.

        1 where both have one, and of a bound that is 0 or cannot be computed. Only for an expression that `is_comparison`.

        >>> Expression.parse("size + 2 <= 80_000").scales({"size": 1}, {"size"})
        [80000.0]
        """
        assert isinstance(self._tree, ast.Compare)
        measured, found = set(measured), []
        sides = (self._tree.left, *self._tree.comparators)
        for pair in pairwise(sides):
            fixed = [side for side in pair if not measured & self._names_in(side)]
            with np.errstate(all="ignore"):
                bound = abs(float(_number(_value(fixed[0], values, self._original)))) if len(fixed) == 1 else 1.0
            found.append(bound if 0 < bound < math.inf else 1.0)
        return found

    def _names_in(self, node: ast.expr) -> set[str]:
        inside = {self._original.get(n.id, n.id) for n in ast.walk(node) if isinstance(n, ast.Name)}
        return inside.intersection(self.names)  # the others are functions

    def bounds(self, name: str, values: Mapping[str, Any]) -> list[tuple[bool, float]]:
        """Return the bounds that a comparison, or a chain, sets to `name` alone: whether each is a lower one, and itself.

        Only for an expression that `is_comparison`. Bounds that depend on names without a value are left out.

        >>> Expression.parse("0.1 < loss <= 2 * baseline").bounds("loss", {"baseline": 3.0})
        [(True, 0.1), (False, 6.0)]
        """
        assert isinstance(self._tree, ast.Compare)
        found = []
        sides = (self._tree.left, *self._tree.comparators)
        for op, a, b in zip(self._tree.ops, sides, sides[1:], strict=False):
            for own, other, lower in ((a, b, ast.Gt | ast.GtE), (b, a, ast.Lt | ast.LtE)):
                names = self._names_in(other)
                bounded = isinstance(own, ast.Name) and self._original.get(own.id, own.id) == name
                if bounded and not isinstance(op, ast.Eq) and all(values.get(n) is not None for n in names):
                    with np.errstate(all="ignore"):
                        found.append((isinstance(op, lower), float(_number(_value(other, values, self._original)))))
        return found


def _margin(op: ast.cmpop, a: Any, b: Any) -> Any:
    excess = abs(a - b) if isinstance(op, ast.Eq) else a - b if isinstance(op, ast.Lt | ast.LtE) else b - a
    if isinstance(op, ast.Lt | ast.Gt):
        excess = np.where(excess == 0, 1e-12, excess)  # at the bound a strict one is missed
    return np.where(np.isnan(excess), np.inf, excess)


def _hint(plain: str) -> str:
    """Return what people mostly mean who write what does not parse."""
    if re.search(r"[≥≤]|=[<>]", plain):
        return "write >= or <="
    if re.search(r"(?<![<>=!])=(?!=)", plain):
        return "write ==, or <= or >="
    return "a name such as `batch-size` goes in backquotes"


def _unquoted(text: str) -> tuple[str, dict[str, str]]:
    """Return the text with names in backquotes replaced by others of their length, and what these stand for."""
    aliases: dict[str, str] = {}
    letters = (chr(code) for code in range(0x4E00, 0x9FA5) if chr(code) not in text)

    def alias(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0]
        if name not in aliases:
            aliases[name] = next(letters).ljust(len(name) + 2, "_")  # of one length: positions in messages stay right
        return aliases[name]

    return _TOKEN.sub(alias, text.translate(_LINES)), {alias: name for name, alias in aliases.items()}


@dataclass(slots=True)
class _Reader:
    """Walks a tree once: collects names, refuses whatever is not on the list."""

    text: str
    plain: str
    indent: int
    original: Mapping[str, str]
    names: dict[str, None]

    def check(self, node: ast.expr, depth: int) -> None:
        if depth > DEEPEST:
            raise IllegalDefinition(None, f"expression {self.text!r}: nested deeper than {DEEPEST}")
        for child in self.children(node):
            self.check(child, depth + 1)

    def children(self, node: ast.expr) -> list[ast.expr]:
        match node:
            case ast.BoolOp():
                return node.values
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd()):
                return [node.operand]
            case ast.BinOp() if type(node.op) in _BINARY:
                power = _constant(node.right) if isinstance(node.op, ast.Pow) else 0
                if isinstance(power, bool) or not isinstance(power, int | float) or abs(power) > 16:
                    raise self.refused(node, "a power must be a number up to 16")
                return [node.left, node.right]
            case ast.Compare():
                if len(node.ops) > 1 and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
                    raise self.refused(node, "'in' cannot be part of a chain; join comparisons with 'and'")
                return [
                    node.left,
                    *(c for pair in zip(node.ops, node.comparators, strict=True) for c in self.right(*pair)),
                ]
            case ast.Call(func=ast.Name(id=function), keywords=[]) if function in _FUNCTIONS and node.args:
                if function not in ("min", "max") and len(node.args) != 1:
                    raise self.refused(node, f"{function} takes one value")
                return node.args
            case ast.Name():
                self.names[self.original.get(node.id, node.id)] = None
                return []
            case ast.Constant(value=str() | int() | float() | None as value):
                if isinstance(value, int | float) and not (
                    math.isfinite(value) if isinstance(value, float) else abs(value) <= LARGEST
                ):
                    raise self.refused(node, "too large a number")
                return []
        raise self.refused(node, f"{_WORDS.get(type(node), type(node).__name__)} is not allowed here")

    def right(self, op: ast.cmpop, right: ast.expr) -> list[ast.expr]:
        if not isinstance(op, ast.In | ast.NotIn):
            if type(op) not in _COMPARE:
                raise self.refused(right, "'is' is not a comparison of values; write ==")
            return [right]
        if not isinstance(right, ast.Tuple | ast.List):
            raise self.refused(right, "'in' needs a list such as ('sgd', 'adam')")
        for element in right.elts:
            if _constant(element) is ...:
                raise self.refused(element, "a list may only hold plain values")
        return right.elts

    def refused(self, node: ast.expr, why: str) -> IllegalDefinition:
        at = _character(node, self.plain, self.indent)
        return IllegalDefinition(None, f"expression {self.text!r}: {why} (at character {at})")


def _character(node: ast.expr, plain: str, indent: int) -> int:
    """Return where a node begins, from 1."""
    return indent + len(plain.encode()[: node.col_offset].decode()) + 1  # the parser counts bytes


def _constant(node: ast.expr) -> Any:
    """Return the value of a constant, which may have a sign; `...` if it is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _constant(node.operand)
        if isinstance(value, int | float):
            return -value if isinstance(node.op, ast.USub) else value
        return ...
    return node.value if isinstance(node, ast.Constant) else ...


def _value(node: ast.expr, values: Mapping[str, Any], original: Mapping[str, str]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return values[original.get(node.id, node.id)]
        case ast.BoolOp():
            parts = tuple(_truth(_value(v, values, original)) for v in node.values)
            return _fold(np.logical_and if isinstance(node.op, ast.And) else np.logical_or, parts)
        case ast.UnaryOp(op=ast.Not()):
            return np.logical_not(_truth(_value(node.operand, values, original)))
        case ast.UnaryOp():
            operand = _number(_value(node.operand, values, original))
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp():
            sides = (_number(_value(side, values, original)) for side in (node.left, node.right))
            return _BINARY[type(node.op)](*sides)
        case ast.Call():
            assert isinstance(node.func, ast.Name)
            return _FUNCTIONS[node.func.id](*(_number(_value(a, values, original)) for a in node.args))
        case ast.Compare():
            return _comparisons(node, values, original)
    raise AssertionError(node)  # parse has refused everything else


def _comparisons(node: ast.Compare, values: Mapping[str, Any], original: Mapping[str, str]) -> Any:
    results, left = [], _value(node.left, values, original)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            assert isinstance(comparator, ast.Tuple | ast.List)
            among = _fold(np.logical_or, (False, *(left == _constant(e) for e in comparator.elts)))
            results.append(among if isinstance(op, ast.In) else np.logical_not(among))
        else:
            right = _value(comparator, values, original)
            results.append(_COMPARE[type(op)](left, right))
            left = right
    return _fold(np.logical_and, tuple(results))


def _fold(function: Callable[[Any, Any], Any], values: tuple[Any, ...]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _number(value: Any) -> Any:
    """Return a value or column as float64; columns of objects are added to one by one, which text and None refuse."""
    return np.asarray(value + 0.0, np.float64)


def _truth(value: Any) -> Any:
    if value is None or isinstance(value, str):
        raise TypeError(f"{value!r} is neither true nor false")
    return np.asarray(value, np.bool_)
