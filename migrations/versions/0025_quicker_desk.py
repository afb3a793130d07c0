"""Sums of the desk are read from indexes alone; lists that find little are walked along an index of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_index(
        "ix_queue_item_held",
        "queue_item",
        ["queue", "assignee_id"],
        unique=False,
        postgresql_include=["cause"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_receipt_open",
        "receipt",
        ["currency"],
        unique=False,
        postgresql_include=["amount_minor", "allocate_by"],
        postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')"),
    )
    op.create_index("ix_transfer_type_kind", "transfer", ["type", "kind", sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_transfer_currency", "transfer", ["currency", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_incoming_request_reversal",
        "incoming_request",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("reversal"),
    )
    op.create_index(
        "ix_incoming_request_lacking",
        "incoming_request",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("cardinality(missing_data) > 0"),
    )
