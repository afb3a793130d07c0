"""GL-29 as machines ask for it and read it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from dashboard.ledger.balance_schemas import CurrencyFilter
from dashboard.ledger.schemas import Currency
from dashboard.money import Money
from dashboard.treasury.positions.queries.summary import Item, Summary
from dashboard.treasury.vocabulary import Pool
from dashboard.web.api import Answer, Body
from dashboard.web.json import iso_utc
from dashboard.web.parameters import Unset


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out is not set to anything."""
    schema.pop("default", None)


class SummaryQuery(Body):
    currency: CurrencyFilter = Field(None, json_schema_extra=_without_default)
    provider: Annotated[str | None, Unset, Field(max_length=50)] = Field(
        None, json_schema_extra=_without_default, description="Only what lies at this provider."
    )


class ItemDto(Answer):
    currency: Currency
    pool: Pool
    provider: str | None = Field(description="Null: what the institution owes and has in this currency and pool.")
    client_liability: float | None = Field(description="Sum of the balances of clients that are not negative.")
    negative_balances: float | None = Field(description="Balances below zero, never netted with the others.")
    held: float | None = Field(description="Reserved at this moment; part of clientLiability.")
    unallocated: float | None = Field(description="Received, and not recognized yet.")
    pending_out: float | None = Field(description="Booked out, not left the bank yet.")
    pending_in: float | None = Field(description="At the bank, not booked yet.")
    settlement_ledger: float | None = Field(description="What the ledger says lies at the bank.")
    statement_balance: float | None
    statement_as_of: date | None = Field(description="The day whose end the oldest of the statements is of.")
    difference: float | None = Field(description="Bank less ledger.")
    requirement: float | None = Field(description="At least this, where pendingIn or pendingOut is null.")
    other_safeguarded: float | None = Field(
        description="Secure assets, guarantees and policies valid on the day; part of resource."
    )
    resource: float | None = Field(description="At the banks in designated accounts, and otherSafeguarded.")
    excess: float | None = Field(description="Resource less requirement; negative: a shortfall.")
    unmatched_lines: int | None = Field(description="Lines of the banks that nothing matched by the end of the day.")
    unmatched_amount: float | None = Field(description="Their amounts, without signs.")


class SummaryDto(Answer):
    as_of: datetime
    business_day: date | None
    base_currency: Currency
    items: list[ItemDto]


def _item(one: Item) -> dict[str, Any]:
    def amount(minor: int | None) -> Any:
        return None if minor is None else Money(minor, one.currency).amount

    return {
        "currency": one.currency,
        "pool": one.pool,
        "provider": one.provider,
        "clientLiability": amount(one.client),
        "negativeBalances": amount(one.negative),
        "held": amount(one.held),
        "unallocated": amount(one.unrecognized),
        "pendingOut": amount(one.sent),
        "pendingIn": amount(one.received),
        "settlementLedger": amount(one.ledger),
        "statementBalance": amount(one.statement),
        "statementAsOf": one.statement_day.isoformat() if one.statement_day else None,
        "difference": amount(one.difference),
        "requirement": amount(one.requirement),
        "otherSafeguarded": amount(one.other),
        "resource": amount(one.resource),
        "excess": amount(one.excess),
        "unmatchedLines": one.unmatched,
        "unmatchedAmount": amount(one.unmatched_amount),
    }


def summary_dto(found: Summary) -> dict[str, Any]:
    """The answer."""
    return {
        "asOf": iso_utc(found.as_of),
        "businessDay": found.day.isoformat() if found.day else None,
        "baseCurrency": found.base_currency,
        "items": [_item(one) for one in found.items],
    }
