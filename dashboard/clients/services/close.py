"""Ending a relationship: nothing of the client moves any more, and retention begins."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients import deletion, retention
from dashboard.clients.deletion import OF_MONEY
from dashboard.clients.documents.services import relationship_ended
from dashboard.clients.models import Client
from dashboard.clients.services.freeze import apply_freeze
from dashboard.clients.services.lock import locked
from dashboard.clients.services.upkeep import after_change
from dashboard.clients.vocabulary import Status
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Invalid, Refused

LONGEST_REASON = 2000
_LEFT = {
    "balance": "an account still has a balance",
    "livePayments": "a payment is not finished",
    "openTransfers": "a transfer is not finished",
    "openDispositions": "money is being assigned to the client",
    "openAccounts": "an account is still open",
}


def close_obstacle(client: Client) -> str | None:
    """Why the relationship cannot be ended now, in words; None when it can."""
    if client.closed_at is not None:
        return "The relationship has ended already."
    if client.status == Status.BLOCKED:
        return "A block stands. Lift it first."
    left = deletion.obstacles(client.id)
    said = [_LEFT[code] for code in OF_MONEY if code in left]
    return f"Not yet: {', '.join(said)}." if said else None


def close(client_id: UUID, *, reason: str, by: Actor) -> Client:
    """End the relationship for good. Raises NotFound, Invalid (no reason), Refused (`cannotClose`)."""
    why = reason.strip()
    if not why:
        raise Invalid.one("reason", "Say why.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    client = locked(client_id)
    obstacle = close_obstacle(client)
    if obstacle:
        raise Refused(obstacle, code="cannotClose")
    before = client.status
    client.status = Status.CLOSED.value
    client.version += 1
    try:
        with savepoint():
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "client_closes_empty":
            raise
        raise Refused("Not yet: something of the client moved at this moment.", code="cannotClose") from None
    session().refresh(client, ["closed_at"])
    apply_freeze(client.id)
    kept_until = retention.last_day(client.closed_at)
    assert kept_until is not None  # it has just ended
    relationship_ended(client.id, keep_until=kept_until)
    audit.record(
        "client.closed",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"status": before},
        after={"status": client.status},
        restricted={"reason": why},
    )
    after_change(client, by=by, profile=False, cause="end of the relationship")
    return client
