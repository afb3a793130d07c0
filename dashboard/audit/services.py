"""Writing evidence."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.audit.verify_audit import payload_digest
from dashboard.database import new_id, session


def plain(value: Any) -> Any:
    """JSON-ready in a spelling that the database gives back unchanged: a number with decimals becomes text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)


def record(
    action: str,
    *,
    by: Actor,
    object_type: str,
    object_id: UUID | None,
    client_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
    restricted: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> UUID:
    """Add one event to the caller's transaction and give its id.

    `before` and `after` hold only what changed, JSON-ready. `restricted` holds what needs
    `clients:read-restricted`; nothing of it may stand in the other three.
    """
    event_id = new_id()
    payload = None
    digest = None
    if before or after or reason or restricted:
        salt = secrets.token_hex(16)
        content = {
            "before": plain(before) if before else None,
            "after": plain(after) if after else None,
            "reason": reason,
            "restricted": plain(restricted) if restricted else None,
        }
        digest = payload_digest(salt, content)
        payload = AuditPayload(event_id=event_id, salt=salt, **content)
    session().add(
        AuditEvent(
            id=event_id,
            occurred_at=at or clock.now(),
            actor_kind=by.kind,
            actor_id=by.id,
            actor_name=by.name,
            actor_role=by.role,
            address=by.address,
            request_id=by.request_id,
            action=action,
            object_type=object_type,
            object_id=object_id,
            client_id=client_id,
            payload_digest=digest,
        )
    )
    session().flush()
    if payload is not None:
        session().add(payload)
        session().flush()
    return event_id
