"""What the ledger may ask about the owners of its accounts."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.clients import search
from dashboard.clients.models import Client
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.ledger.owners import Directory, OwnerView

_NAMES = sa.select(Client.id, Client.name).where(
    Client.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=True))))
)


def _named(owner_ids: Iterable[UUID]) -> dict[UUID, OwnerView]:
    found = session().execute(_NAMES, {"ids": list(set(owner_ids))})
    return {client_id: OwnerView(name, f"/clients/{client_id}") for client_id, name in found}


def client_names(ids: Iterable[UUID]) -> dict[UUID, str]:
    """Names of clients, in one query."""
    return {client_id: view.name for client_id, view in _named(ids).items()}


def _email(owner_id: UUID) -> str | None:
    return session().scalar(sa.select(Client.email).where(Client.id == owner_id))


def _matching(text: str, limit: int) -> list[UUID]:
    page = search.find(
        search.ClientFilter(text=text), order=search.Order("created", True), zone=calendar().zone, size=limit
    )
    return [row.id for row in page.rows]


OWNERS = Directory(named=_named, email=_email, matching=_matching)
