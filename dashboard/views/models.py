"""One table for the views of every list."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id

#: the codes of the lists there are; the database knows them too, so that another one comes with a migration
CODES = (
    "accounts", "alerts", "approvals", "audit", "balance-checks", "bank-accounts", "breaks", "calendars",
    "client-deletions", "client-flags", "clients", "daily-checks", "differences", "incoming-requests", "invitations",
    "job-log", "movements", "payer-rules", "reviews", "staff", "statement-files", "tokens", "transactions",
    "transfers", "treasury-days", "unrecognized", "verification-events", "verification-replays",
    "queue-activation", "queue-block-review", "queue-client-review", "queue-client-reviews", "queue-deletion-requests",
    "queue-documents", "queue-held-transfers", "queue-incoming-requests", "queue-overdue-reviews", "queue-unrecognized",
    "queue-verification", "queue-breaks",
)  # fmt: skip


class SavedView(Base):
    """Filters of one list under a name. It holds no rows: who opens it sees what the list shows to them."""

    __tablename__ = "saved_view"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    #: code of the list (`lists.Listed`)
    list: Mapped[str]
    #: as typed, for display; compared by `name_key`
    name: Mapped[str]
    #: folded: case, forms of the same letter and widths of blanks are no difference
    name_key: Mapped[str]
    #: filters as the list's own address has them, in the list's order, without the place in the list
    query: Mapped[str]
    shared: Mapped[bool]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(f"list IN ({', '.join(repr(code) for code in CODES)})", name="list_known"),
        sa.CheckConstraint(
            "char_length(name) BETWEEN 1 AND 60 AND name = btrim(name) AND name !~ '[[:cntrl:]]'", name="name_short"
        ),
        sa.CheckConstraint("name_key <> ''", name="key_given"),
        sa.CheckConstraint("char_length(query) <= 1000 AND query !~ '[^!-~]'", name="query_plain"),
        sa.UniqueConstraint("owner_id", "list", "name_key"),
        sa.Index("ix_saved_view_shared", "list", postgresql_where=sa.text("shared")),
    )
