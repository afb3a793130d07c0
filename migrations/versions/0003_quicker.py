"""The ledger, quicker: names of accounts are found within a currency, type or status."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

#: a hundred thousand accounts may share a name: the index itself then knows which of them the list is about
ACCOUNT_NAMES = """
CREATE INDEX ix_account_alias ON account
    USING gin ((trigrams(lower(alias)) || ARRAY['=' || currency, '=' || type, '=' || status]))
    WHERE alias IS NOT NULL
"""


def upgrade() -> None:
    op.execute("DROP INDEX ix_account_alias")
    op.execute(ACCOUNT_NAMES)
