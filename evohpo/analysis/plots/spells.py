"""When each trial was worked on, made of when it was started, paused, taken up again and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evohpo.study.study import Study

BREAK = 60.0  # seconds


class Spell(NamedTuple):
    """A time in which one trial was worked on without a break; seconds since the first one began.

    Attributes:
        begin: when it began.
        end: when it ended; of a running trial, when the last event was written.
        number: the trial's number.
        worker: who worked; "" where nobody told.
        kind: "paused" if the trial was paused then, else "" (its status tells).
        open: whether the trial has not ended.
    """

    begin: float
    end: float
    number: int
    worker: str
    kind: str = ""
    open: bool = False


def spells_of(study: Study) -> list[Spell]:
    """Return all times in which trials were worked on."""
    trials, opened, found = study.trials, {}, []
    moments = study.moments()
    for kind, n, time in moments:
        if not 0 <= n < len(trials):
            continue
        trial = trials[n]
        if kind in ("start", "resume"):
            opened[n] = time
        elif kind == "pause" and n in opened:
            found.append(Spell(opened.pop(n), time, n, trial.worker, "paused"))
        elif kind == "end" and n in opened:
            begin = opened.pop(n)
            if trial.job.startswith("reused "):
                continue  # nobody worked
            if trial.seconds and not any(s.number == n for s in found[-1:]):
                begin = max(begin, time - trial.seconds)
            found.append(Spell(begin, time, n, trial.worker))
    last = moments[-1].time if moments else 0.0
    found += [Spell(time, last, n, trials[n].worker, open=True) for n, time in opened.items() if not trials[n].ended]
    first = min((s.begin for s in found), default=0.0)
    return sorted(s._replace(begin=s.begin - first, end=s.end - first) for s in found)


def without_breaks(spells: list[Spell]) -> tuple[list[Spell], list[tuple[float, float]]]:
    """Return the spells with breaks cut out, and for each break where it was cut and its length in seconds.

    A break is more than a minute, and more than a tenth of all time, in which nobody worked: a study that went on the next day
    was not idle over night.
    """
    total = max(s.end for s in spells)
    cuts, until, away, kept = [], 0.0, 0.0, []
    for s in sorted(spells):
        gap = s.begin - until
        if gap > max(BREAK, total / 10):
            cuts.append((until - away, gap))
            away += gap
        until = max(until, s.end)
        kept.append(s._replace(begin=s.begin - away, end=s.end - away))
    return kept, cuts
