"""Reading one client and what hangs on it, and the figures beside the rows of a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.access.actor import Actor
from dashboard.clients.blocks import BlockView, as_seen, effective_in_words
from dashboard.clients.links import keys_of_person
from dashboard.clients.models import (
    Client,
    ClientBlock,
    ClientFlag,
    ClientLink,
    ClientNote,
    Company,
    Individual,
    RelatedIndividual,
    VerificationDecision,
)
from dashboard.clients.vocabulary import FLAGS, RESTRICTED_FLAGS, FlagCode, KycEffect, Severity, Status
from dashboard.database import session
from dashboard.errors import NotFound


def get(client_id: UUID) -> Client:
    """Raises NotFound."""
    client = session().get(Client, client_id)
    if client is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return client


def get_with_data(client_id: UUID) -> Client:
    """Raises NotFound, also where the data has been deleted: a machine must not take an empty profile for a profile."""
    client = get(client_id)
    if client.purged_at is not None:
        raise NotFound("The data of this client has been deleted.", code="clientPurged")
    return client


def individual_of(client: Client) -> Individual | None:
    return session().get(Individual, client.id)


def company_of(client: Client) -> Company | None:
    return session().get(Company, client.id)


def related_of(client_id: UUID) -> list[RelatedIndividual]:
    """Related individuals in the order they were given."""
    return list(
        session().scalars(
            sa.select(RelatedIndividual)
            .where(RelatedIndividual.client_id == client_id)
            .order_by(RelatedIndividual.position)
        )
    )


def blocks_of(client_id: UUID, *, actor: Actor, active_only: bool = True) -> list[BlockView]:
    """Blocks as this reader may see them, oldest first."""
    query = sa.select(ClientBlock).where(ClientBlock.client_id == client_id).order_by(ClientBlock.id)
    if active_only:
        query = query.where(ClientBlock.lifted_at.is_(None))
    return [as_seen(block, sees_restricted=actor.sees_restricted) for block in session().scalars(query)]


def block_of(client_id: UUID, block_id: UUID, *, actor: Actor) -> BlockView:
    """One active block of this client. Raises NotFound, also for another client's block."""
    block = session().get(ClientBlock, block_id)
    if block is None or block.client_id != client_id:
        raise NotFound("There is no such block.")
    return as_seen(block, sees_restricted=actor.sees_restricted)


_BLOCKS = sa.select(ClientBlock.client_id, ClientBlock.scope).where(
    ClientBlock.client_id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=True)))),
    ClientBlock.lifted_at.is_(None),
)


def freezes(clients: Iterable[Client]) -> dict[UUID, str]:
    """Effective freeze in words by client id, for the blocked ones of a page, in one query."""
    return freezes_of(client.id for client in clients if client.status == Status.BLOCKED)


def freezes_of(blocked: Iterable[UUID]) -> dict[UUID, str]:
    """The same for clients that are known to be blocked."""
    ids = list(blocked)
    if not ids:
        return {}
    scopes: dict[UUID, list[str]] = {}
    for client_id, scope in session().execute(_BLOCKS, {"ids": ids}):
        scopes.setdefault(client_id, []).append(scope)
    return {client_id: effective_in_words(found) or "all" for client_id, found in scopes.items()}


@dataclass(frozen=True)
class FlagView:
    id: UUID
    code: str
    label: str
    severity: int
    field: str
    flag: ClientFlag


def open_to_all() -> sa.ColumnElement[bool]:
    """Flags that a reader without `clients:read-restricted` may know of."""
    return ClientFlag.code.not_in(sorted(RESTRICTED_FLAGS))


def flags_of(client_id: UUID, *, sees_restricted: bool = False, open_only: bool = True) -> list[FlagView]:
    """Flags that this reader may know of, the heaviest first."""
    query = (
        sa.select(ClientFlag)
        .where(ClientFlag.client_id == client_id)
        .order_by(ClientFlag.severity.desc(), ClientFlag.id)
    )
    if open_only:
        query = query.where(ClientFlag.closed_at.is_(None))
    if not sees_restricted:
        query = query.where(open_to_all())
    return [
        FlagView(flag.id, flag.code, FLAGS[FlagCode(flag.code)][1], flag.severity, flag.field, flag)
        for flag in session().scalars(query)
    ]


def flag_counts(clients: Sequence[Client], *, sees_restricted: bool) -> dict[UUID, int]:
    """Open flags that somebody must look at, by client, as far as this reader may know of them; one query at most."""
    counted = {client.id: client.open_flags for client in clients}
    flagged = [client.id for client in clients if client.open_flags]
    if sees_restricted or not flagged:
        return counted
    rows = session().execute(
        sa.select(ClientFlag.client_id, sa.func.count())
        .where(
            ClientFlag.client_id.in_(flagged),
            ClientFlag.closed_at.is_(None),
            ClientFlag.severity >= Severity.CHECK.value,
            open_to_all(),
        )
        .group_by(ClientFlag.client_id)
    )
    return counted | dict.fromkeys(flagged, 0) | {row[0]: row[1] for row in rows}


def flagged_at_least(severity: int, *, sees_restricted: bool) -> sa.ColumnElement[bool]:
    """Clients with an open flag of at least this severity that the reader may know of."""
    found = Client.worst_flag >= severity
    if sees_restricted:
        return found
    known = sa.select(ClientFlag.id).where(
        ClientFlag.client_id == Client.id,
        ClientFlag.closed_at.is_(None),
        ClientFlag.severity >= severity,
        open_to_all(),
    )
    return sa.and_(found, known.exists())


def notes_of(client_id: UUID, limit: int = 100) -> list[ClientNote]:
    """Notes, newest first."""
    return list(
        session().scalars(
            sa.select(ClientNote).where(ClientNote.client_id == client_id).order_by(ClientNote.id.desc()).limit(limit)
        )
    )


@dataclass(frozen=True)
class LinkedClient:
    """Another client that shares a document, phone, e-mail or person."""

    client: Client
    kinds: tuple[str, ...]


def linked_to(client_id: UUID, limit: int = 50) -> list[LinkedClient]:
    """Clients linked to this one and how, by name."""
    own = sa.select(ClientLink.key).where(ClientLink.client_id == client_id).scalar_subquery()
    rows = session().execute(
        sa.select(ClientLink.client_id, sa.func.array_agg(sa.distinct(ClientLink.kind)))
        .where(ClientLink.key.in_(own), ClientLink.client_id != client_id)
        .group_by(ClientLink.client_id)
        .limit(limit)
    )
    kinds = {other: tuple(sorted(found)) for other, found in rows}
    if not kinds:
        return []
    clients = session().scalars(sa.select(Client).where(Client.id.in_(kinds)).order_by(Client.name_key))
    return [LinkedClient(client, kinds[client.id]) for client in clients]


def linked_count(client_id: UUID) -> int:
    """How many other clients share something with this one."""
    own = sa.select(ClientLink.key).where(ClientLink.client_id == client_id).scalar_subquery()
    return (
        session().scalar(
            sa.select(sa.func.count(sa.distinct(ClientLink.client_id))).where(
                ClientLink.key.in_(own), ClientLink.client_id != client_id
            )
        )
        or 0
    )


class SameDocument(NamedTuple):
    """Who else holds the document: the first by name, and how many more."""

    name: str
    others: int


def same_document(client_id: UUID) -> SameDocument | None:
    """Other clients with the same identity document; None when there is none."""
    own = (
        sa.select(ClientLink.key)
        .where(ClientLink.client_id == client_id, ClientLink.kind == "document")
        .scalar_subquery()
    )
    holders = sa.select(ClientLink.client_id).where(ClientLink.key.in_(own), ClientLink.client_id != client_id)
    rows = session().execute(
        sa.select(Client.name, sa.func.count().over()).where(Client.id.in_(holders)).order_by(Client.name_key).limit(1)
    )
    first = rows.first()
    return SameDocument(first[0], first[1] - 1) if first else None


def count_at_most(condition: sa.ColumnElement[bool], limit: int) -> int:
    """Clients that fit, counted no further than `limit`: cheap on an index."""
    some = sa.select(sa.literal(1)).select_from(Client).where(condition).limit(limit).subquery()
    return session().scalar(sa.select(sa.func.count()).select_from(some)) or 0


_BY_IDS = sa.select(Client).where(
    Client.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=True))))
)


def by_ids(ids: Sequence[UUID]) -> dict[UUID, Client]:
    """Clients by id, in one query."""
    if not ids:
        return {}
    return {client.id: client for client in session().scalars(_BY_IDS, {"ids": list(ids)})}


def any_client() -> bool:
    """Whether there is one at all: the empty state of the first day."""
    return session().scalar(sa.select(sa.select(Client.id).exists())) or False


def blocking_decisions(client_id: UUID) -> list[tuple[UUID, datetime]]:
    """Events by which a failed verification blocked the client, and when, oldest first."""
    rows = session().execute(
        sa.select(VerificationDecision.event_id, VerificationDecision.decided_at)
        .where(VerificationDecision.client_id == client_id, VerificationDecision.effect == KycEffect.BLOCKED.value)
        .order_by(VerificationDecision.id)
    )
    return [(event, at) for event, at in rows]


def clients_of_people(
    client_id: UUID, people: Sequence[RelatedIndividual], limit: int = 200
) -> dict[int, list[Client]]:
    """Other clients that a company's people share something with, by name, by the person's position; in one query."""
    keys = {key: person.position for person in people for _kind, key in keys_of_person(person)}
    if not keys:
        return {}
    rows = session().execute(
        sa.select(ClientLink.key, Client)
        .join(Client, Client.id == ClientLink.client_id)
        .where(ClientLink.key.in_(keys), ClientLink.client_id != client_id)
        .order_by(Client.name_key, Client.id)
        .limit(limit)
    )
    found: dict[int, list[Client]] = {}
    for key, other in rows:
        theirs = found.setdefault(keys[key], [])
        if other not in theirs:
            theirs.append(other)
    return found
