"""Names of those who made or changed payments."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.models import ApiToken
from dashboard.database import session
from dashboard.staff import queries as staff


def names(who: Iterable[tuple[str | None, UUID | None]]) -> dict[tuple[str | None, UUID | None], str]:
    """`R. Kask`, `token front office`, `the system` for pairs of kind and id, in two queries at most."""
    wanted = set(who)
    people = staff.names(identifier for kind, identifier in wanted if kind == "staff")
    machines = [identifier for kind, identifier in wanted if kind == "token"]
    tokens: dict[UUID, str] = {}
    if machines:
        rows = session().execute(sa.select(ApiToken.id, ApiToken.name).where(ApiToken.id.in_(machines)))
        tokens = {row.id: row.name for row in rows}
    found = {}
    for kind, identifier in wanted:
        name = "the system"
        if kind == "staff" and identifier is not None:
            name = people.get(identifier, "a former colleague")
        elif kind == "token" and identifier is not None:
            name = f"token {tokens[identifier]}" if identifier in tokens else "a token"
        found[kind, identifier] = name
    return found
