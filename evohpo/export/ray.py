"""An optimizer as a searcher of Ray Tune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.export.inside import Inside

try:
    from ray.tune.search import Searcher as RaySearcher
except ImportError as error:
    raise ImportError("export.to_ray needs Ray Tune: pip install 'ray[tune]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.space import Space
    from evohpo.trials import Trial


def to_ray(
    optimizer: Any, space: Space | Mapping[str, Any], *, metric: str, mode: str = "min", population: int | None = None,
    budget: int | None = None, seed: int | None = None, **options: Any,
) -> RaySearcher:  # fmt: skip
    """Return a searcher of Ray Tune that proposes what `optimizer` proposes.

    For `ray.tune.TuneConfig(search_alg=...)`; `param_space` may hold constants, the rest is `space`'s. A searcher that was
    saved and restored by Ray goes on where it was, by replay.

    Args:
        optimizer: whatever `optimizer=` accepts.
        space: what is searched.
        metric: the key of the result that is optimized.
        mode: "min" or "max".
        population: trials a generation.
        budget: how many trials there will be, for optimizers that want to know.
        seed: the same seed proposes the same as at home; drawn where not given.
        **options: what the optimizer is started with.

    Raises:
        ImportError: Ray Tune is not installed.
        UsageError: `mode` is neither.
    """
    if mode not in ("min", "max"):
        raise UsageError(f'mode={mode!r}: must be "min" or "max"')
    return Searcher(Inside(optimizer, space, [mode == "max"], population, budget, seed, options), metric, mode)


class Searcher(RaySearcher):  # type: ignore[misc]  # its types are not looked at
    """See `to_ray`."""

    def __init__(self, inside: Inside, metric: str, mode: str) -> None:
        super().__init__(metric=metric, mode=mode)
        self._inside = inside
        self._out: dict[str, Trial] = {}
        self._calls: list[list[Any]] = []  # what was asked and told, for save

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ARG002
        """Accept a `param_space` of constants; metric and mode stay those of the searcher."""
        from ray.tune.search.variant_generator import _has_unresolved_values

        return (metric, mode) in ((None, None), (self._metric, self._mode)) and not _has_unresolved_values(config)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next configuration, None while a generation is out, "FINISHED" at the end."""
        trial = self._inside.ask()
        self._calls.append(["suggest", trial_id])
        if trial is None:
            return str(RaySearcher.FINISHED) if self._inside.done else None
        self._out[trial_id] = trial
        return dict(trial.params)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell what became of a trial; without a result it failed."""
        trial = self._out.pop(trial_id, None)
        if trial is None:
            return
        value = None if error or not result or self._metric not in result else float(result[self._metric])
        self._calls.append(["complete", trial_id, value])
        self._inside.tell(trial, None if value is None else [value], "failed in Ray Tune")

    def save(self, checkpoint_path: str) -> None:
        """Write the calls so far as JSON."""
        Path(checkpoint_path).write_text(json.dumps(self._calls), "utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Make the calls again that `save` wrote, on a searcher made with the same arguments."""
        for call in json.loads(Path(checkpoint_path).read_text("utf-8")):
            if call[0] == "suggest":
                self.suggest(call[1])
            else:
                value = call[2]
                self.on_trial_complete(call[1], None if value is None else {self._metric: value}, value is None)
