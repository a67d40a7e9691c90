"""What an optimizer is still to be told, and what of a trial it was told before."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.study.ledger import Ledger
    from evohpo.trials.trial import Trial

END = 2**62  # stands for the last step: a trial's end is told after its rungs
Entry: TypeAlias = tuple[int, int]  # a trial's number, and the step of a result before its end, or END


class Untold:
    """Results that wait to be told, in the order of trials and of their steps.

    Of a trial that went on before it was told of, only the last result counts; for an optimizer that wants to know of every
    rung, all of them do, but none twice.

    Args:
        ledger: the trials.
        levelled: the optimizer wants to know of every rung.
    """

    def __init__(self, ledger: Ledger, levelled: bool) -> None:
        self._ledger, self._levelled = ledger, levelled
        self._heap: list[Entry] = []
        self._before: dict[int, int] = {}  # trials told before their end, and at which step; 0 without a result
        self._passed: set[int] = set()  # trials that the optimizer does not wait for
        self._frontier = 0

    def ended(self, trial: Trial) -> None:
        """Remember to tell the end of `trial`, unless all is told that it came to."""
        told = self._before.get(trial.number)
        if told is not None and trial.number in self._passed and (trial.fitness is None or told == trial.steps > 0):
            return  # nothing that it does not know
        if self._levelled or not told or told != trial.steps:
            heapq.heappush(self._heap, (trial.number, END))

    def reached(self, trial: Trial) -> None:
        """Remember to tell what `trial` came to at its last step."""
        heapq.heappush(self._heap, (trial.number, trial.steps))

    def pass_over(self, trial: Trial) -> None:
        """Remember to tell what a running `trial` has come to so far, and do not wait for its end."""
        self._passed.add(trial.number)
        heapq.heappush(self._heap, (trial.number, trial.steps))

    def passes(self, trial: Trial) -> bool:
        """Return whether nobody waits for the end of `trial`."""
        return trial.number in self._passed

    def frontier(self) -> int:
        """Return the number below which every trial has ended, or is not waited for."""
        trials = self._ledger.trials
        while self._frontier < len(trials) and (trials[self._frontier].ended or self._frontier in self._passed):
            self._frontier += 1
        return self._frontier

    def below(self, limit: int | None) -> list[Entry]:
        """Take all entries of trials below a number, of all trials if None."""
        entries: list[Entry] = []
        while (entry := self.next_below(limit)) is not None:
            entries.append(entry)
        return entries

    def next_below(self, limit: int | None) -> Entry | None:
        """Take the first entry of the trials below a number; None if there is none."""
        if not self._heap or (limit is not None and self._heap[0][0] >= limit):
            return None
        entry = heapq.heappop(self._heap)
        while self._heap and self._supersedes(self._heap[0], entry):
            entry = heapq.heappop(self._heap)
        return entry

    def told(self, entries: Iterable[Entry]) -> None:
        """Take out entries that an earlier process told, and those that they superseded."""
        gone, last = set(entries), dict(entries)
        self._heap = [
            e for e in self._heap
            if e not in gone and not (e[0] in last and self._supersedes((e[0], last[e[0]]), e))
        ]  # fmt: skip
        heapq.heapify(self._heap)

    def is_news(self, entry: Entry) -> bool:
        """Return whether nothing was told of the trial before; remember that this is."""
        number, step = entry
        news = number not in self._before
        if step != END:
            self._before[number] = step
        return news

    def memory(self) -> dict[int, int]:
        """Return what is remembered of trials told before their end, and forget it; see `remember`."""
        before, self._before = self._before, {}
        return before

    def remember(self, before: dict[int, int]) -> None:
        """Take back what `memory` returned."""
        self._before = before

    def begin_again(self) -> None:
        """Tell everything that ended again, and nothing that did not."""
        self._before.clear()
        self._heap = [(t.number, END) for t in self._ledger.trials if t.ended]

    def _supersedes(self, later: Entry, earlier: Entry) -> bool:
        number, step = earlier
        same = later[0] == number and later[1] > step
        return same and (not self._levelled or (later[1] == END and self._ledger.trials[number].steps == step))
