"""Settling flags by hand, and looking again when days pass."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clients.models import ClientFlag, Individual, RelatedIndividual
from dashboard.clients.services.lock import locked
from dashboard.clients.services.upkeep import count_flags, refresh_flags, refresh_queues
from dashboard.clients.vocabulary import FLAGS, RESTRICTED_FLAGS, FlagCode
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.staff import queries as staff

LONGEST_REASON = 2000


def _known(flag_id: UUID, by: Actor) -> ClientFlag:
    """Raises NotFound, also for a flag that this actor may not know of."""
    flag = session().get(ClientFlag, flag_id)
    if flag is None or (flag.code in RESTRICTED_FLAGS and not by.sees_restricted):
        raise NotFound("There is no such flag.")
    return flag


def settle_flag(flag_id: UUID, *, reason: str, by: Actor) -> ClientFlag:
    """A person looked and found it well. Raises NotFound, Conflict (settled already), Invalid, Refused."""
    flag = _known(flag_id, by)
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
        "client.flag_settled_restricted" if flag.code in RESTRICTED_FLAGS else "client.flag_settled",
        by=by,
        object_type="client_flag",
        object_id=flag.id,
        client_id=client.id,
        before={"flag": FLAGS[FlagCode(flag.code)][1]},
        after={"flag": "settled"},
        restricted={"reason": text},
    )
    return flag


def own_flag(flag_id: UUID, *, owner_id: UUID | None, seen_owner_id: UUID | None = None, by: Actor) -> ClientFlag:
    """Give a flag to somebody who reviews clients (also oneself), or to nobody again.

    `seen_owner_id` is who had it when it was looked at. Raises NotFound, Conflict (settled, or given to another
    person meanwhile), Invalid (nobody who could work on it), Forbidden.
    """
    by.require(Permission.CLIENTS_REVIEW)
    flag = _known(flag_id, by)
    locked(flag.client_id)
    session().refresh(flag)
    if flag.closed_at is not None:
        raise Conflict(f"This flag was settled meanwhile by {flag.closed_by_name}.", code="settled")
    if flag.owner_id not in {seen_owner_id, owner_id}:
        name = staff.names([flag.owner_id]).get(flag.owner_id) if flag.owner_id else None
        raise Conflict(f"{name or 'Nobody'} has this flag meanwhile.", code="taken")
    if owner_id == flag.owner_id:
        return flag
    if owner_id is not None and owner_id not in reviewers():
        raise Invalid.one("owner", "Choose somebody who reviews clients.", "choice")
    before, after = flag.owner_id, owner_id
    names = staff.names([before, after])
    flag.owner_id = owner_id
    flag.owned_since = clock.now() if owner_id else None
    session().flush()
    label = FLAGS[FlagCode(flag.code)][1]
    audit.record(
        "client.flag_given",
        by=by,
        object_type="client_flag",
        object_id=flag.id,
        client_id=flag.client_id,
        before={"owner": names.get(before)} if before else None,
        after={"owner": names.get(after) if after else None, "flag": label},
    )
    return flag


def reviewers() -> dict[UUID, str]:
    """Who may own a flag: everybody who reviews clients, by name."""
    people = staff.members_with(Permission.CLIENTS_REVIEW, senior_only=False, idle=timedelta(0))
    return {person.id: person.name for person in sorted(people, key=lambda one: one.name)}


def due_for_refresh(today: date, *, after: UUID | None = None, limit: int = 200) -> list[UUID]:
    """Clients whose flags the passing of days may have changed, by id, beyond `after`.

    A document (the client's or a related individual's) expired within the last month and is not flagged now, or
    somebody was under age, or not born yet. What expired longer ago was flagged then, or at the last change.
    """
    month_ago = today - timedelta(days=31)
    open_flag = sa.select(ClientFlag.id).where(ClientFlag.closed_at.is_(None))
    documents = sa.select(Individual.client_id).where(
        Individual.document_expiration_date >= month_ago,
        Individual.document_expiration_date < today,
        ~open_flag.where(
            ClientFlag.client_id == Individual.client_id, ClientFlag.code == FlagCode.DOCUMENT_EXPIRED.value
        ).exists(),
    )
    expires = RelatedIndividual.document["expirationDate"].astext
    related = sa.select(RelatedIndividual.client_id).where(
        expires >= month_ago.isoformat(),
        expires < today.isoformat(),
        ~open_flag.where(
            ClientFlag.client_id == RelatedIndividual.client_id,
            ClientFlag.code == FlagCode.DOCUMENT_EXPIRED.value,
            ClientFlag.field
            == sa.func.concat("relatedIndividuals.", RelatedIndividual.position, ".document.expirationDate"),
        ).exists(),
    )
    ages = sa.select(ClientFlag.client_id).where(
        ClientFlag.closed_at.is_(None),
        ClientFlag.code.in_([FlagCode.UNDER_AGE.value, FlagCode.BORN_IN_FUTURE.value]),
    )
    due = sa.union(documents, related, ages).subquery("due")
    query = sa.select(due.c.client_id).order_by(due.c.client_id).limit(limit)
    if after is not None:
        query = query.where(due.c.client_id > after)
    return list(session().scalars(query))


def refresh(client_id: UUID, *, by: Actor) -> bool:
    """Look at one client's flags again; gives whether any came or went."""
    client = locked(client_id)
    before = client.version
    refresh_flags(client, by=by, cause="passing of time")
    refresh_queues(client, by=by)
    return client.version != before
