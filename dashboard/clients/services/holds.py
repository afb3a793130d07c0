"""Legal holds: placed by one person at once, ended by two. While one stands, nothing of the client is deleted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients.deletion_models import LegalHold
from dashboard.clients.retention import HoldCode
from dashboard.clients.services.lock import locked
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Invalid, NotFound

KIND = "client.end-hold"
LONGEST_REFERENCE = 500


def place_hold(client_id: UUID, *, code: HoldCode, reference: str | None, by: Actor) -> LegalHold:
    """Works at once. Raises NotFound, Invalid, Conflict (the same hold stands)."""
    by.require(Permission.CLIENTS_ERASE)
    assert by.staff_id is not None  # holds are placed on a page
    said = (reference or "").strip() or None
    if said is None:
        raise Invalid.one("reference", "Say which file or order it is about.", "required")
    if len(said) > LONGEST_REFERENCE:
        raise Invalid.one("reference", f"Use at most {LONGEST_REFERENCE} characters.", "tooLong")
    client = locked(client_id)
    hold = LegalHold(
        id=new_id(),
        client_id=client.id,
        code=code.value,
        reference=said,
        placed_at=clock.now(),
        placed_by=by.staff_id,
        placed_by_name=by.name,
    )
    try:
        with savepoint():
            session().add(hold)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_legal_hold_active":
            raise
        raise Conflict("A hold with this reason stands already.", code="holdStands") from None
    audit.record(
        "deletion.hold_placed",
        by=by,
        object_type="legal_hold",
        object_id=hold.id,
        client_id=client.id,
        restricted={"hold": hold.code, "reference": said},
    )
    return hold


def _hold(hold_id: UUID) -> LegalHold:
    hold = session().get(LegalHold, hold_id)
    if hold is None:
        raise NotFound("There is no such hold.")
    locked(hold.client_id)
    session().refresh(hold)
    return hold


def ask_to_end_hold(hold_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person. Raises NotFound, Conflict (ended, or asked already), Invalid."""
    hold = _hold(hold_id)
    if hold.ended_at is not None:
        raise Conflict("This hold has ended meanwhile.", code="holdEnded")
    client = locked(hold.client_id)
    return approvals.request(
        KIND,
        object_type="legal_hold",
        object_id=hold.id,
        client_id=client.id,
        subject=client.name,
        payload={},
        before={"legal hold": "stands"},
        after={"legal hold": "ended"},
        reason=reason,
        restricted=True,
        by=by,
    )


def hold_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request."""
    return {"ended": _hold(request.object_id).ended_at is not None}


def end_hold(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    hold = _hold(request.object_id)
    hold.ended_at = clock.now()
    hold.end_approval_id = request.id
    session().flush()
    audit.record(
        "deletion.hold_ended",
        by=by,
        object_type="legal_hold",
        object_id=hold.id,
        client_id=hold.client_id,
        restricted={"hold": hold.code, "reason": request.reason},
    )
