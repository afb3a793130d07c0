"""Requests for deletion, legal holds, and the register of columns that hold personal data (ADR 0023)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class DeletionRequest(Base):
    """From the wish to the purge. While it is requested or waiting, processing of the client's data is restricted."""

    __tablename__ = "deletion_request"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    state: Mapped[str] = mapped_column(default="requested")
    channel: Mapped[str]
    #: the client's own words, or what staff wrote of them
    reason: Mapped[str | None]
    #: when the wish reached the house: the time to answer counts from here
    received_on: Mapped[date]
    requested_at: Mapped[datetime]
    requested_by_kind: Mapped[str]
    requested_by_id: Mapped[UUID | None]
    requested_by_name: Mapped[str]
    #: the plan that two people approved
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    #: first day on which the job may purge
    purge_from: Mapped[date | None]
    refusal_ground: Mapped[str | None]
    refusal_reason: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by_name: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint("state IN ('requested', 'waiting', 'purged', 'refused', 'withdrawn')", name="state_known"),
        sa.CheckConstraint(
            "channel IN ('frontOffice', 'letter', 'email', 'phone', 'inPerson', 'institution')", name="channel_known"
        ),
        sa.CheckConstraint("requested_by_kind IN ('staff', 'token', 'system')", name="asker_known"),
        sa.CheckConstraint("(state IN ('requested', 'waiting')) = (closed_at IS NULL)", name="closed_has_time"),
        sa.CheckConstraint(
            "(state = 'refused') = (refusal_ground IS NOT NULL)"
            " AND (refusal_ground IS NULL) = (refusal_reason IS NULL)",
            name="refused_says_why",
        ),
        sa.CheckConstraint(
            "refusal_ground IN ('legalObligation', 'legalClaims', 'notTheClient', 'unfounded')", name="ground_known"
        ),
        sa.CheckConstraint(
            "state NOT IN ('waiting', 'purged') OR (approval_id IS NOT NULL AND purge_from IS NOT NULL)",
            name="planned_by_two",
        ),
        sa.Index(
            "uq_deletion_request_open",
            "client_id",
            unique=True,
            postgresql_where=sa.text("state IN ('requested', 'waiting')"),
        ),
        sa.Index("ix_deletion_request_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_deletion_request_state", "state", sa.text("received_on DESC"), sa.text("id DESC")),
        sa.Index("ix_deletion_request_due", "purge_from", "id", postgresql_where=sa.text("state = 'waiting'")),
    )


class LegalHold(Base):
    """A duty to keep that is longer than the usual one. Placed by one person at once, ended by two."""

    __tablename__ = "legal_hold"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    code: Mapped[str]
    #: file number, order; like the code only for `clients:read-restricted`
    reference: Mapped[str | None]
    placed_at: Mapped[datetime]
    placed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    placed_by_name: Mapped[str]
    ended_at: Mapped[datetime | None]
    end_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(
            "code IN ('LITIGATION', 'AUTHORITY_ORDER', 'INVESTIGATION', 'EXTENDED_RETENTION', 'AUDIT')",
            name="code_known",
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_approval_id IS NULL)", name="ended_by_two"),
        sa.Index("ix_legal_hold_client", "client_id", sa.text("id DESC")),
        sa.Index(
            "uq_legal_hold_active", "client_id", "code", unique=True, postgresql_where=sa.text("ended_at IS NULL")
        ),
    )


class PurgeRun(Base):
    """The transaction of a purge, while it runs: guards step aside in it and nowhere else."""

    __tablename__ = "purge_run"

    xact: Mapped[str] = mapped_column(primary_key=True)


class PersonalColumn(Base):
    """The register that a purge walks over. Only migrations write it; `becomes` and `found_by` are SQL."""

    __tablename__ = "personal_column"

    id: Mapped[int] = mapped_column(sa.Integer, sa.Identity(always=True), primary_key=True)
    table_name: Mapped[str]
    #: `_row`: the row goes altogether
    column_name: Mapped[str]
    #: a condition in which $1 is the client's id
    found_by: Mapped[str]
    becomes: Mapped[str]
