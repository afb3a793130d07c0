"""Reading evidence: the timeline of one client, or of one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.database import session

#: somebody looked at a client's data or took them along; these are found on the page of the audit, and change nothing
LOOKS = (
    "account.read", "approval.read", "client.read", "export.made", "incoming_request.read", "payment.read",
    "transfer.read", "verification_event.read",
)  # fmt: skip


@dataclass(frozen=True)
class TimelineEntry:
    """One event as a reader may see it; `restricted` is None without the permission."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    actor_role: str
    action: str
    object_type: str
    object_id: UUID | None
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None
    restricted: dict[str, Any] | None


def timeline(
    client_id: UUID,
    *,
    sees_restricted: bool,
    older_than: UUID | None = None,
    kinds: tuple[str, ...] = (),
    actions: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    since: datetime | None = None,
    without_types: tuple[str, ...] = (),
    limit: int = 50,
) -> list[TimelineEntry]:
    """Newest first, without looks. `kinds` narrows to actors (staff, token, system), `actions` to these; `without`
    leaves actions out, `without_types` types of objects; `older_than`: the last id of the page before; `since`: only
    what happened after this moment."""
    query = (
        sa.select(AuditEvent, AuditPayload)
        .outerjoin(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(AuditEvent.client_id == client_id, AuditEvent.action.not_in(LOOKS))
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    if older_than is not None:
        query = query.where(AuditEvent.id < older_than)
    if since is not None:
        query = query.where(AuditEvent.occurred_at > since)
    if without_types:
        query = query.where(AuditEvent.object_type.not_in(without_types))
    if kinds:
        query = query.where(AuditEvent.actor_kind.in_(kinds))
    if actions:
        query = query.where(AuditEvent.action.in_(actions))
    if without:
        query = query.where(AuditEvent.action.not_in(without))
    return _entries(query, sees_restricted=sees_restricted)


@dataclass(frozen=True)
class Trace:
    """What was done, from which address."""

    at: datetime
    action: str
    address: str | None
    after: dict[str, Any]


def traces(object_type: str, object_id: UUID, *, actions: Sequence[str], since: datetime, limit: int) -> list[Trace]:
    """These actions about one object and the addresses that they came from, newest first; nothing restricted."""
    query = (
        sa.select(AuditEvent.occurred_at, AuditEvent.action, AuditEvent.address, AuditPayload.after)
        .outerjoin(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(
            AuditEvent.object_type == object_type,
            AuditEvent.object_id == object_id,
            AuditEvent.action.in_(actions),
            AuditEvent.occurred_at > since,
        )
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return [Trace(at, action, address, after or {}) for at, action, address, after in session().execute(query)]


def _entries(query: sa.Select[AuditEvent, AuditPayload], *, sees_restricted: bool) -> list[TimelineEntry]:
    entries = []
    for event, payload in session().execute(query):
        entries.append(
            TimelineEntry(
                id=event.id,
                at=event.occurred_at,
                actor_kind=event.actor_kind,
                actor_id=event.actor_id,
                actor_name=event.actor_name,
                actor_role=event.actor_role,
                action=event.action,
                object_type=event.object_type,
                object_id=event.object_id,
                before=(payload.before if payload else None) or {},
                after=(payload.after if payload else None) or {},
                reason=payload.reason if payload else None,
                restricted=(payload.restricted if payload and sees_restricted else None),
            )
        )
    return entries


def of_object(object_type: str, object_id: UUID, *, sees_restricted: bool, limit: int = 100) -> list[TimelineEntry]:
    """What happened to one object, newest first."""
    query = (
        sa.select(AuditEvent, AuditPayload)
        .outerjoin(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(
            AuditEvent.object_type == object_type,
            AuditEvent.object_id == object_id,
            AuditEvent.action.not_in(LOOKS),
        )
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return _entries(query, sees_restricted=sees_restricted)
