"""Searching the payer in a sanctions list before money goes back."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.transfers.models import Screening
from dashboard.transfers.services.desk import positions
from dashboard.transfers.vocabulary import UNDECIDED, ReceiptState, ScreeningResult

LONGEST_NAME = 100


def screen(
    transfer_id: UUID, *, list_name: str, list_version: str, result: ScreeningResult, note: str | None, by: Actor
) -> Screening:
    """Record what a search said; anything but clear takes a note. Also while a second person is waited for: what they
    would approve has changed then. Raises NotFound, Refused, Invalid, Forbidden."""
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    if ReceiptState(receipt.state) not in UNDECIDED:
        raise Refused(f"This money is {receipt.state} already.", code="invalidState",
                      details={"state": receipt.state})  # fmt: skip
    said = (note or "").strip() or None
    if result is not ScreeningResult.CLEAR or said:
        said = positions.text_of(said, "note")
    record = Screening(
        transfer_id=transfer_id,
        list_name=positions.text_of(list_name, "listName", longest=LONGEST_NAME),
        list_version=positions.text_of(list_version, "listVersion", longest=LONGEST_NAME),
        result=result.value,
        note=said,
        at=clock.now(),
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name,
    )
    session().add(record)
    session().flush()
    audit.record("receipt.screened", by=by, object_type="transfer", object_id=transfer_id,
                 after={"list": record.list_name, "version": record.list_version})  # fmt: skip
    return record


def latest(transfer_id: UUID) -> Screening | None:
    """The last search of this receipt's payer."""
    return session().scalar(
        sa.select(Screening).where(Screening.transfer_id == transfer_id).order_by(Screening.id.desc()).limit(1)
    )


def require_clear(transfer_id: UUID) -> Screening:
    """Raises Refused `screeningRequired`, `screeningHit`."""
    found = latest(transfer_id)
    if found is None:
        raise Refused("Search the payer in a sanctions list first.", code="screeningRequired")
    if found.result == ScreeningResult.HIT:
        raise Refused("The search found the payer. Money does not go back before that is settled.", code="screeningHit")
    return found
