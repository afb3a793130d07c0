"""From a wish to be deleted to the purge: asked by the client or for it, planned by two people, carried out by a job.

While a request is open, processing is restricted (GDPR Art. 18): the profile rests, no account is opened, and who
does not work on deletions no longer sees the personal facts. Money is not frozen: what the client holds is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients import deletion, retention
from dashboard.clients.calendar import calendar
from dashboard.clients.deletion_models import DeletionRequest
from dashboard.clients.models import Client
from dashboard.clients.retention import OPEN, Channel, DeletionState, Ground
from dashboard.clients.services.freeze import apply_freeze
from dashboard.clients.services.lock import locked
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, DomainError, Invalid, NotFound, Refused
from dashboard.queues import services as queues
from dashboard.web.logs import log

KIND = "client.purge"
QUEUE = "deletion-requests"
LONGEST_TEXT = 2000
#: a letter may have lain for a while, not for years
OLDEST_LETTER = timedelta(days=366)

#: what lies outside the tables of the register, and how it goes: called inside the transaction, it gives what is to be
#: done after the commit (files); both may happen again, and do nothing where nothing is left
Eraser = Callable[[UUID, Actor], Callable[[], object]]
_erasers: dict[str, Eraser] = {}


def learn(erasers: dict[str, Eraser]) -> None:
    """Domains with files of clients name here how they go; `app.py` connects them."""
    _erasers.update(erasers)


def _words(text: str | None, field: str, *, required: str | None = None) -> str | None:
    said = (text or "").strip() or None
    if said is None and required:
        raise Invalid.one(field, required, "required")
    if said is not None and len(said) > LONGEST_TEXT:
        raise Invalid.one(field, f"Use at most {LONGEST_TEXT} characters.", "tooLong")
    return said


def request_deletion(
    client_id: UUID,
    *,
    channel: Channel,
    reason: str | None = None,
    received_on: date | None = None,
    by: Actor,
) -> DeletionRequest:
    """Open a request; processing is restricted from now on. While one is open, it is the answer.

    Raises NotFound, Invalid (dates, lengths).
    """
    said = _words(reason, "reason")
    today = calendar().today()
    received = received_on or today
    if received > today:
        raise Invalid.one("received_on", "The day lies in the future.", "range")
    if received < today - OLDEST_LETTER:
        raise Invalid.one("received_on", "Choose a day within the last year.", "range")
    client = locked(client_id)
    standing = deletion.open_request(client.id)
    if standing is not None:
        return standing
    fresh = DeletionRequest(
        id=new_id(),
        client_id=client.id,
        state=DeletionState.REQUESTED.value,
        channel=channel.value,
        reason=said,
        received_on=received,
        requested_at=clock.now(),
        requested_by_kind=by.kind,
        requested_by_id=by.id,
        requested_by_name=by.name,
    )
    session().add(fresh)
    session().flush()
    _restricted(client)
    _open_item(fresh, cause="decide", due=calendar().closing(retention.answer_due(received)))
    audit.record(
        "deletion.requested",
        by=by,
        object_type="deletion_request",
        object_id=fresh.id,
        client_id=client.id,
        after={"processing": "restricted"},
        restricted={"reason": said} if said else None,
    )
    return fresh


def _restricted(client: Client) -> None:
    """Read what the database wrote beside a request, and let no account be opened, or again."""
    client.version += 1
    session().flush()
    session().refresh(client)
    apply_freeze(client.id)


def _open_item(request: DeletionRequest, *, cause: str, due: Any) -> None:
    queues.open_item(
        QUEUE,
        cause=cause,
        object_type="deletion_request",
        object_id=request.id,
        client_id=request.client_id,
        due_at=due,
    )


def _open(request_id: UUID) -> tuple[Client, DeletionRequest]:
    """Both locked. Raises NotFound, Conflict (closed meanwhile)."""
    found = session().get(DeletionRequest, request_id)
    if found is None:
        raise NotFound("There is no such request.")
    client = locked(found.client_id)
    session().refresh(found, with_for_update=True)
    if found.state not in OPEN:
        raise Conflict("This request is closed already.", code="requestClosed", details={"state": found.state})
    return client, found


def _close(request: DeletionRequest, state: DeletionState, client: Client, *, by: Actor) -> None:
    request.state = state.value
    request.closed_at = clock.now()
    request.closed_by_name = by.name
    session().flush()
    approvals.close_as_stale(KIND, request.id)
    queues.close_items(QUEUE, object_id=request.id, by=by)
    _restricted(client)


def withdraw_deletion(request_id: UUID, *, reason: str, by: Actor) -> DeletionRequest:
    """The client changed its mind: nothing is restricted any more. Raises NotFound, Conflict, Invalid."""
    by.require(Permission.CLIENTS_ERASE)
    why = _words(reason, "reason", required="Say how the client told.")
    client, found = _open(request_id)
    _close(found, DeletionState.WITHDRAWN, client, by=by)
    audit.record(
        "deletion.withdrawn",
        by=by,
        object_type="deletion_request",
        object_id=found.id,
        client_id=client.id,
        after={"processing": "as usual"},
        restricted={"reason": why},
    )
    return found


def refuse_deletion(request_id: UUID, *, ground: Ground, reason: str, by: Actor) -> DeletionRequest:
    """Refuse by law, and say so to the client. Raises NotFound, Conflict, Invalid (no reason), Refused: that the law
    wants the data kept after the end of a relationship is no ground, the request waits instead."""
    by.require(Permission.CLIENTS_ERASE)
    why = _words(reason, "reason", required="Say why; the client may ask.")
    client, found = _open(request_id)
    if ground is Ground.LEGAL_OBLIGATION and client.closed_at is not None:
        raise Refused(
            "The relationship has ended: the data is deleted when retention is over. Ask for the deletion instead.",
            code="retentionIsNoGround",
        )
    found.refusal_ground, found.refusal_reason = ground.value, why
    _close(found, DeletionState.REFUSED, client, by=by)
    audit.record(
        "deletion.refused",
        by=by,
        object_type="deletion_request",
        object_id=found.id,
        client_id=client.id,
        after={"processing": "as usual"},
        restricted={"ground": retention.GROUND_LABELS[ground], "reason": why},
    )
    return found


def _refuse_obstacles(client: Client, by: Actor) -> None:
    standing = deletion.standing(client)
    if not standing.obstacles:
        return
    told = dict(standing.obstacles)
    left = [step for step in deletion.steps(standing) if step.left and step.key not in {"plan", "retention"}]
    words = [step.left for step in left if by.sees_restricted or not step.restricted]
    if not by.sees_restricted:
        told.pop(deletion.SANCTIONS_MARK, None)
    said = "; ".join(words) or "something stands in the way"
    raise Refused(f"Not yet: {said}.", code="cannotDelete", details={"obstacles": told})


def ask_to_purge(request_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person to let the data go when retention is over. Raises NotFound, Conflict, Refused, Invalid."""
    client, found = _open(request_id)
    if found.state != DeletionState.REQUESTED:
        raise Conflict("This deletion has been approved already.", code="alreadyApproved")
    _refuse_obstacles(client, by)
    until = retention.ends(deletion.retention_begins(client.id))
    assert until is not None  # the relationship has ended, or there were an obstacle
    return approvals.request(
        KIND,
        object_type="deletion_request",
        object_id=found.id,
        client_id=client.id,
        subject=client.name,
        payload={},
        before={"personal data": "kept, processing restricted"},
        after={"personal data": f"deleted for good on {until.day} {until:%b %Y} or soon after"},
        reason=reason,
        restricted=True,
        by=by,
    )


def purge_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request."""
    found = session().get(DeletionRequest, request.object_id)
    assert found is not None  # requests are never deleted
    client = locked(found.client_id)
    session().refresh(found)
    return {"state": found.state, "ended": client.closed_at.isoformat() if client.closed_at else None}


def plan_purge(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request: from here on only the date, or a hold, is between. Raises Refused."""
    client, found = _open(request.object_id)
    _refuse_obstacles(client, by)
    until = retention.ends(deletion.retention_begins(client.id))
    assert until is not None  # the relationship has ended, or there were an obstacle
    found.state, found.approval_id, found.purge_from = DeletionState.WAITING.value, request.id, until
    session().flush()
    queues.close_items(QUEUE, object_id=found.id, by=by)
    audit.record(
        "deletion.planned",
        by=by,
        object_type="deletion_request",
        object_id=found.id,
        client_id=client.id,
        after={"deleted from": until.isoformat()},
        restricted={"reason": request.reason},
    )


#: what the database may say when the date has come and something new stands in the way
_WAITS = {"purge_has_no_obstacle", "purge_after_retention"}


def purge(request_id: UUID, *, by: Actor) -> list[Callable[[], object]] | None:
    """Empty what is personal, everywhere, in this one transaction. Gives what is left to do after the commit: files go
    then, and one that a dying process leaves has no row any more, so that the sweep removes it. None: not now; what
    stands in the way has opened work for a person. Raises Refused when the database refuses for another reason.
    """
    try:
        client, found = _open(request_id)
    except (NotFound, Conflict):
        return None
    if found.purge_from is None or found.purge_from > calendar().today():
        return None
    if deletion.obstacles(client.id):
        _open_item(found, cause="inTheWay", due=calendar().due_after(clock.now(), 1))
        return None
    afterwards = []
    try:
        with savepoint():
            afterwards = [erase(client.id, by) for erase in _erasers.values()]
            session().execute(sa.text("SELECT purge_client(:request)"), {"request": found.id})
    except sa.exc.IntegrityError as error:
        rule = constraint_of(error)
        if rule in _WAITS:
            return None
        raise Refused("The database refuses this deletion.", code=rule or "cannotDelete") from None
    queues.close_items(QUEUE, object_id=found.id, by=by)
    audit.record("deletion.purged", by=by, object_type="deletion_request", object_id=found.id, client_id=client.id)
    session().expire_all()
    return afterwards


def _rule(error: Exception) -> str | None:
    if isinstance(error, sa.exc.IntegrityError):
        return constraint_of(error)
    return error.code if isinstance(error, DomainError) else None


def purge_due(*, by: Actor, transaction: Callable[[], Any]) -> dict[str, int]:
    """Carry out what is planned and due, one client a transaction. A client that fails keeps nobody else waiting."""
    today, edge, figures = calendar().today(), None, {"purged": 0, "waiting": 0, "failed": 0}
    while due := deletion.due_for_purge(today, after=edge):
        marks = [(one.purge_from, one.id) for one in due]
        for _day, request_id in marks:
            try:
                with transaction():
                    afterwards = purge(request_id, by=by)
                figures["waiting" if afterwards is None else "purged"] += 1
                for finish in afterwards or ():
                    finish()
            except (DomainError, OSError, sa.exc.SQLAlchemyError) as error:
                figures["failed"] += 1
                # which rule, never which words
                log.error("not purged", request=str(request_id), error=type(error).__name__, rule=_rule(error))
        day, last = marks[-1]
        assert day is not None  # planned ones have a date
        edge = (day, last)
    return figures
