"""Transactions of lists, as machines and clients read them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from dashboard.ledger.dto import TransactionDto
from dashboard.ledger.queries.payments import ChangeView
from dashboard.ledger.queries.transactions import TransactionRow
from dashboard.ledger.schemas import Currency
from dashboard.ledger.vocabulary import PaymentState
from dashboard.web.api import Answer
from dashboard.web.json import iso_utc


class TransactionList(Answer):
    items: list[TransactionDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="Only with includeTotal=true.")


class OwnTransactionDto(Answer):
    """A transaction as the owner of one of its accounts sees it: of the other side nothing."""

    id: UUID
    payment_id: UUID
    debtor_account_id: UUID | None = Field(description="Null unless it is the client's own.")
    debtor_account_number: str | None
    creditor_account_id: UUID | None = Field(description="Null unless it is the client's own.")
    creditor_account_number: str | None
    currency: Currency
    amount: float
    state: PaymentState
    created_date: datetime
    posted_date: datetime | None
    booking_date: str | None = Field(description="The business day that it is booked on.")
    value_date: str | None
    description: str | None


class OwnTransactionList(Answer):
    items: list[OwnTransactionDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="With includeTotal=true or a page number.")


def _said(row: TransactionRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "paymentId": str(row.payment_id),
        "debtorAccountId": str(row.debtor_id),
        "debtorAccountNumber": row.debtor_number,
        "creditorAccountId": str(row.creditor_id),
        "creditorAccountNumber": row.creditor_number,
        "currency": row.money.currency,
        "amount": row.money.amount,
        "state": row.state,
        "createdDate": iso_utc(row.created_at),
        "postedDate": iso_utc(row.posted_at) if row.posted_at else None,
        "bookingDate": row.booking_date.isoformat() if row.booking_date else None,
        "valueDate": row.value_date.isoformat() if row.value_date else None,
        "description": row.description,
    }


def transaction_dto(row: TransactionRow, changes: Sequence[ChangeView]) -> dict[str, Any]:
    """As payments show their transactions (reference/004)."""
    return _said(row) | {
        "parentId": str(row.parent_id),
        "parentType": row.parent_type,
        "stateReason": row.state_reason,
        "stateChanges": [
            {"paymentId": str(row.payment_id), "from": change.from_state, "to": change.to_state,
             "timestamp": iso_utc(change.at)}
            for change in changes
        ],
    }  # fmt: skip


def own_transaction_dto(row: TransactionRow, own: Collection[UUID]) -> dict[str, Any]:
    """`own`: accounts of the client that reads."""
    said = _said(row)
    for side, account_id in (("debtor", row.debtor_id), ("creditor", row.creditor_id)):
        if account_id not in own:
            said[f"{side}AccountId"] = said[f"{side}AccountNumber"] = None
    return said
