"""Settling flags by hand, and looking again when days pass."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.models import ClientFlag, Individual
from dashboard.clients.services.lock import locked
from dashboard.clients.services.upkeep import count_flags, refresh_flags, refresh_queues
from dashboard.clients.vocabulary import FLAGS, FlagCode
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused

LONGEST_REASON = 2000


def settle_flag(flag_id: UUID, *, reason: str, by: Actor) -> ClientFlag:
    """A person looked and found it well. Raises NotFound, Conflict (settled already), Invalid, Refused."""
    flag = session().get(ClientFlag, flag_id)
    if flag is None:
        raise NotFound("There is no such flag.")
    text = reason.strip()
    if not text:
        raise Invalid.one("reason", "Say what you found.", "required")
    if len(text) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    client = locked(flag.client_id)
    session().refresh(flag)
    if flag.closed_at is not None:
        raise Conflict(f"This flag was settled meanwhile by {flag.closed_by_name}.", code="settled")
    if flag.code == FlagCode.RISK_PROHIBITED:
        raise Refused("This flag goes when the risk is lowered; that takes two people.", code="lowerTheRisk")
    flag.closed_at = clock.now()
    flag.closed_by = by.id
    flag.closed_by_name = by.name
    flag.closing_reason = text
    client.version += 1
    session().flush()
    count_flags(client)
    refresh_queues(client, by=by)
    client.updated_at = clock.now()
    audit.record(
        "client.flag_settled",
        by=by,
        object_type="client_flag",
        object_id=flag.id,
        client_id=client.id,
        before={"flag": FLAGS[FlagCode(flag.code)][1]},
        after={"flag": "settled"},
        reason=text,
    )
    return flag


def refresh_all(*, by: Actor, batch: int = 200) -> int:
    """Documents expire without anybody changing them: raise the flag on the day. Gives how many clients changed."""
    today = calendar().today()
    changed = 0
    while True:
        flagged = sa.select(ClientFlag.client_id).where(
            ClientFlag.client_id == Individual.client_id, ClientFlag.code == FlagCode.DOCUMENT_EXPIRED.value
        )
        with transaction():
            due = list(
                session().scalars(
                    sa.select(Individual.client_id)
                    .where(Individual.document_expiration_date < today, ~flagged.exists())
                    .limit(batch)
                )
            )
            for client_id in due:
                client = locked(client_id)
                refresh_flags(client, by=by)
                refresh_queues(client, by=by)
        changed += len(due)
        if len(due) < batch:
            return changed
