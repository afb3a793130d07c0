"""Unrecognized money that the tests of the desk start from."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.clients.folding import search_text
from dashboard.database import new_id, session, transaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import IncomingRequest, Provider, ProviderMessage, Receipt, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk.opening import open_receipt
from dashboard.transfers.vocabulary import Cause, Kind, Status
from tests.ledger.conftest import Book

PROVIDER = "bank-alpha"
PAYER = "LT127300010144077215"


def provider() -> None:
    if session().get(Provider, PROVIDER) is None:
        session().add(Provider(key=PROVIDER, name="Bank Alpha", kind="files", settings={}, created_at=clock.now()))
        session().flush()


def told(at: datetime | None = None) -> None:
    """A file came from the bank."""
    with transaction():
        provider()
        session().add(
            ProviderMessage(
                provider=PROVIDER, direction="in", kind="camt.054", media_type="text/xml", body="<Document/>",
                at=at or clock.now(),
            )
        )  # fmt: skip


def received(
    book: Book,
    amount_minor: int = 125_000,
    *,
    currency: str = "eur",
    payer: str | None = "Jonas Petrauskas",
    account: str | None = PAYER,
    text: str | None = "inv 4410 ilves",
    reference: str = "",
    booked_at: datetime | None = None,
    cause: Cause = Cause.NOT_RECOGNIZED,
    missing: tuple[str, ...] = (),
) -> UUID:
    """Money on suspense with its receipt; gives the transfer's id."""
    transfer_id = new_id()
    settlement, suspense = book.house(currency), book.house(currency, AccountType.SUSPENSE)
    at = booked_at or clock.now() - timedelta(minutes=5)
    reference = reference or f"BA-{str(transfer_id)[-6:].upper()}"
    order = Order(ParentType.TRANSFER, transfer_id, [Leg(settlement, suspense, amount_minor, currency)])
    with transaction():
        provider()
        payments.pay(order, by=system())
        transfer = Transfer(
            id=transfer_id, kind=Kind.INCOMING.value, status=Status.UNRECOGNIZED.value, account_id=suspense,
            currency=currency, amount_minor=amount_minor, counterparty_name=payer, counterparty_account=account,
            counterparty_key=account, remittance=text, provider=PROVIDER, provider_reference=reference,
            payment_id=order.id, search_text=search_text(payer, text, reference, account), value_date=date(2026, 3, 12),
            created_at=clock.now(), maker_kind="system", maker_name="system",
        )  # fmt: skip
        lifecycle.begin(transfer, by=system())
        session().add(
            IncomingRequest(
                provider=PROVIDER, provider_reference=reference, source="camt.054", body_hash=b"x",
                raw={"debtorName": payer, "remittance": text}, currency=currency, amount_minor=amount_minor,
                debtor_name=payer, debtor_account=account, remittance=text, booked_at=at, state="processed",
                missing=list(missing), transfer_id=transfer_id, created_at=clock.now(), processed_at=clock.now(),
            )
        )  # fmt: skip
        open_receipt(transfer, cause=cause, suspense_account_id=suspense, booked_at=at, by=system())
    return transfer_id


def receipt(transfer_id: UUID) -> Receipt:
    session().expire_all()
    found = session().get_one(Receipt, transfer_id)
    session().commit()
    return found


def events(transfer_id: UUID) -> list[Any]:
    return list(session().execute(sa.text("SELECT kind, text FROM receipt_event WHERE transfer_id = :id ORDER BY id"),
                                  {"id": transfer_id}))  # fmt: skip


__all__ = ["PAYER", "events", "provider", "receipt", "received", "told"]
