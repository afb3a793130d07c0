"""API tokens as stored: only a hash of the secret."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class ApiToken(Base):
    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    audience: Mapped[str]
    #: front office: the one client the token speaks for
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    #: integration: whose external ids these are (externalId is unique per partner)
    partner: Mapped[str] = mapped_column(default="default")
    scopes: Mapped[list[str]]
    #: SHA-256 of a 256-bit random secret, in hex: nothing to brute-force, so no slow hash is needed
    secret_hash: Mapped[str] = mapped_column(unique=True)
    #: the first characters, to recognise a token in a list
    prefix: Mapped[str]
    owner_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    #: staff: made on a page, by its owner; operator: at the command line
    origin: Mapped[str] = mapped_column(default="operator")
    #: the request by which two people let a powerful token be
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)
    #: None: its secret is not made yet; the owner sees it once
    secret_shown_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("audience IN ('frontoffice', 'system', 'integration')", name="audience_known"),
        sa.CheckConstraint("(audience = 'frontoffice') = (client_id IS NOT NULL)", name="front_office_has_a_client"),
        sa.CheckConstraint("expires_at > created_at", name="expires_after_creation"),
        sa.CheckConstraint("origin IN ('operator', 'staff')", name="origin_known"),
        sa.CheckConstraint("origin = 'operator' OR owner_id IS NOT NULL", name="made_by_staff_has_an_owner"),
        sa.Index("ix_api_token_owner_id", "owner_id", postgresql_where=sa.text("owner_id IS NOT NULL")),
    )


class IdempotencyKey(Base):
    """A key that a caller sent with a request that creates or moves, and the first answer to it.

    The row is written in the transaction of the work itself, so a key without an answer never stays.
    """

    __tablename__ = "idempotency_key"

    #: no foreign key: it would make all payments of a token queue up for its row
    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: SHA-256 of the raw body
    body_hash: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(sa.SmallInteger)
    content_type: Mapped[str | None]
    answer: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (sa.Index("ix_idempotency_key_created_at", "created_at", postgresql_using="brin"),)
