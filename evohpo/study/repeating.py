"""Which configurations are measured again, so that the best is not the luckiest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study.chronicle import Chronicle
    from evohpo.trials.trial import Trial

MOST = 8  # times a configuration is measured at most, where the study decides
SHARE = 0.25  # of all trials that may be repeats, likewise
SURE = 1.64  # standard errors between the best two after which their order counts as certain
LEAST = 4  # configurations with a result, before the first is measured again


def check_repeats(repeats: int | str | None) -> None:
    """Refuse what is neither a number of times nor "auto".

    Raises:
        UsageError: it is something else.
    """
    whole = isinstance(repeats, int) and not isinstance(repeats, bool) and repeats >= 1
    if repeats not in (None, "auto") and not whole:
        raise UsageError(
            f'repeats={repeats!r}: must be "auto", or how often the best configurations are measured, at least 1'
        )


class Repeating:
    """Decides, between two generations or proposals, whether the leader is measured again before it is believed.

    With a number, whatever leads is measured so often: a lucky winner falls back, and the next one has to stand the same test.
    With "auto" only as often as its order to the second is uncertain, at most 8 times, and never if two measurements of one
    configuration agreed. With several objectives the whole front leads.

    Reference: Hutter, Hoos, Leyton-Brown, Stützle (2009), ParamILS: intensification of the incumbent; Jin and Branke (2005),
    Evolutionary optimization in uncertain environments, on resampling.
    """

    def __init__(self, chronicle: Chronicle, repeats: int | str | None) -> None:
        self._chronicle, self._ledger, self._conversation = chronicle, chronicle.ledger, chronicle.conversation
        self._repeats = repeats
        self._decided = 0  # at how many trials, with lookahead

    def holds_up(self) -> bool:
        """Return whether nothing may be proposed now, so that timing cannot matter.

        A generation begins when the repeats before it have ended; with lookahead all that runs is awaited once a generation.
        """
        if self._repeats in (None, 1):
            return False
        if self._conversation.lookahead:
            return self._is_due() and not self._all_ended()
        return not self._conversation.queue and not self._conversation.steady and self._ledger.repeating > 0

    def decide(self) -> bool:
        """Put the configurations that are to be measured now before all proposals; return whether there are any."""
        if self._repeats in (None, 1) or not self._may_decide():
            return False
        self._decided = len(self._ledger.trials)
        chosen = self._of_the_leader() if self._ledger.single else self._of_the_front()
        self._chronicle.measure_again([t.number for t in chosen])
        return bool(chosen)

    def _may_decide(self) -> bool:
        if self._ledger.succeeded < LEAST:
            return False
        if self._conversation.lookahead:
            return self._is_due() and self._all_ended()
        if not self._conversation.steady:
            return not self._conversation.queue and self._all_ended()
        return self._ledger.repeating == 0 and (self._ledger.single or self._is_due())

    def _is_due(self) -> bool:
        return len(self._ledger.trials) - self._decided >= self._conversation.generation_size

    def _all_ended(self) -> bool:
        return self._ledger.ended == len(self._ledger.trials)

    def _of_the_leader(self) -> list[Trial]:
        repeats = self._ledger.repeats
        best = repeats.ranking(self._ledger.trials, caution=0.0)
        if not best:
            return []
        leader, done = best[0], repeats.attempts(best[0])
        if isinstance(self._repeats, int):
            return [leader] * (self._repeats - done)
        if done >= MOST or not self._affordable() or self._exact():
            return []
        return [leader] * min(2, MOST - done) if done == 1 or self._uncertain(best) else []

    def _uncertain(self, best: list[Trial]) -> bool:
        repeats = self._ledger.repeats
        noise = repeats.noise()
        if noise is None or len(best) < 2:
            return noise is None
        counts = [len(repeats.group(t)) for t in best]
        gap = float(repeats.mean(best[1])[0] - repeats.mean(best[0])[0])
        return gap < SURE * float(noise[0]) * math.sqrt(1 / counts[0] + 1 / counts[1])

    def _of_the_front(self) -> list[Trial]:
        repeats, most = self._ledger.repeats, self._repeats if isinstance(self._repeats, int) else 3
        if self._repeats == "auto" and (not self._affordable() or self._exact()):
            return []
        return [t for t in self._ledger.front if repeats.attempts(t) < most]

    def _exact(self) -> bool:
        noise = self._ledger.repeats.noise()
        return noise is not None and not noise.any()

    def _affordable(self) -> bool:
        return self._ledger.repeated < SHARE * len(self._ledger.trials)
