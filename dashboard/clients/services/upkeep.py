"""What follows from a client's state: automatic flags, link keys, queue items. Called by every verb that changes it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients import links
from dashboard.clients.assessment import Doubt, doubt, doubts
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries as documents
from dashboard.clients.models import (
    Client,
    ClientFlag,
    ClientLink,
    ClientVerification,
    Company,
    Individual,
    RelatedIndividual,
)
from dashboard.clients.services.plan import follow
from dashboard.clients.vocabulary import FLAGS, RESTRICTED_FLAGS, ClientType, FlagCode, KycState, Risk, Severity, Status
from dashboard.database import new_id, session
from dashboard.queues import services as queues

#: business days to look at a flagged client: the heavier the doubt, the sooner
REVIEW_DUE = {Severity.STOP: 1, Severity.CHECK: 3}
ACTIVATION_DUE = 2


def _related(client_id: UUID) -> list[RelatedIndividual]:
    return list(
        session().scalars(
            sa.select(RelatedIndividual)
            .where(RelatedIndividual.client_id == client_id)
            .order_by(RelatedIndividual.position)
        )
    )


def _detail(client: Client) -> Individual | Company | None:
    if client.type == ClientType.INDIVIDUAL:
        return session().get(Individual, client.id)
    return session().get(Company, client.id)


def _duplicate_document(client: Client, individual: Individual | None) -> set[Doubt]:
    """Another individual client holds the same identity document (a company's director may become a client)."""
    if individual is None or not individual.document_number:
        return set()
    key = links.document_key(individual.document_issued_country, individual.document_number)
    other = session().scalar(
        sa.select(ClientLink.client_id)
        .join(Client, Client.id == ClientLink.client_id)
        .where(ClientLink.key == key, Client.id != client.id, Client.type == ClientType.INDIVIDUAL.value)
        .limit(1)
    )
    return {doubt(FlagCode.DUPLICATE_DOCUMENT, "identificationDocument.number", key)} if other else set()


def _rejected(client: Client) -> set[Doubt]:
    """The verification failed for good, and the client is not active: it stays so until a person looked."""
    if (client.status_before_block or client.status) != Status.INACTIVE:
        return set()
    told = session().get(ClientVerification, client.id)
    if told is None or told.state != KycState.REJECTED:
        return set()
    return {doubt(FlagCode.KYC_REJECTED, "verification", told.event_id)}


def _lapsed_documents(client: Client, today: date) -> set[Doubt]:
    """A document that was accepted has expired, and no other of its kind stands."""
    return {
        doubt(FlagCode.FILE_EXPIRED, f"documents.{document.category}", document.id, document.expires_on)
        for document in documents.lapsed(client.id, today=today)
    }


def refresh_links(client: Client) -> None:
    """Recompute the link keys."""
    detail = _detail(client)
    individual = detail if isinstance(detail, Individual) else None
    wanted = {key: kind for kind, key in links.keys_of(client, individual, _related(client.id))}
    session().execute(sa.delete(ClientLink).where(ClientLink.client_id == client.id, ClientLink.key.not_in(wanted)))
    if wanted:
        session().execute(
            postgresql.insert(ClientLink)
            .values([{"client_id": client.id, "key": key, "kind": kind} for key, kind in wanted.items()])
            .on_conflict_do_nothing()
        )


def refresh_flags(client: Client, *, by: Actor, cause: str = "profile change") -> None:
    """Open new doubts, close those that are gone. One that a person settled stays settled for the same fact."""
    detail = _detail(client)
    today = calendar().today()
    wanted = set(doubts(client, detail, _related(client.id), today))
    wanted |= _duplicate_document(client, detail if isinstance(detail, Individual) else None)
    wanted |= _rejected(client)
    wanted |= _lapsed_documents(client, today)
    known = list(session().scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id)))
    standing = {(flag.code, flag.field): flag for flag in known if flag.closed_at is None}
    by_hand = [flag for flag in known if flag.closed_at is not None and flag.closed_by is not None]
    settled = {(flag.code, flag.fact) for flag in by_hand}
    earlier = {(flag.code, flag.field): flag.id for flag in sorted(by_hand, key=lambda one: one.id)}
    moment = clock.now()
    opened, gone = [], []
    for found in sorted(wanted, key=lambda one: (one.code.value, one.field)):
        if (found.code.value, found.field) in standing or (found.code.value, found.fact) in settled:
            continue
        session().add(
            ClientFlag(
                id=new_id(),
                client_id=client.id,
                code=found.code.value,
                severity=FLAGS[found.code][0].value,
                field=found.field,
                fact=found.fact,
                opened_at=moment,
                # a person had settled it, and then the fact became another one
                reopens_id=earlier.get((found.code.value, found.field)),
            )
        )
        opened.append(found.code)
    still = {(found.code.value, found.field) for found in wanted}
    for place, flag in standing.items():
        if place not in still:
            flag.closed_at = moment
            flag.closed_by_name = cause
            flag.closing_reason = f"No longer so: {cause}."
            gone.append(FlagCode(flag.code))
    session().flush()
    count_flags(client)
    if opened or gone:
        client.version += 1
    _tell([c for c in opened if c not in RESTRICTED_FLAGS], [c for c in gone if c not in RESTRICTED_FLAGS], client, by)
    # apart: who may not know of them must find no trace, not even that something was flagged
    _tell(
        [c for c in opened if c in RESTRICTED_FLAGS], [c for c in gone if c in RESTRICTED_FLAGS], client, by,
        restricted=True,
    )  # fmt: skip


def _tell(opened: list[FlagCode], gone: list[FlagCode], client: Client, by: Actor, *, restricted: bool = False) -> None:
    if not opened and not gone:
        return
    action = "client.flagged" if opened else "client.flags_gone"
    audit.record(
        f"{action}_restricted" if restricted else action,
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"flags": sorted({FLAGS[code][1] for code in gone})} if gone else None,
        after={"flags": sorted({FLAGS[code][1] for code in opened})} if opened else None,
    )


def count_flags(client: Client) -> None:
    """Keep the two figures on the client's row that lists read."""
    count, worst = session().execute(
        sa.select(
            sa.func.count().filter(ClientFlag.severity >= Severity.CHECK.value), sa.func.max(ClientFlag.severity)
        ).where(ClientFlag.client_id == client.id, ClientFlag.closed_at.is_(None))
    ).one()  # fmt: skip
    client.open_flags, client.worst_flag = count, worst or 0


def refresh_queues(client: Client, *, by: Actor) -> None:
    """Put the client where somebody must look, and take it out where nobody needs to any more."""
    days = calendar()
    if client.open_flags:
        queues.open_item(
            "client-review",
            cause="flags",
            object_type="client",
            object_id=client.id,
            client_id=client.id,
            due_at=days.due_after(clock.now(), REVIEW_DUE[Severity(client.worst_flag)]),
        )
    else:
        queues.close_items("client-review", object_id=client.id, by=by)
    ready = client.status == Status.INACTIVE and not client.open_flags and client.risk_level != Risk.PROHIBITED
    if ready:
        queues.open_item(
            "activation",
            cause="ready",
            object_type="client",
            object_id=client.id,
            client_id=client.id,
            due_at=days.due_after(clock.now(), ACTIVATION_DUE),
        )
    else:
        queues.close_items("activation", object_id=client.id, by=by)


def after_change(client: Client, *, by: Actor, profile: bool = True, cause: str = "profile change") -> None:
    """Everything that follows. `profile` False: only status or risk changed. `cause` is told of flags that go."""
    session().flush()
    if profile:
        refresh_links(client)
    refresh_flags(client, by=by, cause=cause)
    refresh_queues(client, by=by)
    client.updated_at = clock.now()
    session().flush()
    follow(client, by=by)
