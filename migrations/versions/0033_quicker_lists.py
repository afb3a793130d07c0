"""What was undone of a payer is found without walking all decisions, and the newest closed accounts without sorting
all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.create_index(
        "ix_disposition_undone",
        "disposition",
        ["transfer_id"],
        unique=False,
        postgresql_where=sa.text("state = 'undone'"),
    )
    op.create_index(
        "ix_account_closed_newest",
        "account",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'closed'"),
    )
