"""What the rules of matching say: which passes, in which order, how far dates may lie apart, and what one may do alone.

A version is kept as JSON and read back here; what it cannot mean is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.errors import FieldError, Invalid
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.treasury.matching.vocabulary import PASS_LABELS, PASSES, Pass

#: days that dates may lie apart at most, whatever the rules say
MOST_DAYS = 90
MOST_BUSINESS_DAYS = 10
#: passes whose finds may be left to a person
WEAK = (Pass.AMOUNT, Pass.SUM)


@dataclass(frozen=True)
class Step:
    """One pass. `days`: booking or value dates lie at most so many calendar days apart. Not `certain`: what it finds
    waits for a person."""

    key: Pass
    days: int
    certain: bool = True

    @property
    def label(self) -> str:
        return PASS_LABELS[self.key]


@dataclass(frozen=True)
class RuleSet:
    """`timing_days`: business days that a ledger row may wait for the bank before it is a break. `due_days`: business
    days until a break is to be settled. `accept_alone`: minor units by currency up to which one person may accept a
    break; a currency without one always takes two."""

    version: int
    steps: Sequence[Step]
    timing_days: int
    due_days: int
    accept_alone: Mapping[str, int] = field(default_factory=dict)

    def alone(self, currency: str) -> int:
        """Minor units up to which one person is enough."""
        return self.accept_alone.get(currency, 0)

    def as_json(self) -> dict[str, Any]:
        """As the table keeps it."""
        return {
            "passes": [
                {"pass": step.key.value, "days": step.days, **({"certain": step.certain} if step.key in WEAK else {})}
                for step in self.steps
            ],
            "timingDays": self.timing_days,
            "dueDays": self.due_days,
            "acceptAlone": dict(sorted(self.accept_alone.items())),
        }


def read(version: int, stored: Mapping[str, Any]) -> RuleSet:
    """A version that was stored: it was checked before."""
    return RuleSet(
        version=version,
        steps=tuple(
            Step(Pass(one["pass"]), int(one["days"]), bool(one.get("certain", True))) for one in stored["passes"]
        ),
        timing_days=int(stored["timingDays"]),
        due_days=int(stored["dueDays"]),
        accept_alone={currency: int(minor) for currency, minor in stored["acceptAlone"].items()},
    )


def check(asked: RuleSet) -> None:
    """Raises Invalid, each field with its rule."""
    errors: list[FieldError] = []
    keys = [step.key for step in asked.steps]
    if not keys:
        errors.append(FieldError("passes", "Keep at least one pass.", "required"))
    if len(set(keys)) != len(keys):
        errors.append(FieldError("passes", "Each pass stands once.", "unique"))
    for step in asked.steps:
        if step.key not in PASSES:
            errors.append(FieldError("passes", "A run makes no such pass.", "enum"))
        if not 0 <= step.days <= MOST_DAYS:
            errors.append(FieldError(f"days.{step.key}", f"Between 0 and {MOST_DAYS} days.", "range"))
        if not step.certain and step.key not in WEAK:
            errors.append(FieldError(f"certain.{step.key}", "What a reference proves needs no person.", "invalid"))
    for name, days in (("timingDays", asked.timing_days), ("dueDays", asked.due_days)):
        if not 0 <= days <= MOST_BUSINESS_DAYS:
            errors.append(FieldError(name, f"Between 0 and {MOST_BUSINESS_DAYS} business days.", "range"))
    for currency, minor in asked.accept_alone.items():
        if currency not in DECIMALS:
            errors.append(FieldError(f"acceptAlone.{currency}", "There is no such currency.", "enum"))
        elif not 0 <= minor <= LARGEST_MINOR_UNITS:
            errors.append(FieldError(f"acceptAlone.{currency}", "The amount is not in range.", "range"))
    if errors:
        raise Invalid(errors)
