"""Changing the status of a transfer: one way, with its history and evidence. Money has moved before, by the ledger."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import NotFound, Refused
from dashboard.transfers.models import StatusChange, Transfer
from dashboard.transfers.vocabulary import FINAL, FOLLOWING, Kind, Status

LONGEST_REASON = 500


def locked(transfer_id: UUID, *, kind: Kind | None = None, client_id: UUID | None = None) -> Transfer:
    """The transfer, locked until the transaction ends (not against foreign keys).

    Raises NotFound `transferNotFound`, alike for another kind and for somebody else's where `client_id` is given.
    """
    query = sa.select(Transfer).where(Transfer.id == transfer_id)
    if kind is not None:
        query = query.where(Transfer.kind == kind.value)
    if client_id is not None:
        query = query.where(Transfer.client_id == client_id)
    found = session().scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such transfer.", code="transferNotFound")
    return found


def require_status(transfer: Transfer, *allowed: Status) -> None:
    """Raises Refused `invalidState` naming the status."""
    if Status(transfer.status) not in allowed:
        raise Refused(
            f"A transfer that is {transfer.status} does not allow this.",
            code="invalidState",
            details={"status": transfer.status, "allowed": [status.value for status in allowed]},
        )


def begin(transfer: Transfer, *, by: Actor, code: str | None = None, reason: str | None = None) -> Transfer:
    """Store a fresh transfer with the first line of its history and its evidence."""
    session().add(transfer)
    session().flush()
    _tell(transfer, None, code, reason, by)
    return transfer


def change_status(
    transfer: Transfer, to: Status, *, by: Actor, code: str | None = None, reason: str | None = None, **fields: Any
) -> None:
    """Take a locked transfer to its next status; `fields` are columns that change with it.

    The ledger has done its part before. Raises Refused `invalidState`.
    """
    before = Status(transfer.status)
    if to not in FOLLOWING[Kind(transfer.kind)].get(before, frozenset()):
        raise Refused(
            f"A transfer that is {before.value} cannot become {to.value}.",
            code="invalidState",
            details={"status": before.value, "wanted": to.value},
        )
    for name, value in fields.items():
        setattr(transfer, name, value)
    moment = clock.now()
    transfer.status = to.value
    transfer.version += 1
    transfer.ended_at = moment if to in FINAL else None
    if to is Status.CONFIRMED and transfer.confirmed_at is None:
        transfer.confirmed_at = moment
    if to is Status.SUBMITTED and transfer.submitted_at is None:
        transfer.submitted_at = moment
    session().flush()
    _tell(transfer, before, code, reason, by)


def note(transfer: Transfer, *, code: str, reason: str | None = None, by: Actor) -> None:
    """A line of its history while the status stays: what was asked for, or said, meanwhile. The transfer is locked."""
    _tell(transfer, Status(transfer.status), code, reason, by, action=code)


def _tell(
    transfer: Transfer, before: Status | None, code: str | None, reason: str | None, by: Actor, action: str = ""
) -> None:
    last = session().scalar(
        sa.select(sa.func.max(StatusChange.position)).where(StatusChange.transfer_id == transfer.id)
    )
    session().add(
        StatusChange(
            transfer_id=transfer.id,
            position=(last or 0) + 1,
            from_status=before.value if before else None,
            to_status=transfer.status,
            at=clock.now(),
            code=code,
            reason=reason[:LONGEST_REASON] if reason else None,
            by_kind=by.kind,
            by_id=by.id,
            by_name=by.name,
        )
    )
    session().flush()
    audit.record(
        f"transfer.{action or transfer.status}",
        by=by,
        object_type="transfer",
        object_id=transfer.id,
        client_id=transfer.client_id,
        before={"status": before.value} if before else None,
        after={"status": transfer.status, **({"code": code} if code else {})},
        reason=reason,
    )
