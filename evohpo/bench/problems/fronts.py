"""Problems of several objectives with a known front: ZDT1-4 and 6, DTLZ2, C1-DTLZ1, OSY, TNK."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from evohpo.bench.problems.landscapes import stream
from evohpo.bench.problems.problem import Problem
from evohpo.errors import UnknownName
from evohpo.testing.fronts import FRONTS, MARGIN
from evohpo.trials.goals import Goals
from evohpo.trials.pareto import hypervolume

NAMES = {name.lower(): name for name in FRONTS}
RANDOM = 1000  # points whose median the reference point is at least, so that early trials count for something
ALONG = {2: 100_000, 3: 10_000}  # points of a front, by the number of objectives


def front(name: str) -> Problem:
    """Return a problem of several objectives by its name in the literature.

    The reference point is as bad as the median random point, and a tenth of the front's range beyond its worst end at least;
    the optimum is the hypervolume of the whole front up to there.

    Raises:
        UnknownName: there is none of that name.

    Example:
        >>> front("zdt1")
        Problem('zdt1', minimize f1, minimize f2, 30 parameters)
    """
    if name.lower() not in NAMES:
        raise UnknownName("front", name, NAMES)
    known = FRONTS[NAMES[name.lower()]]
    goals = Goals.of(minimize=known.metrics, constraints=known.limits)
    volume, reference = _known(known.name)
    return Problem(name.lower(), known, known.space, goals, volume, reference)


@lru_cache
def _known(name: str) -> tuple[float, tuple[float, ...]]:
    """Return the hypervolume of a front up to the reference point, and that point."""
    known = FRONTS[name]
    span = known.nadir - known.ideal
    near = known.nadir + MARGIN * span
    F, _ = known.evaluate(stream(name, 0).random((RANDOM, known.dim)))
    far = np.maximum(near, np.median(F, axis=0))
    # the front's volume is known up to the near point; between the two the gaps between its points do not matter
    points = known.optimal(ALONG[known.m])
    between = hypervolume(points, far) - hypervolume(points, near)
    return known.volume * float(span.prod()) + between, tuple(far.tolist())
