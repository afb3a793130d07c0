"""Payments and transactions as machines read them (reference/004)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import Field

from dashboard.ledger.moving import Moved, Order
from dashboard.ledger.queries.payments import PaymentView
from dashboard.ledger.schemas import Currency
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import Money
from dashboard.web.api import Answer
from dashboard.web.json import iso_utc


class StateChangeDto(Answer):
    payment_id: UUID
    from_: PaymentState = Field(alias="from")
    to: PaymentState
    timestamp: datetime


class TransactionDto(Answer):
    id: UUID
    payment_id: UUID
    parent_id: UUID | None
    parent_type: ParentType
    debtor_account_id: UUID
    debtor_account_number: str
    creditor_account_id: UUID
    creditor_account_number: str
    currency: Currency
    amount: float
    state: PaymentState
    state_reason: str | None
    created_date: datetime
    posted_date: datetime | None
    booking_date: str | None = Field(description="The business day that it is booked on.")
    value_date: str | None
    description: str | None
    state_changes: list[StateChangeDto]


class PaymentDto(Answer):
    payment_id: UUID
    parent_id: UUID
    parent_type: ParentType
    purpose: str = Field(description="Tells payments of one parent apart; `main` unless said.")
    reverses_payment_id: UUID | None
    transactions: list[TransactionDto]


class PaymentEnvelope(Answer):
    is_failed: bool = False
    is_success: bool = True
    reasons: list[dict[str, Any]] | None
    errors: list[dict[str, Any]] | None
    successes: list[dict[str, Any]] | None
    value_or_default: PaymentDto
    value: PaymentDto


class BatchItem(Answer):
    index: int = Field(description="Place in the request, from 0.")
    done: bool
    payment_id: UUID | None
    code: str | None = Field(description="Why not, stable; null when it was done.")
    message: str | None
    details: dict[str, Any] | None


class BatchAnswer(Answer):
    done: int
    refused: int
    items: list[BatchItem]


def _moment(at: datetime | None) -> str | None:
    return iso_utc(at) if at else None


def payment_dto(payment: PaymentView) -> dict[str, Any]:
    """A payment as it stands. Its transactions carry state and history, as reference/004 shows."""
    identifier = str(payment.id)
    changes = [
        {"paymentId": identifier, "from": change.from_state, "to": change.to_state, "timestamp": iso_utc(change.at)}
        for change in payment.changes
    ]
    return {
        "paymentId": identifier,
        "parentId": str(payment.parent_id),
        "parentType": payment.parent_type,
        "purpose": payment.purpose,
        "reversesPaymentId": str(payment.reverses_id) if payment.reverses_id else None,
        "transactions": [
            {
                "id": str(leg.id),
                "paymentId": identifier,
                "parentId": str(payment.parent_id),
                "parentType": payment.parent_type,
                "debtorAccountId": str(leg.debtor_id),
                "debtorAccountNumber": leg.debtor_number,
                "creditorAccountId": str(leg.creditor_id),
                "creditorAccountNumber": leg.creditor_number,
                "currency": leg.money.currency,
                "amount": leg.money.amount,
                "state": payment.state,
                "stateReason": payment.state_reason,
                "createdDate": iso_utc(payment.created_at),
                "postedDate": _moment(payment.posted_at),
                "bookingDate": payment.booking_date.isoformat() if payment.booking_date else None,
                "valueDate": payment.value_date.isoformat() if payment.value_date else None,
                "description": leg.description,
                "stateChanges": changes,
            }
            for leg in payment.transactions
        ],
    }


class Times(NamedTuple):
    """When a payment was made and booked, as it is written."""

    moment: str
    booked: str | None

    @classmethod
    def of(cls, moved: Moved) -> Times:
        assert moved.moment is not None  # it was done
        return cls(iso_utc(moved.moment), moved.booked.isoformat() if moved.booked else None)


def made_dto(order: Order, to: PaymentState, times: Times, numbers: Mapping[UUID, str]) -> dict[str, Any]:
    """The same for a payment that was made just now, without reading it back."""
    identifier, parent = str(order.id), str(order.parent_id)
    moment, booked = times
    posted = to is PaymentState.POSTED
    changes = (
        []
        if to is PaymentState.DRAFT
        else [{"paymentId": identifier, "from": "draft", "to": to.value, "timestamp": moment}]
    )
    value_date = order.value_date.isoformat() if order.value_date else booked
    return {
        "paymentId": identifier,
        "parentId": parent,
        "parentType": order.parent_type.value,
        "purpose": order.purpose,
        "reversesPaymentId": str(order.reverses_id) if order.reverses_id else None,
        "transactions": [
            {
                "id": str(leg.id),
                "paymentId": identifier,
                "parentId": parent,
                "parentType": order.parent_type.value,
                "debtorAccountId": str(leg.debtor_id),
                "debtorAccountNumber": numbers[leg.debtor_id],
                "creditorAccountId": str(leg.creditor_id),
                "creditorAccountNumber": numbers[leg.creditor_id],
                "currency": leg.currency,
                "amount": Money(leg.amount_minor, leg.currency).amount,
                "state": to.value,
                "stateReason": None,
                "createdDate": moment,
                "postedDate": moment if posted else None,
                "bookingDate": booked,
                "valueDate": value_date,
                "description": leg.description,
                "stateChanges": changes,
            }
            for leg in order.legs
        ],
    }
