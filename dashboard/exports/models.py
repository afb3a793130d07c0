"""The table of exports that are made as queued work."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.background.models import BackgroundJob
from dashboard.database import Base, new_id
from dashboard.staff.models import StaffMember


class ListExport(Base):
    """One list as one person asked for it. The row and its file are gone a day after the work has ended."""

    __tablename__ = "list_export"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[UUID] = mapped_column(sa.ForeignKey(BackgroundJob.id))
    asked_by_id: Mapped[UUID] = mapped_column(sa.ForeignKey(StaffMember.id))
    #: role and permissions at the moment of asking: the list is read with them, whatever the person may do later
    role: Mapped[str]
    permissions: Mapped[list[str]]
    #: the list's export, as the routes name it
    endpoint: Mapped[str]
    title: Mapped[str]
    #: path and query of the export: the filter as it was typed
    address: Mapped[str]
    #: names of the filters that were set, without their values: what evidence may hold
    filters: Mapped[list[str]]
    #: what the list is about, where its address names it
    object_id: Mapped[UUID | None]
    #: of address and permissions: the same one is not made twice at once
    digest: Mapped[str]
    asked_at: Mapped[datetime]
    #: the moment of the snapshot that the rows were read from
    as_of: Mapped[datetime | None]
    rows: Mapped[int | None] = mapped_column(sa.BigInteger)
    bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: random name of the file in the folder of exports, once it is whole
    file: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("(ended_at IS NULL) = (expires_at IS NULL)", name="ended_expires"),
        sa.CheckConstraint("file IS NULL OR ended_at IS NOT NULL", name="file_of_an_ended_one"),
        sa.CheckConstraint(
            "(file IS NULL) = (rows IS NULL) AND (file IS NULL) = (bytes IS NULL) AND (file IS NULL) = (as_of IS NULL)",
            name="file_is_described",
        ),
        sa.CheckConstraint("file ~ '^[0-9a-f]{32}$'", name="file_has_a_random_name"),
        sa.Index("uq_list_export_job_id", "job_id", unique=True),
        sa.Index(
            "uq_list_export_same", "asked_by_id", "digest", unique=True, postgresql_where=sa.text("ended_at IS NULL")
        ),
        sa.Index("ix_list_export_person", "asked_by_id", sa.text("id DESC")),
        sa.Index("ix_list_export_expires_at", "expires_at"),
    )
