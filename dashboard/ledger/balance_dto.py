"""Balances, totals and business days as machines read them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from dashboard.ledger.queries.balances import AccountSum, Totals
from dashboard.ledger.queries.days import Comparison, Difference
from dashboard.ledger.schemas import Currency
from dashboard.ledger.services.days import Ended
from dashboard.ledger.services.snapshots import Snapshot
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import Money
from dashboard.web.api import Answer
from dashboard.web.json import iso_utc


class AccountSumDto(Answer):
    account_id: UUID
    account_number: str
    currency: Currency
    posted: float
    held: float | None = Field(description="Null for a past moment.")
    available: float | None = Field(description="Posted minus held; null for a past moment.")


class CalculatedDto(Answer):
    as_of: datetime
    items: list[AccountSumDto] = Field(description="In the order of the request, each account once.")


class TotalDto(Answer):
    currency: Currency
    account_type: AccountType
    accounts: int = Field(description="All that were ever opened.")
    posted: float
    held: float
    available: float


class TotalsDto(Answer):
    as_of: datetime
    items: list[TotalDto]


class DayTotalDto(Answer):
    currency: Currency
    account_type: AccountType
    accounts: int
    posted: float
    debits: float
    credits: float


class SnapshotDto(Answer):
    day: date = Field(alias="date")
    closed_at: datetime
    snapshot_at: datetime
    ended: bool = Field(description="Whether this call ended the day.")
    next_date: date = Field(description="The business day after it.")
    accounts: int = Field(description="Accounts that moved on the day.")
    totals: list[DayTotalDto]


class DifferenceDto(Answer):
    day: date = Field(alias="date")
    account_id: UUID | None = Field(description="Null: a total of currency and account type.")
    account_number: str | None
    currency: Currency
    account_type: AccountType
    field: str = Field(description="posted, debits, credits, movements or accounts")
    stored: float | None = Field(description="Null where the row is missing.")
    rebuilt: float


class ComparisonDto(Answer):
    days: list[date] = Field(description="Closed days of the period that were compared.")
    without_snapshot: list[date]
    rows: int
    difference_count: int
    differences: list[DifferenceDto] = Field(description="The first 1,000.")


def calculated(as_of: datetime, found: list[AccountSum]) -> dict[str, Any]:
    """The answer of GL-06 and G2-02."""

    def amount(minor: int | None, currency: str) -> Any:
        return None if minor is None else Money(minor, currency).amount

    return {
        "asOf": iso_utc(as_of),
        "items": [
            {
                "accountId": str(one.account_id),
                "accountNumber": one.number,
                "currency": one.currency,
                "posted": amount(one.posted, one.currency),
                "held": amount(one.held, one.currency),
                "available": amount(one.available, one.currency),
            }
            for one in found
        ],
    }


def totals_dto(found: Totals) -> dict[str, Any]:
    """The answer of GL-12."""
    return {
        "asOf": iso_utc(found.as_of),
        "items": [
            {
                "currency": total.currency,
                "accountType": total.account_type,
                "accounts": total.accounts,
                "posted": Money(total.posted, total.currency).amount,
                "held": Money(total.held, total.currency).amount,
                "available": Money(total.available, total.currency).amount,
            }
            for total in found.items
        ],
    }


def snapshot_dto(ended: Ended, found: Snapshot) -> dict[str, Any]:
    """The answer of GL-23."""
    return {
        "date": found.day.isoformat(),
        "closedAt": iso_utc(found.closed_at),
        "snapshotAt": iso_utc(found.snapshot_at),
        "ended": ended.by_us,
        "nextDate": ended.next_day.isoformat(),
        "accounts": found.moved,
        "totals": [
            {
                "currency": total.currency,
                "accountType": total.account_type,
                "accounts": total.accounts,
                "posted": Money(total.posted, total.currency).amount,
                "debits": Money(total.debits, total.currency).amount,
                "credits": Money(total.credits, total.currency).amount,
            }
            for total in found.totals
        ],
    }


def _difference(found: Difference) -> dict[str, Any]:
    counted = found.field in {"accounts", "movements"}

    def said(number: int | None) -> Any:
        return number if number is None or counted else Money(number, found.currency).amount

    return {
        "date": found.day.isoformat(),
        "accountId": str(found.account_id) if found.account_id else None,
        "accountNumber": found.number,
        "currency": found.currency,
        "accountType": found.account_type,
        "field": found.field,
        "stored": said(found.stored),
        "rebuilt": said(found.rebuilt),
    }


def comparison_dto(found: Comparison) -> dict[str, Any]:
    """The answer of GL-24."""
    return {
        "days": [day.isoformat() for day in found.days],
        "withoutSnapshot": [day.isoformat() for day in found.missing],
        "rows": found.rows,
        "differenceCount": found.count,
        "differences": [_difference(one) for one in found.differences],
    }
