"""What the pages ask for, as JSON: only what changed since they last asked."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.analysis.report import pages
from evohpo.analysis.report.figures import draw, plots_of
from evohpo.analysis.report.headline import WORDS, portrait_of
from evohpo.analysis.report.rows import cell, columns_of, rows_of
from evohpo.dashboard.following import Followed
from evohpo.dashboard.trials import curves_of, facts_of, files_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.analysis.report.figures import Source
    from evohpo.study import Study

TEMPLATES = Path(__file__).parent / "templates"
MODELLING = threading.Lock()  # one model at a time: the cores belong to the study that runs
PARTS: dict[str, Callable[[Study], str]] = {"learned": pages.learned, "trouble": pages.trouble}


class View:
    """One study on the dashboard.

    It is followed twice, since a model of many trials takes seconds and the table must not wait for it.

    Attributes:
        live: for the table, trials, and plots of what was measured.
        modelled: for what a model is made of.
    """

    def __init__(self, path: Path) -> None:
        self.live, self.modelled = Followed(path), Followed(path)
        self._made: dict[str, dict[str, Any]] = {}

    # ---- what changes with every event

    def state(self, since: str) -> dict[str, Any]:
        """Return what the study's page shows, as far as it changed after version `since`."""

        def shown(study: Study) -> dict[str, Any]:
            columns = columns_of(study, self.live.metrics)
            changed = self.live.changed_since(since)
            return {
                "columns": columns,
                "all": changed is None,
                "rows": rows_of(study, study.trials if changed is None else changed, columns),
                "front": rows_of(study, pages.front(study), columns),
            }

        return self._news(since, shown)

    def card(self, since: str) -> dict[str, Any]:
        """Return what the page of several studies shows of this one."""
        return self._news(since, lambda study: {"progress": _progress(study)})

    def _news(self, since: str, shown: Callable[[Study], dict[str, Any]]) -> dict[str, Any]:
        """Return the state of the file, and of a study that changed after version `since` how it stands and what is `shown`."""
        live = self.live
        live.refresh()
        with live.lock:
            answer: dict[str, Any] = {"version": live.version, "problem": live.problem, "age": _age(live)}
            study = live.study
            if study is None or since == live.version:
                return answer
            head = {"name": study.name, "head": pages.head(study), "best": pages.best(study)}
            return answer | head | shown(study)

    def trial(self, number: int, since: str) -> dict[str, Any] | None:
        """Return the page of one trial; None if there is no such trial."""
        live = self.live
        live.refresh()
        with live.lock:
            study = live.study
            if study is None or not 0 <= number < len(study.trials):
                return None
            changed = live.changed_since(since)
            trial = study.trials[number]
            running = not trial.ended
            answer = {"version": live.version, "problem": live.problem, "age": _age(live)}
            if changed is not None and trial not in changed and not running:
                return answer
            about = {"trial": trial, "words": WORDS.get(trial.status, trial.status), "facts": facts_of(study, trial)}
            return answer | {
                "body": pages.render("trial_body.html", TEMPLATES, best=portrait_of(study, trial), **about),
                "files": pages.render("trial_files.html", TEMPLATES, files=files_of(live.path, number)),
                "curves": curves_of(trial),
            }

    # ---- what takes longer, and is made again only after changes

    def plot(self, key: str, variant: int, seen: str) -> dict[str, Any] | None:
        """Return a plot as JSON text, or why there is none; nothing but its name if the page has that one already.

        None if there is no such plot, or no study.
        """
        live = self.live
        live.refresh()
        with live.lock:
            plots = plots_of(live.study) if live.study is not None else []
        plot = next((p for p in plots if p.key == key and 0 <= variant < len(p.variants)), None)
        if plot is None:
            return None

        def make(study: Study) -> dict[str, Any]:
            drawn = draw(study, plot, variant)
            return {"reason": drawn.reason, "figure": drawn.json}

        return self._make(f"{key}/{variant}", make, plot.source, seen)

    def part(self, key: str, seen: str) -> dict[str, Any] | None:
        """Return a part of the page as HTML; nothing but its name if the page has that one already.

        None if there is no such part, or no study.
        """
        if key not in PARTS:
            return None
        return self._make(key, lambda study: {"html": PARTS[key](study)}, "model", seen)

    def _make(
        self, key: str, make: Callable[[Study], dict[str, Any]], source: Source, seen: str
    ) -> dict[str, Any] | None:
        """Return a thing made from the study as it is, with a name for it and how many seconds it took."""
        followed = self.modelled if source == "model" else self.live
        with MODELLING if source == "model" else nullcontext(), followed.lock:
            followed.refresh()
            if followed.study is None:
                return None
            name = followed.version if source == "trials" else f"{followed.epoch}.r{followed.results}"
            kept = self._made.get(key)
            if kept is None or kept["name"] != name:
                began = time.perf_counter()
                thing = make(followed.study)
                kept = self._made[key] = {"name": name, "seconds": time.perf_counter() - began} | thing
            return {"name": name, "seconds": kept["seconds"]} if name == seen else kept


def _age(followed: Followed) -> float | None:
    """Return how many seconds ago the last event was written; None if there is none."""
    return round(max(0.0, time.time() - followed.latest), 1) if followed.latest else None


def _progress(study: Study) -> dict[str, Any]:
    """Return what a study's curve among others is drawn from: its best so far, or its front in two objectives."""
    objectives = study.goals.objectives
    goal = ", ".join(map(str, objectives))
    if len(objectives) > 1:
        front = sorted([cell(t.metrics[o.metric]) for o in objectives[:2]] for t in study.front())
        x, y = [point[0] for point in front], [point[1] for point in front]
        return {"goal": goal, "x": x, "y": y, "titles": [o.metric for o in objectives[:2]], "kind": "front"}
    x, y, best = [], [], None
    for trial in study.trials:
        if trial.fitness is not None and trial.violation == 0 and (best is None or trial.fitness[0] < best):
            best = trial.fitness[0]
            x.append(trial.number)
            y.append(cell(trial.metrics[objectives[0].metric]))
    if x and x[-1] != len(study.trials) - 1:
        x.append(len(study.trials) - 1)
        y.append(y[-1])
    return {"goal": goal, "x": x, "y": y, "titles": ["trial", f"best {objectives[0].metric}"], "kind": "best"}
