"""Lists that are exported as queued work: what was asked for with which rights, and where the file lies for a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import grant

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "list_export",
        sa.Column("id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("job_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("asked_by_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("filters", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("object_id", postgresql.UUID(as_uuid=True), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (expires_at IS NULL)", name=op.f("ck_list_export_ended_expires")),
        sa.CheckConstraint("file IS NULL OR ended_at IS NOT NULL", name=op.f("ck_list_export_file_of_an_ended_one")),
        sa.CheckConstraint(
            "(file IS NULL) = (rows IS NULL) AND (file IS NULL) = (bytes IS NULL) AND (file IS NULL) = (as_of IS NULL)",
            name=op.f("ck_list_export_file_is_described"),
        ),
        # a name, and never a path: what is opened lies in the folder of exports
        sa.CheckConstraint("file ~ '^[0-9a-f]{32}$'", name=op.f("ck_list_export_file_has_a_random_name")),
        sa.ForeignKeyConstraint(["job_id"], ["background_job.id"], name=op.f("fk_list_export_job_id")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff_member.id"], name=op.f("fk_list_export_asked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_export")),
    )
    op.create_index("uq_list_export_job_id", "list_export", ["job_id"], unique=True)
    op.create_index(
        "uq_list_export_same",
        "list_export",
        ["asked_by_id", "digest"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_list_export_person", "list_export", ["asked_by_id", sa.text("id DESC")], unique=False)
    op.create_index("ix_list_export_expires_at", "list_export", ["expires_at"], unique=False)
    # with which rights a list is read stands from the moment of asking: nothing changes it afterwards
    grant("SELECT, INSERT, DELETE, UPDATE (as_of, rows, bytes, file, ended_at, expires_at, taken_at)", ["list_export"])
