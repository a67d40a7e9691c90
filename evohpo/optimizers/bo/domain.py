"""The chromosomes as a model sees them: one row for one configuration, and coordinates in which distances mean something."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.operators import Mask, phenotype, unordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evohpo.optimizers.protocol import Array, Problem
    from evohpo.space.parameters import Values

TABLED = 10_000  # values of a parameter on a scale whose genes are listed; with more, it is as good as continuous
SMOOTH = 5  # values from which on it makes sense to stretch a scale


class Domain:
    """What the genes of a problem mean.

    Coordinates are genes of numbers as they are, choices without order one-hot, whether each condition holds, and, of
    objectives that train in steps, the step on a log scale. All are within [0, 1], and two choices are 1 apart.

    Attributes:
        dim: number of genes.
        genes: what each gene is.
        nominal: `(dim,)` whether values have no order.
        distinct: `(dim,)` number of values, infinite for continuous genes.
        owner: `(features,)` which length scale each coordinate has: its gene's, behind these one a condition and the step's.
        scales: number of length scales.
        stretchable: `(features,)` whether it makes sense to stretch this coordinate.
        active_genes: about how many genes apply at once.
    """

    def __init__(self, problem: Problem) -> None:
        self.dim, self.genes, self.space, self.encoding = problem.dim, problem.genes, problem.space, problem.encoding
        self.nominal = unordered(problem.genes)
        self._conditional = bool(self.space is not None and self.space.conditions)
        self._constrained = bool(self.space is not None and self.space.constraints)
        self._last = problem.max_steps or 0
        self._tables = self._listed()
        k = np.asarray(problem.genes.cardinality)
        self.distinct = np.where(k > 0, k, np.inf)
        for gene, (_, genes) in self._tables.items():
            self.distinct[gene] = len(genes)
        width = np.where(self.nominal & (k > 2), k, 1)
        self._hot = np.repeat(np.arange(self.dim), width)  # the gene of each coordinate that is made of one
        self._choice = np.arange(len(self._hot)) - (np.cumsum(width) - width)[self._hot]
        self._numeric = (width == 1)[self._hot]
        self._conditions = self._gates()
        more = len(self._conditions) + (self._last > 1)
        self.scales = self.dim + more
        self.owner = np.concatenate([self._hot, np.arange(self.dim, self.scales)])
        smooth = self._numeric & (self.distinct[self._hot] >= SMOOTH)
        self.stretchable = np.concatenate([smooth, np.zeros(more, bool)])
        if self._last > 1:
            self.stretchable[-1] = True
        probe = np.random.default_rng(0).random((256, self.dim))
        self.active_genes = float(self.active(probe).mean(0).sum())

    def _listed(self) -> dict[int, tuple[Values, Array]]:
        """Return values and genes of parameters on a scale that have finitely many, by gene, in order of the values."""
        tables: dict[int, tuple[Values, Array]] = {}
        if self.space is None or len(self.space.searched) != self.dim:
            return tables
        for i, name in enumerate(self.space.searched):
            p = self.space.parameters[name]
            if not p.cardinality and p.size <= TABLED:
                values = p.values_listed()
                tables[i] = np.array(values), np.array([p.gene(value) for value in values])
        return tables

    def _gates(self) -> NDArray[np.int64]:
        """Return one gene for each condition that genes apply under."""
        if not self._conditional or self.space is None:
            return np.empty(0, np.int64)
        conditions = self.space.conditions
        texts = [conditions[name].text if name in conditions else "" for name in self.genes.parameter]
        return np.array([texts.index(text) for text in dict.fromkeys(texts) if text], np.int64)

    def active(self, X: Array) -> Mask:
        """Return `(n, dim)`: which genes have a say."""
        return np.asarray(self.encoding.active(X)) if self._conditional else np.ones(X.shape, bool)

    def canonical(self, X: Array) -> Array:
        """Return chromosomes of the same configurations, equal where these are: snapped, inactive genes at 0.5."""
        out = phenotype(np.clip(X, 0.0, 1.0), self.genes)
        for i, (values, genes) in self._tables.items():
            assert self.space is not None
            read = self.space.parameters[self.space.searched[i]].read(out[:, i])
            out[:, i] = genes[np.searchsorted(values, read)]
        return np.where(self.active(out), out, 0.5) if self._conditional else out

    def legal(self, X: Array) -> Mask:
        """Return `(n,)`: which rows satisfy the constraints on hyperparameters."""
        if not self._constrained or self.space is None:
            return np.ones(len(X), bool)
        return np.asarray(self.space.satisfied(X).all(1))

    def resource(self, steps: NDArray[np.int64]) -> Array:
        """Return where steps are on the way to the last one, on a log scale; results without steps are at the end."""
        if self._last <= 1:
            return np.ones(len(steps))
        return np.where(steps > 0, np.log(np.clip(steps, 1, self._last)) / math.log(self._last), 1.0)

    def coordinates(self, X: Array, resource: Array | float = 1.0) -> Array:
        """Return `(n, features)` of canonical rows.

        What does not apply counts as in the middle of its range, or as none of the choices.
        """
        at = X[:, self._hot]
        k = np.asarray(self.genes.cardinality)[self._hot]
        chosen = np.floor(at * k) == self._choice
        parts = [np.where(self._numeric, at, np.where(chosen, math.sqrt(0.5), 0.0))]
        if self._conditional:
            active = self.active(X)
            parts[0] = np.where(active[:, self._hot] | self._numeric, parts[0], 0.0)
            parts.append(active[:, self._conditions].astype(float))
        if self._last > 1:
            parts.append(np.full((len(X), 1), 1.0) * np.reshape(resource, (-1, 1)))
        return np.concatenate(parts, 1)
