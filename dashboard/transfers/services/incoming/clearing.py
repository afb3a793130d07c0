"""A provider told two different things under one reference; a person has asked it and says what came of it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Invalid, NotFound
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.transfers.services.incoming import processing
from dashboard.transfers.services.incoming.correcting import LONGEST_COMMENT

CONTRADICTED = "contradicted"


def waits(request_id: UUID) -> bool:
    """Whether a contradiction of this request is still to be cleared up."""
    found = session().scalar(
        sa.select(QueueItem.id).where(
            QueueItem.queue == processing.QUEUE,
            QueueItem.object_id == request_id,
            QueueItem.cause == CONTRADICTED,
            QueueItem.closed_at.is_(None),
        )
    )
    return found is not None


def clear_up(request_id: UUID, *, reason: str | None, by: Actor) -> None:
    """The first telling stands, and why. No money moves.

    Raises Invalid (no reason), NotFound `noContradiction` where nothing waits to be cleared up.
    """
    why = (reason or "").strip()
    if not why:
        raise Invalid.one("reason", "Say what the provider answered.", "required")
    if len(why) > LONGEST_COMMENT:
        raise Invalid.one("reason", f"Use at most {LONGEST_COMMENT} characters.", "tooLong")
    if not waits(request_id):
        raise NotFound("Nothing contradicts this request.", code="noContradiction")
    queues.close_items(processing.QUEUE, object_id=request_id, by=by, cause=CONTRADICTED)
    audit.record(
        "incoming.clearedUp", by=by, object_type=processing.OBJECT, object_id=request_id, reason=why,
        before={"contradiction": "open"}, after={"contradiction": "cleared up"},
    )  # fmt: skip
