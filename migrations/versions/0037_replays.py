"""Views can be saved of replays of verification events too."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"

#: lists that exist; another one comes with a migration
LISTS = (
    "list IN ('accounts', 'alerts', 'approvals', 'audit', 'balance-checks', 'bank-accounts', 'breaks', 'calendars',"
    " 'client-deletions', 'client-flags', 'clients', 'daily-checks', 'differences', 'incoming-requests', 'invitations',"
    " 'job-log', 'movements', 'payer-rules', 'reviews', 'staff', 'statement-files', 'tokens', 'transactions',"
    " 'transfers', 'treasury-days', 'unrecognized', 'verification-events', 'verification-replays', 'queue-activation',"
    " 'queue-block-review', 'queue-client-review', 'queue-client-reviews', 'queue-deletion-requests',"
    " 'queue-documents', 'queue-held-transfers', 'queue-incoming-requests', 'queue-overdue-reviews',"
    " 'queue-unrecognized', 'queue-verification', 'queue-breaks')"
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_saved_view_list_known"), "saved_view", type_="check")
    op.create_check_constraint(op.f("ck_saved_view_list_known"), "saved_view", LISTS)
