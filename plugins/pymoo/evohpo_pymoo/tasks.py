"""What an algorithm of pymoo searches: a problem whose evaluation goes out to the study, and the generators it draws from."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pymoo.util  # type: ignore[import-untyped]
from pymoo.core.problem import Problem as Task  # type: ignore[import-untyped]
from pymoo.core.variable import Choice, Integer, Real  # type: ignore[import-untyped]

from evohpo.optimizers.adapting import genes_of, levels_of, seed_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Array, Problem, Results


def task_for(evaluate: Callable[[Any], Results], problem: Problem, m: int, *, constrained: bool, typed: bool) -> Task:
    """Return a problem of pymoo.

    Args:
        evaluate: what the study gave.
        problem: the task as the study has it.
        m: how many objectives it has; more than the study's single one for algorithms that are made for several.
        constrained: the violation is its constraint.
        typed: its variables are typed, instead of the genes themselves.
    """
    k = problem.genes.cardinality

    class Outside(Task):  # type: ignore[misc]
        batches = 0  # evaluated so far

        def _evaluate(self, X: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
            rows = genes_of(_matrix(X, problem.dim), k) if typed else np.clip(np.asarray(X, float), 0.0, 1.0)
            self.batches += 1
            out["F"], out["G"] = self.judged(evaluate(rows))

        def judged(self, told: Results) -> tuple[Array, Array | None]:
            """Return objectives `(k, m)` and, where it is read, the violation `(k, 1)`."""
            F = np.tile(told.F, m // told.F.shape[1])  # a single objective stands for each of several
            return F, np.array(told.violation)[:, None] if self.n_ieq_constr else None

        def points(self, X: Array) -> Any:
            """Return rows of genes as this problem has them."""
            if not typed:
                return X >= 0.5 if "bit" in problem.genes.kind else X
            kinds = [float if n == 0 else int for n in k]
            return [{f"x{i}": kinds[i](x) for i, x in enumerate(row)} for row in levels_of(X, k).tolist()]

    shape = {"vars": _variables(problem)} if typed else {"n_var": problem.dim, "xl": 0.0, "xu": 1.0}
    return Outside(n_obj=m, n_ieq_constr=int(constrained), **shape)


def _variables(problem: Problem) -> dict[str, Any]:
    """Return a typed variable a gene: a level of an ordered one is an integer, of an unordered one a choice."""
    variables: dict[str, Any] = {}
    for i, (k, ordered) in enumerate(zip(problem.genes.cardinality.tolist(), problem.genes.ordered, strict=True)):
        if k == 0:
            variables[f"x{i}"] = Real(bounds=(0.0, 1.0))
        else:
            variables[f"x{i}"] = Integer(bounds=(0, k - 1)) if ordered else Choice(options=list(range(k)))
    return variables


def _matrix(X: Any, dim: int) -> Array:
    return np.array([[x[f"x{i}"] for i in range(dim)] for x in X], float).reshape(len(X), dim)


# ---- the generators that hide

# Functions of pymoo that are called without a `random_state` make a generator each, which nobody can seed: the moves of
# PatternSearch and the survivors of DIRECT hang on it (pymoo 0.6.2). They get it from the numpy that `pymoo.util` sees.
# Every search has a thread of its own, and its generator with it; all other threads see what they always saw.
_thread = threading.local()


def _default_rng(seed: Any = None) -> np.random.Generator:
    rng = getattr(_thread, "rng", None)
    return np.random.default_rng(seed_from(rng) if seed is None and rng is not None else seed)


_NUMPY = SimpleNamespace(
    **vars(np) | {"random": SimpleNamespace(**vars(np.random) | {"default_rng": _default_rng})},
)


def seed_this_thread(rng: np.random.Generator) -> None:
    """Let generators that pymoo makes without a seed, on this thread, draw it from `rng`."""
    _thread.rng = rng
    pymoo.util.np = _NUMPY
