"""Open flags of all clients, by whose they are; the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.models import Client, ClientFlag
from dashboard.clients.queries import open_to_all
from dashboard.clients.vocabulary import FLAGS, FlagCode, Severity
from dashboard.database import session
from dashboard.staff import queries as staff


class FlagRow(NamedTuple):
    flag: ClientFlag
    client_name: str
    owner: str | None

    @property
    def label(self) -> str:
        return FLAGS[FlagCode(self.flag.code)][1]

    @property
    def key(self) -> list[Any]:
        """Its place in the list, JSON-ready."""
        return [self.flag.opened_at.isoformat(), str(self.flag.id)]


@dataclass(frozen=True)
class FlagPage:
    rows: list[FlagRow]
    more: bool


def find_open(
    *,
    owner: str,
    reader_id: UUID | None,
    sees_restricted: bool,
    least: Severity,
    size: int,
    after: Sequence[Any] | None = None,
    backwards: bool = False,
) -> FlagPage:
    """`owner`: me (the reader), none or any. Rows in the order of the list in both directions; two queries."""
    where: list[sa.ColumnElement[bool]] = [ClientFlag.closed_at.is_(None), ClientFlag.severity >= least.value]
    if not sees_restricted:
        where.append(open_to_all())
    if owner == "me":
        where.append(ClientFlag.owner_id == reader_id)
    elif owner == "none":
        where.append(ClientFlag.owner_id.is_(None))
    if after is not None:
        edge = sa.tuple_(sa.literal(datetime.fromisoformat(after[0])), sa.literal(UUID(after[1])))
        place = sa.tuple_(ClientFlag.opened_at, ClientFlag.id)
        where.append(place < edge if backwards else place > edge)
    columns = (ClientFlag.opened_at, ClientFlag.id)
    found = session().execute(
        sa.select(ClientFlag, Client.name)
        .join(Client, Client.id == ClientFlag.client_id)
        .where(*where)
        .order_by(*(column.desc() if backwards else column.asc() for column in columns))
        .limit(size + 1)
    ).all()  # fmt: skip
    more, kept = len(found) > size, found[:size]
    names = staff.names(flag.owner_id for flag, _ in kept)
    rows = [FlagRow(flag, name, names.get(flag.owner_id) if flag.owner_id else None) for flag, name in kept]
    return FlagPage(rows[::-1] if backwards else rows, more)
