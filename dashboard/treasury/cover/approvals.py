"""What covers ask a second person for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.treasury.cover.models import Cover
from dashboard.treasury.cover.services import changing
from dashboard.treasury.cover.services.entries import entry_of, in_words
from dashboard.treasury.cover.vocabulary import ADD, CHANGE

_LABELS = ("Pool", "Kind", "Issuer", "Reference", "Amount", "Valid from", "Valid to", "Review on")


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Amount, pool and reference, in one query for a whole list."""
    known = set(session().scalars(sa.select(Cover.id).where(Cover.id.in_({one.object_id for one in requests}))))
    found = {}
    for request in requests:
        said = in_words(entry_of(request.payload["cover"]))
        links = (Link("The cover", f"/treasury/cover/{request.object_id}"),) if request.object_id in known else ()
        found[request.id] = Detail(
            short=said["Amount"],
            lines=tuple(Line(label, (said[label],)) for label in _LABELS),
            links=links,
        )
    return found


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    what = "this cover was added" if request.kind == ADD else "the cover changed"
    return f"This request has gone stale: {what} meanwhile. Nothing was done by it."


KINDS: tuple[Kind, ...] = (
    Kind(
        key=ADD,
        label="Add cover",
        permission=Permission.TREASURY_WRITE,
        fingerprint=changing.added_fingerprint,
        execute=changing.execute_adding,
        done="Added cover",
        noun="Cover",
        details=details,
        closed=closed,
    ),
    Kind(
        key=CHANGE,
        label="Change the cover",
        permission=Permission.TREASURY_WRITE,
        fingerprint=changing.fingerprint,
        execute=changing.execute,
        done="Changed the cover",
        noun="Cover",
        details=details,
        closed=closed,
    ),
)
