"""Tables of evidence: events, their payloads, and the seals that put them in order."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class AuditEvent(Base):
    __tablename__ = "audit_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    occurred_at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    actor_role: Mapped[str]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    #: dotted, past tense: client.blocked, approval.requested
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID | None]
    #: the client it concerns, for the timeline; the owner is known by id only
    client_id: Mapped[UUID | None]
    #: SHA-256 over salt and canonical JSON of the payload, in hex; None without a payload
    payload_digest: Mapped[str | None]

    __table_args__ = (
        # who acts, and that the moment is a date: the trigger audit_event_keeps_its_rules (migration 0034)
        sa.Index(
            "ix_audit_event_client", "client_id", sa.text("id DESC"), postgresql_where=sa.text("client_id IS NOT NULL")
        ),
        sa.Index("ix_audit_event_object", "object_type", "object_id", sa.text("id DESC")),
        sa.Index("ix_audit_event_when", "occurred_at", "id"),
        sa.Index("ix_audit_event_who", "actor_id", "occurred_at", "id"),
        sa.Index("ix_audit_event_kind", "actor_kind", "occurred_at", "id"),
        sa.Index("ix_audit_event_what", "action", "occurred_at", "id"),
    )


class AuditPayload(Base):
    __tablename__ = "audit_payload"

    event_id: Mapped[UUID] = mapped_column(sa.ForeignKey("audit_event.id"), primary_key=True)
    #: empty when the payload was emptied, because retention was over; the event stays whole (ADR 0023)
    salt: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    #: what only `clients:read-restricted` may see: codes, comments, legal references
    restricted: Mapped[dict[str, Any] | None]


class AuditSeal(Base):
    """One position of the chain. Only `seal_audit` of the database writes it (docs/adr/0031)."""

    __tablename__ = "audit_seal"

    position: Mapped[int] = mapped_column(sa.BigInteger(), primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    #: SHA-256 in hex over everything that the event says, and the digest of its payload
    digest: Mapped[str]
    #: SHA-256 in hex over the hash before, the position and the digest
    hash: Mapped[str]
    #: stands for name and address of an app of one client, which a purge erases
    actor_digest: Mapped[str | None]
    sealed_at: Mapped[datetime]

    __table_args__ = (
        # neither infinity nor a year that no program reads
        sa.CheckConstraint(
            "sealed_at >= '2000-01-01 00:00:00+00' AND sealed_at < '3000-01-01 00:00:00+00'", name="sealed_at_is_a_date"
        ),
        sa.CheckConstraint("position > 0", name="position_counts_from_one"),
        sa.CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name="hash_is_hex"),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_is_hex"),
    )


class AuditActorSalt(Base):
    """Keeps an `actor_digest` from being guessed back; empty once name and address were erased."""

    __tablename__ = "audit_actor_salt"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    salt: Mapped[str]


#: events that wait for their seal, since when; a trigger fills it, `seal_audit` empties it
audit_unsealed = sa.Table(
    "audit_unsealed",
    Base.metadata,
    sa.Column("event_id", sa.UUID(), nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
)
