"""Expressions over named values, such as "layers >= 2 and solver == 'sgd'": parsed against a whitelist, never evaluated as code."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evohpo.errors import IllegalDefinition, UnknownName

LONGEST = 1000  # characters; no sensible condition is longer, and parsing stays instant
DEEPEST = 40  # nested operations

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "min": lambda *a: _fold(np.minimum, a), "max": lambda *a: _fold(np.maximum, a), "log": np.log, "exp": np.exp,
    "sqrt": np.sqrt,
}  # fmt: skip


def _fold(function: Callable[[Any, Any], Any], values: tuple[Any, ...]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


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
    _quoted: Mapping[str, str] = field(repr=False, compare=False)

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
        quoted: dict[str, str] = {}

        def unquote(match: re.Match[str]) -> str:
            return quoted.setdefault(match[1], f"quoted_{len(quoted)}_")

        plain = re.sub(r"`([^`]+)`", unquote, text)
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise IllegalDefinition(None, f"expression {text!r}: not understood{where}") from None
        names: dict[str, None] = {}
        original = {alias: name for name, alias in quoted.items()}
        _check(tree, text, original, names, 0)
        if known is not None:
            known = list(known)
            for name in names:
                if name not in known:
                    raise UnknownName(f"name in {text!r}:", name, known)
        return cls(text, tuple(names), tree, original)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the value for `values`: scalars, or arrays of one length for all of them at once."""
        return _value(self._tree, values, self._quoted)

    @property
    def is_comparison(self) -> bool:
        """Whether it is a comparison of numbers, so that it has margins."""
        return isinstance(self._tree, ast.Compare) and not any(
            isinstance(op, ast.In | ast.NotIn | ast.NotEq) for op in self._tree.ops
        )

    def margins(self, values: Mapping[str, Any]) -> list[Any]:
        """Return by how much each comparison of the chain is missed: above 0 where it does not hold."""
        assert isinstance(self._tree, ast.Compare)
        sides = [_value(node, values, self._quoted) for node in (self._tree.left, *self._tree.comparators)]
        return [_margin(op, a, b) for op, a, b in zip(self._tree.ops, sides, sides[1:], strict=False)]


def _margin(op: ast.cmpop, a: Any, b: Any) -> Any:
    if isinstance(op, ast.Eq):
        return abs(a - b)
    excess = a - b if isinstance(op, ast.Lt | ast.LtE) else b - a
    strict = isinstance(op, ast.Lt | ast.Gt)
    return np.where(np.equal(excess, 0), 1e-12, excess) if strict else excess  # at the bound a strict one is missed


def _check(node: ast.AST, text: str, original: Mapping[str, str], names: dict[str, None], depth: int) -> None:
    """Walk the tree once; collect names, refuse whatever is not on the list."""
    if depth > DEEPEST:
        raise IllegalDefinition(None, f"expression {text!r}: nested deeper than {DEEPEST}")
    children: list[ast.AST] = []
    match node:
        case ast.BoolOp():
            children = list(node.values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd()):
            children = [node.operand]
        case ast.BinOp() if type(node.op) in _BINARY:
            children = [node.left, node.right]
            if isinstance(node.op, ast.Pow):
                power = node.right.value if isinstance(node.right, ast.Constant) else None
                if isinstance(power, bool) or not isinstance(power, int | float) or abs(power) > 16:
                    raise _refused(node, text, "a power must be a number up to 16")
        case ast.Compare():
            for op, right in zip(node.ops, node.comparators, strict=True):
                if isinstance(op, ast.In | ast.NotIn) and not isinstance(right, ast.Tuple | ast.List):
                    raise _refused(node, text, "'in' needs a list such as ('sgd', 'adam')")
                if type(op) not in _COMPARE and not isinstance(op, ast.In | ast.NotIn):
                    raise _refused(node, text, "'is' is not a comparison of values; write ==")
            children = [node.left, *node.comparators]
        case ast.Call(func=ast.Name(id=function), keywords=[]) if function in _FUNCTIONS and node.args:
            if function not in ("min", "max") and len(node.args) != 1:
                raise _refused(node, text, f"{function} takes one value")
            children = list(node.args)
        case ast.Name():
            names[original.get(node.id, node.id)] = None
        case ast.Tuple() | ast.List():
            if not all(
                isinstance(e, ast.Constant) or (isinstance(e, ast.UnaryOp) and isinstance(e.operand, ast.Constant))
                for e in node.elts
            ):
                raise _refused(node, text, "a list may only hold plain values")
            children = list(node.elts)
        case ast.Constant(value=str() | int() | float() | None):
            pass
        case _:
            raise _refused(node, text, f"{type(node).__name__} is not allowed")
    for child in children:
        _check(child, text, original, names, depth + 1)


def _refused(node: ast.AST, text: str, why: str) -> IllegalDefinition:
    return IllegalDefinition(None, f"expression {text!r}: {why} (at character {getattr(node, 'col_offset', 0) + 1})")


def _value(node: ast.expr, values: Mapping[str, Any], original: Mapping[str, str]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return values[original.get(node.id, node.id)]
        case ast.Tuple() | ast.List():
            return tuple(_value(e, values, original) for e in node.elts)
        case ast.BoolOp():
            parts = [_value(v, values, original) for v in node.values]
            return _fold(np.logical_and if isinstance(node.op, ast.And) else np.logical_or, tuple(parts))
        case ast.UnaryOp():
            operand = _value(node.operand, values, original)
            return (
                np.logical_not(operand)
                if isinstance(node.op, ast.Not)
                else -operand
                if isinstance(node.op, ast.USub)
                else operand
            )
        case ast.BinOp():
            return _BINARY[type(node.op)](_value(node.left, values, original), _value(node.right, values, original))
        case ast.Call():
            assert isinstance(node.func, ast.Name)
            return _FUNCTIONS[node.func.id](*(_value(a, values, original) for a in node.args))
        case ast.Compare():
            sides = [_value(n, values, original) for n in (node.left, *node.comparators)]
            return _fold(
                np.logical_and, tuple(_compare(op, a, b) for op, a, b in zip(node.ops, sides, sides[1:], strict=False))
            )
    raise AssertionError(node)  # parse has refused everything else


def _compare(op: ast.cmpop, a: Any, b: Any) -> Any:
    if isinstance(op, ast.In | ast.NotIn):
        inside = _fold(np.logical_or, tuple(operator.eq(a, value) for value in b)) if b else False
        return inside if isinstance(op, ast.In) else np.logical_not(inside)
    return _COMPARE[type(op)](a, b)
