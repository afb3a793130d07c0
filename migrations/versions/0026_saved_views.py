"""Filters of a list under a name, for one person or for everybody, and how closely lists stand for each person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import grant

revision = "0026"
down_revision = "0025"

#: lists that exist; another one comes with a migration
LISTS = (
    "list IN ('accounts', 'alerts', 'approvals', 'audit', 'balance-checks', 'bank-accounts', 'breaks',"
    " 'client-deletions', 'client-flags', 'clients', 'differences', 'incoming-requests', 'invitations', 'job-log',"
    " 'movements', 'reviews', 'staff', 'statement-files', 'tokens', 'transactions', 'transfers', 'treasury-days',"
    " 'unrecognized', 'verification-events', 'queue-activation', 'queue-block-review', 'queue-client-review',"
    " 'queue-client-reviews', 'queue-deletion-requests', 'queue-documents', 'queue-held-transfers',"
    " 'queue-incoming-requests', 'queue-overdue-reviews', 'queue-unrecognized', 'queue-verification', 'queue-breaks')"
)


def upgrade() -> None:
    op.add_column("staff_member", sa.Column("density", sa.Text(), server_default="comfortable", nullable=False))
    op.create_check_constraint(
        op.f("ck_staff_member_density_known"), "staff_member", "density IN ('comfortable', 'compact')"
    )
    op.create_table(
        "saved_view",
        sa.Column("id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("owner_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(LISTS, name=op.f("ck_saved_view_list_known")),
        sa.CheckConstraint(
            "char_length(name) BETWEEN 1 AND 60 AND name = btrim(name) AND name !~ '[[:cntrl:]]'",
            name=op.f("ck_saved_view_name_short"),
        ),
        sa.CheckConstraint("name_key <> ''", name=op.f("ck_saved_view_key_given")),
        # percent-encoded, as addresses are: printable ASCII without a blank
        sa.CheckConstraint("char_length(query) <= 1000 AND query !~ '[^!-~]'", name=op.f("ck_saved_view_query_plain")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff_member.id"], name=op.f("fk_saved_view_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("owner_id", "list", "name_key", name=op.f("uq_saved_view_owner_id_list_name_key")),
    )
    op.create_index("ix_saved_view_shared", "saved_view", ["list"], postgresql_where=sa.text("shared"))
    # whose a view is, of which list and what it asks never change: another question is another view
    grant("SELECT, INSERT, DELETE, UPDATE (name, name_key, shared)", ["saved_view"])
