"""Taking a request before deciding it, so that two people do not read the same one.

An item of the queue stands for a request from the moment somebody first takes it until the request is closed. It names
no client: a timeline tells of requests, and of no reading of them. Who has taken a request keeps nobody from deciding
it; everybody else is told before.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import queries, services, terms
from dashboard.approvals.kinds import kind_of
from dashboard.approvals.models import QUEUE, ApprovalRequest
from dashboard.database import session
from dashboard.errors import Conflict, Forbidden, NotFound
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem

OBJECT, CAUSE = "approval_request", "decide"


def _item(request_id: UUID) -> UUID | None:
    return session().scalar(
        sa.select(QueueItem.id).where(
            QueueItem.queue == QUEUE, QueueItem.object_id == request_id, QueueItem.closed_at.is_(None)
        )
    )


def take(request_id: UUID, *, by: Actor) -> ApprovalRequest:
    """Make it one's own. Raises NotFound, Conflict (`taken` by a colleague, `alreadyDecided`), and Forbidden for who
    may not decide it."""
    request = session().get(ApprovalRequest, request_id, with_for_update=True, populate_existing=True)
    if request is None:
        raise NotFound("There is no such request.")
    refusal = services.why_not(request, by, terms.held(request.kind))
    if refusal:
        raise Forbidden(refusal, code="mayNotDecide")
    if request.state != "requested" or request.expires_at <= clock.now():
        raise Conflict("This request is closed.", code="alreadyDecided")
    queues.open_item(
        QUEUE, cause=CAUSE, object_type=OBJECT, object_id=request_id, client_id=None, due_at=request.expires_at,
        restricted=kind_of(request.kind).hidden,
    )  # fmt: skip
    item_id = _item(request_id)
    assert item_id is not None  # opened here, or open before
    queues.take(item_id, by=by)
    return request


def take_next(*, by: Actor) -> ApprovalRequest | None:
    """What expires first of one's own and of what nobody has taken, now one's own; None when there is none.

    Two people who ask at the same moment get two different requests.
    """
    request = queries.first_to_take(by)
    if request is None:
        return None
    try:
        return take(request.id, by=by)
    except Conflict:
        # taken between being found and being locked
        return None


def release(request_id: UUID, *, by: Actor) -> None:
    """Give it back. Raises Conflict when it is not one's own, or closed meanwhile."""
    item_id = _item(request_id)
    if item_id is None:
        raise Conflict("This request is not yours, or closed.", code="notYours")
    queues.release(item_id, by=by)


def holders(request_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Who has taken each of these, by the request's id; one query."""
    wanted = list(request_ids)
    if not wanted:
        return {}
    rows = session().execute(
        sa.select(QueueItem.object_id, QueueItem.assignee_id).where(
            QueueItem.queue == QUEUE, QueueItem.object_id.in_(wanted), QueueItem.closed_at.is_(None)
        )
    )
    return {request_id: assignee for request_id, assignee in rows if assignee is not None}
