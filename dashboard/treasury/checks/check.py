"""What a daily check is: a question about a business day, and an answer that names rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.money import Money

#: findings of one check that are kept one by one; the others are counted
MOST_FINDINGS = 1_000


class Outcome(StrEnum):
    """A check that found something has failed, whatever else it could not look at."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "notRun"


OUTCOME_LABELS = {Outcome.PASSED: "Passed", Outcome.FAILED: "Failed", Outcome.NOT_RUN: "Not run"}


@dataclass(frozen=True)
class Finding:
    """One row that is not as it must be. `says` what is wrong and `todo` what to do, without personal data.

    `cause` is a short code; with pool and currency it tells which alert it belongs to. Amounts are minor units of
    `currency`, or counts where there is none.
    """

    cause: str
    subject_type: str
    subject: str
    says: str
    todo: str
    subject_id: UUID | None = None
    path: str | None = None
    pool: str | None = None
    currency: str | None = None
    expected: int | None = None
    found: int | None = None


@dataclass
class Answer:
    """What a check looked at and found. `count` is of all findings, of which `findings` are the first thousand;
    `missing` are inputs that were not there."""

    looked: int = 0
    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    missing: list[str] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.count += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    @property
    def outcome(self) -> Outcome:
        if self.count:
            return Outcome.FAILED
        return Outcome.NOT_RUN if self.missing else Outcome.PASSED


@dataclass(frozen=True)
class Look:
    """What a check gets. `keep` says in the last statement of each of its transactions that it still goes on, and
    raises when it must not; `run_id` is the run's and its work's identifier."""

    day: date
    at: datetime
    run_id: UUID
    by: Actor
    keep: Callable[[], None]


@dataclass(frozen=True)
class Check:
    """`run` opens transactions of its own and ends each with `look.keep()`. `asks` says what must hold."""

    key: str
    title: str
    asks: str
    run: Callable[[Look], Answer]


def money(minor: int, currency: str) -> str:
    """1,250.00 EUR"""
    return str(Money(minor, currency))


def listed(names: Sequence[str], most: int = 3) -> str:
    """a, b, c and 4 more"""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
