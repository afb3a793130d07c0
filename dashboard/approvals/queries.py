"""Reading requests: what waits for me, what I asked, what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals.kinds import registered
from dashboard.approvals.models import ApprovalRequest
from dashboard.clock import BusinessCalendar
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.queues.queries import QueueCount


def get(request_id: UUID) -> ApprovalRequest:
    """Raises NotFound."""
    found = session().get(ApprovalRequest, request_id)
    if found is None:
        raise NotFound("There is no such request.")
    return found


def _open() -> list[sa.ColumnElement[bool]]:
    return [ApprovalRequest.state == "requested", ApprovalRequest.expires_at > clock.now()]


def _for(actor: Actor) -> list[sa.ColumnElement[bool]]:
    """The same rule as services.why_not, as a condition."""
    kinds = [kind.key for kind in registered() if actor.may(kind.permission)]
    conditions = [
        *_open(),
        ApprovalRequest.kind.in_(kinds),
        ApprovalRequest.maker_id != actor.id,
        ApprovalRequest.maker_owner_id.is_distinct_from(actor.id),
    ]
    if not actor.senior:
        conditions.append(ApprovalRequest.maker_senior.is_(True))
    return conditions


def count_for(actor: Actor, calendar: BusinessCalendar) -> QueueCount:
    """The figures of the queue "Approvals for me"; due is when the request expires."""
    moment = clock.now()
    closing = calendar.closing(calendar.today(moment))
    total, today, oldest, next_due = session().execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(ApprovalRequest.expires_at <= closing),
            sa.func.min(ApprovalRequest.requested_at),
            sa.func.min(ApprovalRequest.expires_at),
        ).where(*_for(actor))
    ).one()  # fmt: skip
    return QueueCount("approvals", total, None, 0, today, oldest, next_due)


def page(
    *,
    actor: Actor,
    view: str,
    calendar: BusinessCalendar | None = None,
    due_today: bool = False,
    older_than: UUID | None = None,
    limit: int = 50,
) -> Sequence[ApprovalRequest]:
    """`view`: me (may decide, soonest first), mine (asked by me), open, closed; newest first but for `me`."""
    query = sa.select(ApprovalRequest).limit(limit)
    if view == "me":
        query = query.where(*_for(actor)).order_by(ApprovalRequest.expires_at, ApprovalRequest.id)
        if due_today and calendar is not None:
            query = query.where(ApprovalRequest.expires_at <= calendar.closing(calendar.today()))
        return list(session().scalars(query))
    query = query.order_by(ApprovalRequest.id.desc())
    if view == "mine":
        query = query.where(ApprovalRequest.maker_id == actor.id)
    elif view == "open":
        query = query.where(*_open())
    elif view == "closed":
        query = query.where(ApprovalRequest.state != "requested")
    if older_than is not None:
        query = query.where(ApprovalRequest.id < older_than)
    return list(session().scalars(query))


def asked_by(actor: Actor, limit: int = 10) -> Sequence[ApprovalRequest]:
    """Open requests of this maker, the soonest to expire first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(*_open(), ApprovalRequest.maker_id == actor.id)
            .order_by(ApprovalRequest.expires_at)
            .limit(limit)
        )
    )


def open_for_client(client_id: UUID) -> Sequence[ApprovalRequest]:
    """Open requests that concern a client, oldest first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(*_open(), ApprovalRequest.client_id == client_id)
            .order_by(ApprovalRequest.id)
        )
    )


def expires_at(calendar: BusinessCalendar, hours: int) -> datetime:
    """When a request that is made now expires: business hours only."""
    return calendar.add_hours(clock.now(), hours)
