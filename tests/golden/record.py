"""Golden streams: what each of our own optimizers proposes on fixed problems with a fixed seed, kept in a file each.

A change of an optimizer's proposals shows in review as a change of its file, and as a failing test where it was not
meant. To renew the files of some optimizers after a change that was meant:

    python -m tests.golden.record NAME [NAME ...]

Such a change belongs into the changelog: a study that was stored before does not resume exactly after it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import evohpo as eh
from evohpo.errors import UnknownName
from evohpo.optimizers.registry import BUILT_IN

FOLDER = Path(__file__).parent
SEED, POPULATION = 20, 10
TRIALS = {1: 60, 2: 50}  # by number of objectives
TOLERANCE = 1e-9  # of a gene, as on resume: linear algebra differs in the last bits between machines
DIGITS = 12  # significant ones; what they leave out is far below the tolerance

SPACES = {
    "mixed": eh.Space(
        {
            "rate": eh.Continuous(1e-4, 1e-1, scale="log"),
            "layers": eh.Integer(1, 6),
            "units": eh.Integer(4, 256, scale="log"),
            "batch": eh.Ordinal([32, 64, 128, 256]),
            "solver": eh.Categorical(["sgd", "adam", "lbfgs"]),
            "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
        }
    ),
    "cube": eh.Space({f"x{i}": eh.Continuous(0, 1) for i in range(4)}),
}
Stream = list[dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """A space searched for one objective or two."""

    space: str
    objectives: int

    def __str__(self) -> str:
        return f"{self.space}, {self.objectives} objective{'s' * (self.objectives > 1)}"

    def __call__(self, params: dict[str, Any]) -> dict[str, float]:
        """Measure `first` and `second`; only sums, products and quotients, which no two machines compute differently."""
        if self.space == "cube":
            x = [params[f"x{i}"] for i in range(4)]
            if x[0] + x[1] > 1.6:
                raise ValueError("a corner of the cube fails")
            first = sum((i + 1) * (v - 0.3) * (v - 0.3) for i, v in enumerate(x))
            return {"first": first, "second": sum((v - 0.8) * (v - 0.8) for v in x)}
        if params["layers"] == 5:
            raise ValueError("five layers fail")
        first = 30 * abs(params["rate"] - 0.02) + abs(params["layers"] - 3) / 4 + abs(params["units"] - 60) / 100
        first += {"sgd": abs(params.get("momentum", 0.0) - 0.9), "adam": 0.3, "lbfgs": 0.5}[params["solver"]]
        return {"first": first + abs(params["batch"] - 64) / 300, "second": params["units"] * params["layers"] / 100}


def own_optimizers() -> dict[str, Any]:
    """Return what comes with evohpo, by name."""
    return {name: listed for name, listed in eh.available_optimizers().items() if name in BUILT_IN}


def problems(name: str) -> list[Problem]:
    """Return the problems that an optimizer's streams are recorded on."""
    own = own_optimizers()
    if name not in own:
        raise UnknownName("optimizer of our own", name, own)
    counts = (1, 2) if own[name].objectives == "multi" else (1,)
    return [Problem(space, m) for m in counts for space in SPACES]


def propose(name: str, problem: Problem) -> Stream:
    """Return the configurations that the optimizer proposes, trial by trial."""
    study = eh.tune(
        problem, SPACES[problem.space], minimize=["first", "second"][: problem.objectives], optimizer=name,
        population=POPULATION, trials=TRIALS[problem.objectives], seed=SEED, progress=False,
    )  # fmt: skip
    return [trial.params for trial in study.trials]


def path(name: str) -> Path:
    """Return where an optimizer's streams are kept."""
    return FOLDER / f"{name}.json"


def read(name: str) -> dict[str, Stream]:
    """Return the recorded streams of an optimizer, by problem."""
    return {
        problem: [{k: v for k, v in zip(stored["parameters"], row, strict=True) if v is not None} for row in stored["trials"]]
        for problem, stored in json.loads(path(name).read_text()).items()
    }  # fmt: skip


def write(name: str) -> None:
    """Record the streams of an optimizer, a trial a line."""
    parts = []
    for problem in problems(name):
        names = SPACES[problem.space].names
        rows = [json.dumps([_rounded(params.get(n)) for n in names]) for params in propose(name, problem)]
        head = f'"{problem}": {{"parameters": {json.dumps(names)}, "trials": ['
        parts.append(head + "\n  " + ",\n  ".join(rows) + "\n]}")
    path(name).write_text("{\n" + ",\n".join(parts) + "\n}\n")


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def difference(space: eh.Space, recorded: Stream, now: Stream) -> str:
    """Return where two streams first differ, as trial, parameter and both values; "" if they do not."""
    for trial, (old, new) in enumerate(zip(recorded, now, strict=False)):
        far = np.abs(space.encode([old]) - space.encode([new]))[0] > TOLERANCE
        for parameter, differs in zip(space.searched, far, strict=True):
            if differs or (parameter in old) != (parameter in new):
                then, here = (repr(params[parameter]) if parameter in params else "absent" for params in (old, new))
                return f"trial {trial}, {parameter}: recorded {then}, now {here}"
    if len(recorded) != len(now):
        return f"trial {min(len(recorded), len(now))}: recorded {len(recorded)} trials, now {len(now)}"
    return ""


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(
            f"say which to renew: python -m tests.golden.record NAME [NAME ...]\nthere are {', '.join(own_optimizers())}"
        )
    for chosen in sys.argv[1:]:
        write(chosen)
        print(f"recorded {path(chosen)}; say so in the changelog: stored studies of {chosen!r} will not resume exactly")
