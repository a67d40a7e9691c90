"""The capability card of an optimizer: what it declares of itself, and what came of every check."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, overload

from evohpo.optimizers import resolve, use
from evohpo.testing.optimizers import CHECKS, KNOWN
from evohpo.testing.optimizers.helpers import is_steady
from evohpo.testing.outcome import Inapplicable, Outcome, raise_failures, run_checks, set_global_generators

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Traits


@dataclass(frozen=True)
class Card(Sequence[Outcome]):
    """What is known of an optimizer; a sequence of the outcomes of its checks.

    Attributes:
        name: its name.
        origin: where its code comes from.
        traits: what it declares of itself: the very object that a study acts on.
        steady: True if it proposes although results are out; found by trying. None where it cannot be tried.
        outcomes: what came of every check.
    """

    name: str
    origin: str
    traits: Traits
    steady: bool | None
    outcomes: tuple[Outcome, ...]

    @overload
    def __getitem__(self, index: int) -> Outcome: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome]: ...

    def __getitem__(self, index: int | slice) -> Outcome | Sequence[Outcome]:
        return self.outcomes[index]

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether no check failed unexpectedly."""
        return not any(outcome.status == "failed" for outcome in self)

    def holds(self, *checks: str) -> bool:
        """Return whether none of these checks failed, expectedly or not."""
        return all(outcome.status in ("ok", "skipped") for outcome in self if outcome.check in checks)

    @property
    def abilities(self) -> dict[str, str]:
        """What it can, in a few words each."""
        traits = self.traits
        return {
            "objectives": "several" if traits.objectives == "multi" else "one; several are scalarised by the study",
            "constraints": "reads violations itself" if traits.constraints else "ranked by the study",
            "encoding": "Real" if traits.encoding is None else type(traits.encoding).__name__,
            "proposes": {True: "whenever asked", False: "generation by generation", None: "unknown"}[self.steady],
            "repeats itself": "yes" if self.holds("same_seed", "clock", "hash_order", "global_generators") else "no",
            "goes on after a kill": "yes" if self.holds("resume", "resume_at_every_event") else "no",
            "any number of workers": "yes" if self.holds("same_for_any_workers") else "no",
        }

    def to_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps(
            {
                "name": self.name, "origin": self.origin, "passed": self.passed, "abilities": self.abilities,
                "reference": self.traits.reference, "checks": [asdict(outcome) for outcome in self],
            },
            indent=1,
        )  # fmt: skip

    def text(self, style: Callable[[str, str], str] | None = None) -> str:
        """Return the card as lines of at most 100 columns.

        Args:
            style: colours a text by the status of its check.
        """
        style = style or (lambda text, _: text)
        lines = [
            f"{self.name}  ({self.origin})",
            *([f"  {self.traits.reference}"] if self.traits.reference else []),
            "",
        ]
        lines += [f"  {ability:<22}{answer}" for ability, answer in self.abilities.items()]
        lines.append("")
        for outcome in self:
            lines += _lines(outcome, style)
        counts = [f"{n} {s}" for s in ("ok", "failed", "expected", "skipped") if (n := self._count(s))]
        return "\n".join([*lines, "", f"{', '.join(counts)} in {sum(o.seconds for o in self):.1f} s"])

    def _count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self)


def _lines(outcome: Outcome, style: Callable[[str, str], str]) -> list[str]:
    from textwrap import wrap

    first, *more = wrap(outcome.claim, 66)
    lines = [f"{style(f'{outcome.status:<9}', outcome.status)}{outcome.check:<23} {first}"]
    indent = " " * 33
    lines += [indent + line for line in more]
    lines += [indent + "> " + line for line in wrap(outcome.reason, 64)[:4]]
    if outcome.smallest:
        lines.append(f"{indent}> smallest case: {outcome.smallest}")
    return lines


def capability_card(target: Any, *, expected: Mapping[str, str] | None = None, **options: Any) -> Card:
    """Run every check on an optimizer and return its card.

    Args:
        target: whatever `optimizer=` accepts.
        expected: by name of a check, why it may fail.
        **options: what the optimizer is started with.

    Raises:
        UsageError: `target` is no optimizer, or `expected` names a check that there is not.

    Example:
        >>> card = capability_card("random", expected={"better_than_nothing": "it is what others are compared with"})
        >>> card.passed, {outcome.check: outcome.status for outcome in card}["better_than_nothing"]
        (True, 'expected')
    """
    optimizer = use(target, **options)
    resolved = resolve(optimizer)
    outcomes = run_checks(CHECKS, optimizer, KNOWN.get(resolved.name, {}) | dict(expected or {}))
    with set_global_generators(0):
        try:
            steady = is_steady(optimizer)
        except Exception:  # noqa: BLE001 - the checks have said why
            steady = None
    return Card(resolved.name, resolved.origin, resolved.traits, steady, tuple(outcomes))


def check_optimizer(target: Any, *, expected: Mapping[str, str] | None = None, **options: Any) -> None:
    """Check that an optimizer keeps its promises; the arguments are those of `capability_card`.

    Raises:
        CheckFailed: names the first check that failed, and why.
    """
    raise_failures(capability_card(target, expected=expected, **options))


def parametrize_with_checks(
    targets: Sequence[Any], expected: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a pytest decorator that makes one test of every optimizer and every check.

    Expected failures become xfail with their reason, checks that do not apply are skipped.

    Args:
        targets: whatever `optimizer=` accepts.
        expected: by name of a check, why it may fail.

    Example:
        @parametrize_with_checks(["de", my_de])
        def test_it_keeps_its_promises(target, check):
            check(target)
    """
    import pytest

    def runnable(check: Callable[..., None]) -> Callable[[Any], None]:
        def run(target: Any) -> None:
            known = KNOWN.get(resolve(target).name, {}) | dict(expected or {})
            outcome = run_checks([check], target, {k: v for k, v in known.items() if k == check.__name__})[0]
            if outcome.status == "skipped":
                pytest.skip(outcome.reason)
            if outcome.status == "expected":
                pytest.xfail(outcome.reason)
            raise_failures([outcome])

        return run

    names = [
        target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__) for target in targets
    ]
    cases = [
        pytest.param(target, runnable(check), id=f"{name}-{check.__name__}")
        for name, target in zip(names, targets, strict=True)
        for check in CHECKS
    ]
    return pytest.mark.parametrize(("target", "check"), cases)


__all__ = ["Card", "Inapplicable", "capability_card", "check_optimizer", "parametrize_with_checks"]
