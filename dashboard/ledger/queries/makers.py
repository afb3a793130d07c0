"""Names of those who made or changed payments."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.models import ApiToken
from dashboard.audit.models import AuditEvent
from dashboard.database import session
from dashboard.staff import queries as staff


def names(
    who: Iterable[tuple[str | None, UUID | None]], *, payment_id: UUID | None = None
) -> dict[tuple[str | None, UUID | None], str]:
    """`R. Kask`, `token front office`, `the system` for pairs of kind and id, in three queries at most.

    A token that is not kept any more is named as the audit trail of the payment names it.
    """
    wanted = set(who)
    people = staff.names(identifier for kind, identifier in wanted if kind == "staff")
    machines = [identifier for kind, identifier in wanted if kind == "token"]
    tokens: dict[UUID, str] = {}
    if machines:
        rows = session().execute(sa.select(ApiToken.id, ApiToken.name).where(ApiToken.id.in_(machines)))
        tokens = {row.id: row.name for row in rows}
        if payment_id is not None and not tokens.keys() >= set(machines):
            told = session().execute(
                sa.select(AuditEvent.actor_id, AuditEvent.actor_name).where(
                    AuditEvent.object_type == "payment",
                    AuditEvent.object_id == payment_id,
                    AuditEvent.actor_kind == "token",
                )
            )
            tokens = {row.actor_id: row.actor_name for row in told if row.actor_id is not None} | tokens
    found = {}
    for kind, identifier in wanted:
        name = "the system"
        if kind == "staff" and identifier is not None:
            name = people.get(identifier, "a former colleague")
        elif kind == "token" and identifier is not None:
            name = f"token {tokens[identifier]}" if identifier in tokens else "a token"
        found[kind, identifier] = name
    return found
