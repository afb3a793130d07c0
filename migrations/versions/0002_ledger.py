"""The ledger; background work; idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dashboard import clock, settings
from migrations.guards import append_only, grant, never_deleted
from migrations.ledger_functions import (
    ACCEPT_REBUILT,
    ACCOUNT_GUARDS,
    BUSINESS_DAY_GUARD,
    CLOSE_ACCOUNT,
    FUNCTIONS,
    MOVE_MONEY,
    PAY_AT_ONCE,
    PAYMENT_GUARDS,
    ZERO_SUM,
)

revision = "0002"
down_revision = "0001"

#: clients that were there before the ledger, with the freeze that their blocks mean
OWNERS = """
INSERT INTO account_owner (owner_id, debits_frozen, credits_frozen, closed, blocked_amounts)
SELECT c.id,
       coalesce(bool_or(b.scope IN ('all', 'debit')), false), coalesce(bool_or(b.scope IN ('all', 'credit')), false),
       coalesce(c.status_before_block, c.status) = 'closed',
       coalesce((SELECT jsonb_object_agg(x.currency, x.amount) FROM (
           SELECT a.currency, sum(a.amount_minor)::bigint AS amount FROM client_block a
           WHERE a.client_id = c.id AND a.lifted_at IS NULL AND a.scope = 'amount' GROUP BY a.currency) AS x), '{}')
FROM client c LEFT JOIN client_block b ON b.client_id = c.id AND b.lifted_at IS NULL
GROUP BY c.id
"""


def upgrade() -> None:
    op.create_table(
        "account_owner",
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("debits_frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("credits_frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "blocked_amounts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_account_owner")),
    )
    op.create_table(
        "background_job",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("asked_by_kind", sa.Text(), nullable=False),
        sa.Column("asked_by_id", sa.UUID(), nullable=True),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.UUID(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (lease IS NOT NULL)", name=op.f("ck_background_job_running_has_lease")
        ),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'canceled')) = (finished_at IS NOT NULL)",
            name=op.f("ck_background_job_ended_has_time"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'canceled')",
            name=op.f("ck_background_job_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_job")),
    )
    op.create_index("ix_background_job_kind", "background_job", ["kind", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_background_job_waiting",
        "background_job",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(
        "uq_background_job_single",
        "background_job",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running') AND (arguments ? 'single')"),
    )
    op.create_table(
        "bank_account",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_bank_account_currency_is_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_account")),
        sa.UniqueConstraint("number", "currency", name=op.f("uq_bank_account_number_currency")),
    )
    op.create_index("ix_bank_account_provider", "bank_account", ["provider", "currency"], unique=False)
    op.create_table(
        "business_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snapshot_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_business_day_closed_has_time")
        ),
        sa.CheckConstraint("snapshot_at IS NULL OR state = 'closed'", name=op.f("ck_business_day_snapshot_of_closed")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_business_day_state_known")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_business_day")),
    )
    op.create_index("ix_business_day_closed_at", "business_day", ["closed_at"], unique=False)
    op.create_index(
        "uq_business_day_open", "business_day", ["state"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "idempotency_key",
        sa.Column("token_id", sa.UUID(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 200", name=op.f("ck_idempotency_key_key_length")),
        sa.PrimaryKeyConstraint("token_id", "method", "path", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(
        "ix_idempotency_key_created_at", "idempotency_key", ["created_at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "ledger_file_import",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("lines", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("posted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_ledger_file_import")),
    )
    op.create_table(
        "payment",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("parent_type", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.UUID(), nullable=False),
        sa.Column("purpose", sa.Text(), server_default="main", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("reverses_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booking_date", sa.Date(), nullable=True),
        sa.Column("value_date", sa.Date(), nullable=True),
        sa.Column("maker_kind", sa.Text(), nullable=False),
        sa.Column("maker_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "(state = 'posted') = (posted_at IS NOT NULL) AND (state = 'posted') = (booking_date IS NOT NULL) AND (state <> 'posted' OR value_date IS NOT NULL)",
            name=op.f("ck_payment_posted_has_dates"),
        ),
        sa.CheckConstraint(
            "parent_type IN ('transfer', 'paymentRequest', 'adjustingPayment')",
            name=op.f("ck_payment_parent_type_known"),
        ),
        sa.CheckConstraint(
            "reverses_id IS NULL OR parent_type = 'adjustingPayment'", name=op.f("ck_payment_reversal_is_adjusting")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'pending', 'posted', 'canceled', 'error')", name=op.f("ck_payment_state_known")
        ),
        sa.ForeignKeyConstraint(["reverses_id"], ["payment.id"], name=op.f("fk_payment_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
    )
    op.create_index(
        "ix_payment_adjusting",
        "payment",
        ["id"],
        unique=False,
        postgresql_where=sa.text("parent_type = 'adjustingPayment'"),
    )
    op.create_index(
        "ix_payment_live",
        "payment",
        ["state", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('draft', 'pending')"),
    )
    op.create_index(
        "ix_payment_parent_gone",
        "payment",
        ["parent_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('canceled', 'error')"),
    )
    op.create_index(
        "uq_payment_parent",
        "payment",
        ["parent_id", "parent_type", "purpose"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('canceled', 'error')"),
    )
    op.create_index(
        "uq_payment_reversal",
        "payment",
        ["reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL AND state NOT IN ('canceled', 'error')"),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=True),
        sa.Column("display_order", sa.Integer(), nullable=True),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("bank_account_id", sa.UUID(), nullable=True),
        sa.Column("standard", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_account_closed_has_time")),
        sa.CheckConstraint(
            "(type = 'client') = (owner_id IS NOT NULL)", name=op.f("ck_account_clients_own_client_accounts")
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_account_currency_is_code")),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_account_status_known")),
        sa.CheckConstraint(
            "type IN ('client', 'settlement', 'suspense', 'fees', 'income', 'expense', 'fxPosition', 'receivable', 'inTransit', 'ownFunds', 'opening')",
            name=op.f("ck_account_type_known"),
        ),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_account_bank_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account_owner.owner_id"], name=op.f("fk_account_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("id", "currency", name=op.f("uq_account_id_currency")),
        sa.UniqueConstraint("number", name=op.f("uq_account_number")),
    )
    op.create_index(
        "ix_account_alias",
        "account",
        [sa.literal_column("trigrams(lower(alias))")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("alias IS NOT NULL"),
    )
    op.create_index(
        "ix_account_closed", "account", ["currency", "id"], unique=False, postgresql_where=sa.text("status = 'closed'")
    )
    op.create_index("ix_account_created_at", "account", ["created_at"], unique=False)
    op.create_index("ix_account_currency", "account", ["currency", "id"], unique=False)
    op.create_index(
        "ix_account_number_end", "account", [sa.literal_column("reverse(number) text_pattern_ops")], unique=False
    )
    op.create_index(
        "ix_account_owner", "account", ["owner_id"], unique=False, postgresql_where=sa.text("owner_id IS NOT NULL")
    )
    op.create_index(
        "ix_account_provider",
        "account",
        ["provider", "id"],
        unique=False,
        postgresql_where=sa.text("provider IS NOT NULL"),
    )
    op.create_index("ix_account_system", "account", ["id"], unique=False, postgresql_where=sa.text("owner_id IS NULL"))
    op.create_index("ix_account_type", "account", ["type", "currency", "id"], unique=False)
    op.create_index(
        "uq_account_bank_account_type",
        "account",
        ["bank_account_id", "type"],
        unique=True,
        postgresql_where=sa.text("bank_account_id IS NOT NULL"),
    )
    op.create_index(
        "uq_account_standard", "account", ["type", "currency"], unique=True, postgresql_where=sa.text("standard")
    )
    op.create_table(
        "balance_check",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accounts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("differences", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("scope IN ('touched', 'full', 'chosen')", name=op.f("ck_balance_check_scope_known")),
        sa.ForeignKeyConstraint(["job_id"], ["background_job.id"], name=op.f("fk_balance_check_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_check")),
    )
    op.create_index("ix_balance_check_started_at", "balance_check", ["started_at"], unique=False)
    op.create_table(
        "daily_total",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("account_type", sa.Text(), nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("posted", sa.Numeric(precision=30, scale=0), nullable=False),
        sa.Column("debits", sa.Numeric(precision=30, scale=0), nullable=False),
        sa.Column("credits", sa.Numeric(precision=30, scale=0), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_daily_total_day")),
        sa.PrimaryKeyConstraint("day", "currency", "account_type", name=op.f("pk_daily_total")),
    )
    op.create_table(
        "one_time_password",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name=op.f("ck_one_time_password_five_tries")),
        sa.CheckConstraint(
            "used_at IS NULL OR verified_at IS NOT NULL", name=op.f("ck_one_time_password_used_after_verified")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["account_owner.owner_id"], name=op.f("fk_one_time_password_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_password")),
    )
    op.create_index("ix_one_time_password_owner", "one_time_password", ["owner_id", "created_at"], unique=False)
    op.create_table(
        "payment_state_change",
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "(from_state = 'draft' AND to_state IN ('pending', 'posted', 'canceled', 'error')) OR (from_state = 'pending' AND to_state IN ('posted', 'canceled', 'error'))",
            name=op.f("ck_payment_state_change_change_is_legal"),
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_state_change_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", "position", name=op.f("pk_payment_state_change")),
    )
    op.create_table(
        "account_balance",
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("guarded", sa.Boolean(), nullable=False),
        sa.Column("posted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("limit_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("blocked_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("debits_frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("credits_frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("touched", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("NOT closed OR (posted = 0 AND held = 0)", name=op.f("ck_account_balance_closed_is_empty")),
        sa.CheckConstraint(
            "NOT guarded OR posted - held >= -limit_minor", name=op.f("ck_account_balance_within_limit")
        ),
        sa.CheckConstraint("NOT guarded OR slot = 0", name=op.f("ck_account_balance_guarded_has_one_row")),
        sa.CheckConstraint("abs(posted) <= 1000000000000000000", name=op.f("ck_account_balance_in_range")),
        sa.CheckConstraint("blocked_minor >= 0", name=op.f("ck_account_balance_blocked_not_negative")),
        sa.CheckConstraint("guarded OR held = 0", name=op.f("ck_account_balance_only_guarded_hold")),
        sa.CheckConstraint("guarded OR limit_minor = 0", name=op.f("ck_account_balance_only_guarded_have_limit")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_account_balance_held_not_negative")),
        sa.CheckConstraint("limit_minor >= 0", name=op.f("ck_account_balance_limit_not_negative")),
        sa.ForeignKeyConstraint(
            ["account_id", "currency"],
            ["account.id", "account.currency"],
            name=op.f("fk_account_balance_account_id_currency"),
        ),
        sa.PrimaryKeyConstraint("account_id", "slot", name=op.f("pk_account_balance")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_account_balance_frozen",
        "account_balance",
        ["account_id"],
        unique=False,
        postgresql_where=sa.text("debits_frozen OR credits_frozen"),
    )
    op.create_table(
        "balance_finding",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("check_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_posted", sa.BigInteger(), nullable=False),
        sa.Column("stored_held", sa.BigInteger(), nullable=False),
        sa.Column("rebuilt_posted", sa.BigInteger(), nullable=False),
        sa.Column("rebuilt_held", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "(state = 'accepted') = (approval_id IS NOT NULL)", name=op.f("ck_balance_finding_accepted_by_two")
        ),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_balance_finding_closed_has_time")),
        sa.CheckConstraint("state IN ('open', 'accepted', 'gone')", name=op.f("ck_balance_finding_state_known")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_balance_finding_account_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_balance_finding_approval_id")),
        sa.ForeignKeyConstraint(["check_id"], ["balance_check.id"], name=op.f("fk_balance_finding_check_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_finding")),
    )
    op.create_index("ix_balance_finding_check", "balance_finding", ["check_id"], unique=False)
    op.create_index("ix_balance_finding_state", "balance_finding", ["state", "id"], unique=False)
    op.create_index(
        "uq_balance_finding_open",
        "balance_finding",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "daily_balance",
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("movements", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_daily_balance_account_id")),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_daily_balance_day")),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_daily_balance")),
    )
    op.create_index("ix_daily_balance_day", "daily_balance", ["day", "account_id"], unique=False)
    op.create_table(
        "ledger_transaction",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("debtor_account_id", sa.UUID(), nullable=False),
        sa.Column("creditor_account_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booking_date", sa.Date(), nullable=True),
        sa.Column("value_date", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "(state = 'posted') = (posted_at IS NOT NULL) AND (state = 'posted') = (booking_date IS NOT NULL)",
            name=op.f("ck_ledger_transaction_posted_has_dates"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'pending', 'posted', 'canceled', 'error')",
            name=op.f("ck_ledger_transaction_state_known"),
        ),
        sa.CheckConstraint("amount_minor <= 10000000000000000", name=op.f("ck_ledger_transaction_amount_in_range")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ledger_transaction_amount_positive")),
        sa.CheckConstraint("debtor_account_id <> creditor_account_id", name=op.f("ck_ledger_transaction_two_accounts")),
        sa.ForeignKeyConstraint(
            ["creditor_account_id", "currency"],
            ["account.id", "account.currency"],
            name="fk_ledger_transaction_creditor",
        ),
        sa.ForeignKeyConstraint(
            ["debtor_account_id", "currency"], ["account.id", "account.currency"], name="fk_ledger_transaction_debtor"
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_ledger_transaction_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transaction")),
    )
    op.create_index(
        "ix_ledger_transaction_amount", "ledger_transaction", ["currency", "amount_minor", "id"], unique=False
    )
    op.create_index(
        "ix_ledger_transaction_booked",
        "ledger_transaction",
        ["booking_date"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
    )
    op.create_index(
        "ix_ledger_transaction_created",
        "ledger_transaction",
        ["created_at"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
    )
    op.create_index(
        "ix_ledger_transaction_credited",
        "ledger_transaction",
        ["creditor_account_id", "posted_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'posted'"),
    )
    op.create_index("ix_ledger_transaction_creditor", "ledger_transaction", ["creditor_account_id", "id"], unique=False)
    op.create_index(
        "ix_ledger_transaction_creditor_live",
        "ledger_transaction",
        ["creditor_account_id", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('draft', 'pending')"),
    )
    op.create_index(
        "ix_ledger_transaction_debited",
        "ledger_transaction",
        ["debtor_account_id", "posted_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'posted'"),
    )
    op.create_index("ix_ledger_transaction_debtor", "ledger_transaction", ["debtor_account_id", "id"], unique=False)
    op.create_index(
        "ix_ledger_transaction_debtor_live",
        "ledger_transaction",
        ["debtor_account_id", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('draft', 'pending')"),
    )
    op.create_index(
        "ix_ledger_transaction_description",
        "ledger_transaction",
        [sa.literal_column("trigrams(lower(description))")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("description IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_transaction_posted",
        "ledger_transaction",
        ["posted_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'posted'"),
    )
    op.create_index(
        "ix_ledger_transaction_unposted",
        "ledger_transaction",
        ["state", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'posted'"),
    )
    op.create_index(
        "ix_ledger_transaction_value",
        "ledger_transaction",
        ["value_date"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"pages_per_range": "32", "autosummarize": "on"},
    )
    op.create_index("uq_ledger_transaction_position", "ledger_transaction", ["payment_id", "position"], unique=True)
    op.create_table(
        "opening_import",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="read", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "state <> 'posted' OR approval_id IS NOT NULL", name=op.f("ck_opening_import_posted_by_two")
        ),
        sa.CheckConstraint("state IN ('read', 'posted', 'dropped')", name=op.f("ck_opening_import_state_known")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_opening_import_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_import")),
    )
    op.create_index(
        "uq_opening_import_file",
        "opening_import",
        ["sha256"],
        unique=True,
        postgresql_where=sa.text("state <> 'dropped'"),
    )
    op.create_table(
        "opening_row",
        sa.Column("import_id", sa.UUID(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_opening_row_account_id")),
        sa.ForeignKeyConstraint(["import_id"], ["opening_import.id"], name=op.f("fk_opening_row_import_id")),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_opening_row")),
        sa.UniqueConstraint("import_id", "account_id", name=op.f("uq_opening_row_import_id_account_id")),
    )
    op.create_index(
        "ix_approval_request_object", "approval_request", ["object_id", sa.literal_column("id DESC")], unique=False
    )

    op.execute("CREATE SEQUENCE account_number MINVALUE 1 MAXVALUE 99999999999")
    for table in ("payment_state_change", "daily_balance", "daily_total", "opening_row"):
        append_only(table)
    for table in (
        "account_owner", "bank_account", "account", "account_balance", "business_day", "payment",
        "ledger_transaction", "balance_check", "balance_finding", "opening_import", "one_time_password",
    ):  # fmt: skip
        never_deleted(table)
    for statement in (
        PAYMENT_GUARDS, ACCOUNT_GUARDS, BUSINESS_DAY_GUARD, ZERO_SUM, MOVE_MONEY, PAY_AT_ONCE, ACCEPT_REBUILT, CLOSE_ACCOUNT,
    ):  # fmt: skip
        op.execute(statement)
    op.execute(OWNERS)
    chosen = settings.load()
    days = clock.BusinessCalendar(chosen.institution_country, chosen.zone)
    first = days.add_days(days.today(), 0)
    op.execute(
        sa.text("INSERT INTO business_day (day, state, opened_at) VALUES (:day, 'open', now())").bindparams(day=first)
    )

    grant("SELECT", ("payment", "ledger_transaction", "payment_state_change"))
    grant(
        "SELECT, INSERT",
        ("bank_account", "account", "account_balance", "daily_balance", "daily_total", "opening_row"),
    )
    grant(
        "SELECT, INSERT, UPDATE",
        (
            "account_owner", "business_day", "balance_check", "balance_finding", "one_time_password",
            "opening_import", "ledger_file_import", "background_job",
        ),
    )  # fmt: skip
    grant("SELECT, INSERT, UPDATE, DELETE", ("idempotency_key",))
    # posted and held are written by functions of the owner alone
    grant("UPDATE (alias, display_order, hidden, status, closed_at)", ("account",))
    grant("UPDATE (debits_frozen, credits_frozen, blocked_minor, touched)", ("account_balance",))
    grant("USAGE", ("SEQUENCE account_number",))
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    grant("EXECUTE", (f"FUNCTION {', '.join(FUNCTIONS)}",))
