"""Putting money that reached no client on the desk."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.transfers.models import Receipt, Transfer
from dashboard.transfers.services.desk import clocks, positions
from dashboard.transfers.vocabulary import Cause, ReceiptState

CAUSE_SENTENCES = {
    Cause.NOT_RECOGNIZED: "Nothing in the message names a client's account.",
    Cause.CREDIT_FROZEN: "The account that the message names takes no money at present.",
    Cause.ACCOUNT_CLOSED: "The account that the message names is closed.",
    Cause.CURRENCY: "The account that the message names is in another currency.",
    Cause.UNDONE: "An assignment was undone.",
}


def open_receipt(
    transfer: Transfer, *, cause: Cause, suspense_account_id: UUID, booked_at: datetime, by: Actor
) -> Receipt:
    """Make a position of an unrecognized transfer that the caller has locked or just made; its money is on the
    suspense account already."""
    due = clocks.deadlines(booked_at)
    receipt = Receipt(
        transfer_id=transfer.id,
        currency=transfer.currency,
        amount_minor=transfer.amount_minor,
        remaining_minor=transfer.amount_minor,
        suspense_account_id=suspense_account_id,
        cause=cause.value,
        state=ReceiptState.OPEN.value,
        booked_at=booked_at,
        allocate_by=due.allocate_by,
        resolve_by=due.resolve_by,
        warn_at=due.warn_at,
        version=1,
    )
    session().add(receipt)
    session().flush()
    positions.put_on_desk(receipt)
    positions.tell(receipt, "attempt", CAUSE_SENTENCES[cause], by=by, cause=cause.value)
    return receipt
