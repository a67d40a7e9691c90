"""The study inside an exported optimizer: it gives one proposal at a time and takes back what is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.optimizers.registry import use
from evohpo.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evohpo.space import Space
    from evohpo.trials import Trial


class Inside:
    """Asks and tells a study of `optimizer` in memory.

    Args:
        optimizer: whatever `optimizer=` accepts.
        space: what is searched.
        maximize: of each objective, whether it is to be made large.
        population: trials a generation.
        budget: how many trials there will be, where the optimizer wants to know.
        seed: as at home; drawn where not given.
        options: of the optimizer.
    """

    def __init__(
        self, optimizer: Any, space: Space | Mapping[str, Any], maximize: Sequence[bool], population: int | None,
        budget: int | None, seed: int | None, options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.names = [f"objective {i}" for i in range(len(maximize))]
        goals: dict[str, list[str]] = {"maximize": [], "minimize": []}
        for name, up in zip(self.names, maximize, strict=True):
            goals["maximize" if up else "minimize"].append(name)
        self.study = Study(
            space, optimizer=use(optimizer, **options) if options else optimizer, population=population, seed=seed,
            duplicates="evaluate", maximize=goals["maximize"] or None, minimize=goals["minimize"] or None,
        )  # fmt: skip
        self.study.begin(budget=budget, workers=1)
        self._spare: list[Trial] = []  # handed back unused

    @property
    def done(self) -> bool:
        """Whether the optimizer has nothing more to propose."""
        return not self._spare and self.study.done

    def ask(self) -> Trial | None:
        """Return the next proposal, None while the optimizer waits for results or when it is done."""
        if self._spare:
            return self._spare.pop(0)
        asked = self.study.ask(1)
        return asked[0] if asked else None

    def give_back(self, trial: Trial) -> None:
        """Take back a proposal that was not evaluated; it is the next one again."""
        self._spare.append(trial)

    def tell(self, trial: Trial, values: Sequence[float] | None, why: str = "failed", stopped: bool = False) -> None:
        """Say what became of a proposal; no values mean that it failed."""
        if values is None:
            self.study.tell(trial, error=why)
        else:
            self.study.tell(trial, self._metrics(values), stopped=stopped)

    def learn(self, config: Mapping[str, Any], values: Sequence[float]) -> None:
        """Tell of a configuration that was not proposed.

        Raises:
            IllegalValue: it is not in the space.
        """
        self.study.attach(self.study.space.narrowed(config), self._metrics(values))

    def _metrics(self, values: Sequence[float]) -> dict[str, float]:
        if len(values) != len(self.names):
            raise UsageError(f"there are {len(values)} values for {len(self.names)} objectives")
        return dict(zip(self.names, map(float, values), strict=True))
