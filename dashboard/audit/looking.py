"""Who looked: reads of personal data and exports are events too.

A look is written at most once for each person, object and some minutes; an export every time. Neither says what was
read: names of filters, no values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent
from dashboard.database import session

#: looks of one person at one object within this time are one
ONE_LOOK = timedelta(minutes=10)
EXPORTED = "export.made"


def _recent(*which: sa.ColumnElement[bool]) -> sa.Select[bool]:
    return sa.select(
        sa.select(AuditEvent.id)
        .where(
            AuditEvent.actor_id == sa.bindparam("actor", type_=AuditEvent.actor_id.type),
            AuditEvent.occurred_at > sa.bindparam("since", type_=AuditEvent.occurred_at.type),
            AuditEvent.action == sa.bindparam("action", type_=sa.Text()),
            AuditEvent.object_type == sa.bindparam("object_type", type_=sa.Text()),
            *which,
        )
        .exists()
    )


#: asked after every page: they stand ready
_LOOKED = _recent(AuditEvent.object_id == sa.bindparam("object", type_=AuditEvent.object_id.type))
_LOOKED_AT_LIST = _recent(AuditEvent.object_id.is_(None))


def look(
    action: str, *, by: Actor, object_type: str, object_id: UUID | None, client_id: UUID | None = None
) -> UUID | None:
    """Record a look in the caller's transaction; None when one of this person at this object stands already."""
    asked = {
        "actor": by.id, "since": clock.now() - ONE_LOOK, "action": action, "object_type": object_type,
        "object": object_id,
    }  # fmt: skip
    if session().scalar(_LOOKED if object_id is not None else _LOOKED_AT_LIST, asked):
        return None
    # two pages opened at one moment: the second one's look is the first one's
    one = f"{by.id} {action} {object_id}"
    if not session().scalar(sa.select(sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(one, 0)))):
        return None
    return audit.record(action, by=by, object_type=object_type, object_id=object_id, client_id=client_id)


def exported(
    what: str,
    form: str,
    filters: Sequence[str],
    *,
    by: Actor,
    object_id: UUID | None = None,
    client_id: UUID | None = None,
) -> UUID:
    """Record an export in the caller's transaction. `what` names the list, `filters` those that were set."""
    return audit.record(
        EXPORTED,
        by=by,
        object_type="export",
        object_id=object_id,
        client_id=client_id,
        after={"list": what, "format": form, "filters": sorted(filters)},
    )
