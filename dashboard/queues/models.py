"""One table for every queue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class QueueItem(Base):
    __tablename__ = "queue_item"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    queue: Mapped[str]
    #: why it is here; one open item per object, queue and cause
    cause: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID]
    client_id: Mapped[UUID | None]
    #: its existence alone would tell a restricted reason: needs clients:read-restricted
    restricted: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    assignee_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]

    __table_args__ = (
        sa.Index(
            "uq_queue_item_open",
            "queue",
            "object_id",
            "cause",
            unique=True,
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.Index("ix_queue_item_due", "queue", "due_at", "id", postgresql_where=sa.text("closed_at IS NULL")),
        # whose the items of a queue are, from the index alone
        sa.Index(
            "ix_queue_item_held",
            "queue",
            "assignee_id",
            postgresql_include=["cause"],
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.Index("ix_queue_item_mine", "assignee_id", "due_at", "id", postgresql_where=sa.text("closed_at IS NULL")),
        sa.Index("ix_queue_item_client", "client_id", postgresql_where=sa.text("closed_at IS NULL")),
    )
