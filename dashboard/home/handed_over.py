"""Work that waits for a second person: asked for, so nothing is left to do until the request closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.services.activate import KIND as ACTIVATE
from dashboard.clients.services.unblock import KIND as UNBLOCK
from dashboard.database import session
from dashboard.queues.models import QueueItem

#: the request that answers each (queue, cause). A block still has to be looked at while its lifting is asked for
ANSWERS = {("activation", "ready"): ACTIVATE, ("block-review", "review"): UNBLOCK}
#: queues whose items any request about the same transfer answers: executing by hand, assigning, sending back, undoing
OF_TRANSFERS = frozenset({"held-transfers", "unrecognized"})
_ABOUT_TRANSFERS = "transfers."


class Asked(NamedTuple):
    """Who asked; `by_me` for the reader's own request."""

    name: str
    by_me: bool


def _live() -> list[sa.ColumnElement[bool]]:
    return [ApprovalRequest.state == "requested", ApprovalRequest.expires_at > clock.now()]


def held() -> sa.ColumnElement[bool]:
    """A condition on queue items: an activation that has been asked for."""
    asked = sa.select(ApprovalRequest.id).where(
        *_live(), ApprovalRequest.kind == ACTIVATE, ApprovalRequest.object_id == QueueItem.object_id
    )
    return sa.and_(QueueItem.queue == "activation", asked.exists())


def _answers(item: QueueItem, kind: str) -> bool:
    if item.queue in OF_TRANSFERS:
        return kind.startswith(_ABOUT_TRANSFERS)
    return ANSWERS.get((item.queue, item.cause)) == kind


def asked_about(items: Sequence[QueueItem], actor: Actor) -> dict[UUID, Asked]:
    """The open request that answers an item, by the item's id, in one query."""
    wanted = {item.object_id for item in items if item.queue in OF_TRANSFERS or (item.queue, item.cause) in ANSWERS}
    if not wanted:
        return {}
    rows = session().execute(
        sa.select(
            ApprovalRequest.kind, ApprovalRequest.object_id, ApprovalRequest.maker_name, ApprovalRequest.maker_id
        ).where(*_live(), ApprovalRequest.object_id.in_(wanted))
    )
    found: dict[UUID, list[tuple[str, Asked]]] = {}
    for kind, object_id, name, maker_id in rows:
        found.setdefault(object_id, []).append((kind, Asked(name, maker_id == actor.id)))
    return {item.id: asked for item in items for kind, asked in found.get(item.object_id, []) if _answers(item, kind)}
