"""How often clients are reviewed, and what becomes of a review that nobody does. Installed by the application."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.clients.vocabulary import Risk
from dashboard.settings import Settings


@dataclass(frozen=True)
class Periods:
    """Months by risk. `lead`: calendar days before its date that a review enters the queue, at most `daily` on one day.
    `escalate` and `restrict`: business days after it was due."""

    low: int
    medium: int
    high: int
    lead: int
    daily: int
    escalate: int
    restrict: int

    def months(self, risk_level: int, *, heightened: bool = False) -> int:
        """Of a risk; one that is not set counts as high, and so does a politically exposed person (AMLR Art. 26(2))."""
        own = {Risk.LOW: self.low, Risk.MEDIUM: self.medium}.get(Risk(risk_level), self.high)
        return min(own, self.high) if heightened else own


_installed: list[Periods] = []


def install(settings: Settings) -> None:
    """Take the periods from the settings."""
    _installed[:] = [
        Periods(
            low=settings.review_months_low,
            medium=settings.review_months_medium,
            high=settings.review_months_high,
            lead=settings.review_lead_days,
            daily=settings.review_daily,
            escalate=settings.review_escalate_days,
            restrict=settings.review_restrict_days,
        )
    ]


def periods() -> Periods:
    """Raises IndexError before `install`: a programming error."""
    return _installed[0]


def in_words(months: int) -> str:
    """`1 year`, `18 months`."""
    count, word = (months // 12, "year") if months % 12 == 0 else (months, "month")
    return f"{count} {word}{'' if count == 1 else 's'}"
