"""Tables of the ledger. Money moves only through the function `move_money`; the application's role may not write
posted or held itself (docs/adr/0010)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.ledger.vocabulary import MAIN_PURPOSE, AccountStatus, AccountType


def _one_of(column: str, words: Any) -> str:
    listed = ", ".join(f"'{word.value}'" for word in words)
    return f"{column} IN ({listed})"


CURRENCY = "currency ~ '^[a-z]{3}$'"


class AccountOwner(Base):
    """An owner of accounts, known by id only, with the freeze that stands on all of its accounts."""

    __tablename__ = "account_owner"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    debits_frozen: Mapped[bool] = mapped_column(server_default=sa.false())
    credits_frozen: Mapped[bool] = mapped_column(server_default=sa.false())
    #: currency to minor units that must stay on each account of that currency (blocks of scope amount)
    blocked_amounts: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    #: a closed owner opens no more accounts
    closed: Mapped[bool] = mapped_column(server_default=sa.false())


class BankAccount(Base):
    """The institution's own account at a bank or provider; its chart of system accounts is made from this row."""

    __tablename__ = "bank_account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    name: Mapped[str]
    #: IBAN, or the provider's own number
    number: Mapped[str]
    currency: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.UniqueConstraint("number", "currency"),
        # what movements between bank accounts refer to: one in another currency than theirs does not exist for them
        sa.UniqueConstraint("id", "currency"),
        sa.Index("ix_bank_account_provider", "provider", "currency"),
    )


#: what the index of names holds: trigrams, and currency, type and status as words that no trigram can be
ALIAS_WORDS = "trigrams(lower(alias)) || ARRAY['=' || currency, '=' || type, '=' || status]"


class Account(Base):
    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account_owner.owner_id"))
    type: Mapped[str]
    #: an IBAN of the configured country and bank
    number: Mapped[str]
    currency: Mapped[str]
    alias: Mapped[str | None]
    #: of the owner's own list; lowest first, unset last
    display_order: Mapped[int | None]
    hidden: Mapped[bool] = mapped_column(server_default=sa.false())
    status: Mapped[str] = mapped_column(server_default=AccountStatus.OPEN.value)
    provider: Mapped[str | None]
    bank_account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("bank_account.id"))
    #: the one of its type and currency that the house books to when nobody names another
    standard: Mapped[bool] = mapped_column(server_default=sa.false())
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(_one_of("type", AccountType), name="type_known"),
        sa.CheckConstraint(_one_of("status", AccountStatus), name="status_known"),
        sa.CheckConstraint("(type = 'client') = (owner_id IS NOT NULL)", name="clients_own_client_accounts"),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_has_time"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.UniqueConstraint("number"),
        # what transactions refer to: an account in another currency than theirs does not exist for them
        sa.UniqueConstraint("id", "currency"),
        sa.Index("uq_account_bank_account_type", "bank_account_id", "type", unique=True,
                 postgresql_where=sa.text("bank_account_id IS NOT NULL")),
        sa.Index("uq_account_standard", "type", "currency", unique=True, postgresql_where=sa.text("standard")),
        sa.Index("ix_account_owner", "owner_id", postgresql_where=sa.text("owner_id IS NOT NULL")),
        sa.Index("ix_account_type", "type", "currency", "id"),
        sa.Index("ix_account_currency", "currency", "id"),
        sa.Index("ix_account_closed", "currency", "id", postgresql_where=sa.text("status = 'closed'")),
        # the newest of them, in whatever currency
        sa.Index("ix_account_closed_newest", "id", postgresql_where=sa.text("status = 'closed'")),
        sa.Index("ix_account_created_at", "created_at"),
        sa.Index("ix_account_system", "id", postgresql_where=sa.text("owner_id IS NULL")),
        sa.Index("ix_account_provider", "provider", "id", postgresql_where=sa.text("provider IS NOT NULL")),
        sa.Index("ix_account_alias", sa.text(f"({ALIAS_WORDS})"), postgresql_using="gin",
                 postgresql_where=sa.text("alias IS NOT NULL")),
        # an account is found by the last characters of its number
        sa.Index("ix_account_number_end", sa.text("reverse(number) text_pattern_ops")),
    )  # fmt: skip


class AccountBalance(Base):
    """What an account holds, in minor units. One row for a guarded account, several slots for a system account.

    `posted` is credits minus debits; `held` is reserved for pending withdrawals; what can be spent is
    posted − held − blocked + limit. The flags stand here so that they are fresh under the row's lock.
    """

    __tablename__ = "account_balance"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    currency: Mapped[str]
    guarded: Mapped[bool]
    posted: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    held: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    limit_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    blocked_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    debits_frozen: Mapped[bool] = mapped_column(server_default=sa.false())
    credits_frozen: Mapped[bool] = mapped_column(server_default=sa.false())
    closed: Mapped[bool] = mapped_column(server_default=sa.false())
    #: money moved here since the balance check last looked
    touched: Mapped[bool] = mapped_column(server_default=sa.false())

    __table_args__ = (
        sa.ForeignKeyConstraint(["account_id", "currency"], ["account.id", "account.currency"]),
        sa.CheckConstraint("NOT guarded OR posted - held >= -limit_minor", name="within_limit"),
        # the other rules are kept by the trigger account_balance_keeps_its_rules: migration 0034 says why
        # its condition does not change when money moves, so that the row stays in its place
        sa.Index(
            "ix_account_balance_frozen", "account_id", postgresql_where=sa.text("debits_frozen OR credits_frozen")
        ),
        # only these can be below nought; a limit does not change when money moves either
        sa.Index("ix_account_balance_limit", "account_id", postgresql_where=sa.text("limit_minor > 0")),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class BusinessDay(Base):
    """Exactly one is open; every posting is booked on it. `snapshot_at` says when its balances were written."""

    __tablename__ = "business_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default="open")
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    snapshot_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'closed')", name="state_known"),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_has_time"),
        sa.CheckConstraint("snapshot_at IS NULL OR state = 'closed'", name="snapshot_of_closed"),
        sa.Index("uq_business_day_open", "state", unique=True, postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_business_day_closed_at", "closed_at"),
    )


class Payment(Base):
    """1..n transactions of one parent, which share its state."""

    __tablename__ = "payment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    parent_type: Mapped[str]
    parent_id: Mapped[UUID]
    #: tells payments of one parent apart
    purpose: Mapped[str] = mapped_column(server_default=MAIN_PURPOSE)
    state: Mapped[str]
    state_reason: Mapped[str | None]
    reverses_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    created_at: Mapped[datetime]
    posted_at: Mapped[datetime | None]
    booking_date: Mapped[date | None]
    value_date: Mapped[date | None]
    maker_kind: Mapped[str]
    maker_id: Mapped[UUID | None]

    __table_args__ = (
        # known states and parents, dates of what is posted: the trigger payment_keeps_its_rules (migration 0034)
        sa.Index("uq_payment_parent", "parent_id", "parent_type", "purpose", unique=True,
                 postgresql_where=sa.text("state NOT IN ('canceled', 'error')")),
        sa.Index("uq_payment_reversal", "reverses_id", unique=True,
                 postgresql_where=sa.text("reverses_id IS NOT NULL AND state NOT IN ('canceled', 'error')")),
        # what the unique one leaves out, and what is rare among millions
        sa.Index("ix_payment_parent_gone", "parent_id", postgresql_where=sa.text("state IN ('canceled', 'error')")),
        sa.Index("ix_payment_adjusting", "id", postgresql_where=sa.text("parent_type = 'adjustingPayment'")),
        sa.Index("ix_payment_live", "state", "id", postgresql_where=sa.text("state IN ('draft', 'pending')")),
    )  # fmt: skip


class LedgerTransaction(Base):
    """One positive amount of one currency from a debtor account to a creditor account. `state` is its payment's."""

    __tablename__ = "ledger_transaction"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"))
    #: order within the payment, from 1
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    debtor_account_id: Mapped[UUID]
    creditor_account_id: Mapped[UUID]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    description: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[datetime]
    posted_at: Mapped[datetime | None]
    booking_date: Mapped[date | None]
    value_date: Mapped[date | None]

    __table_args__ = (
        sa.ForeignKeyConstraint(["debtor_account_id", "currency"], ["account.id", "account.currency"],
                                name="fk_ledger_transaction_debtor"),
        sa.ForeignKeyConstraint(["creditor_account_id", "currency"], ["account.id", "account.currency"],
                                name="fk_ledger_transaction_creditor"),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        # the other rules: the trigger ledger_transaction_keeps_its_rules (migration 0034)
        sa.Index("uq_ledger_transaction_position", "payment_id", "position", unique=True),
        # lists: newest first, all states
        sa.Index("ix_ledger_transaction_debtor", "debtor_account_id", "id"),
        sa.Index("ix_ledger_transaction_creditor", "creditor_account_id", "id"),
        # statements and sums: posted ones in the order in which they were posted
        sa.Index("ix_ledger_transaction_debited", "debtor_account_id", "posted_at", "id",
                 postgresql_where=sa.text("state = 'posted'")),
        sa.Index("ix_ledger_transaction_credited", "creditor_account_id", "posted_at", "id",
                 postgresql_where=sa.text("state = 'posted'")),
        # posted ones of a period, whatever the account
        sa.Index("ix_ledger_transaction_posted", "posted_at", "id", postgresql_where=sa.text("state = 'posted'")),
        # holds of an account, and what keeps it from closing
        sa.Index("ix_ledger_transaction_debtor_live", "debtor_account_id", "id",
                 postgresql_where=sa.text("state IN ('draft', 'pending')")),
        sa.Index("ix_ledger_transaction_creditor_live", "creditor_account_id", "id",
                 postgresql_where=sa.text("state IN ('draft', 'pending')")),
        sa.Index("ix_ledger_transaction_amount", "currency", "amount_minor", "id"),
        sa.Index("ix_ledger_transaction_unposted", "state", "id", postgresql_where=sa.text("state <> 'posted'")),
        sa.Index("ix_ledger_transaction_booked", "booking_date", postgresql_using="brin",
                 postgresql_with={"pages_per_range": "32", "autosummarize": "on"}),
        sa.Index("ix_ledger_transaction_created", "created_at", postgresql_using="brin",
                 postgresql_with={"pages_per_range": "32", "autosummarize": "on"}),
        sa.Index("ix_ledger_transaction_value", "value_date", postgresql_using="brin",
                 postgresql_with={"pages_per_range": "32", "autosummarize": "on"}),
        sa.Index("ix_ledger_transaction_description", sa.text("trigrams(lower(description))"),
                 postgresql_using="gin", postgresql_where=sa.text("description IS NOT NULL")),
    )  # fmt: skip


class StateChange(Base):
    """The history of a payment's state; a row for every change."""

    __tablename__ = "payment_state_change"

    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    from_state: Mapped[str]
    to_state: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str | None]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]


class DailyBalance(Base):
    """An account's balance at the end of a closed business day, by booking date, in minor units.

    Only accounts that moved on the day have a row: the latest row up to a day is the balance of that day.
    """

    __tablename__ = "daily_balance"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"), primary_key=True)
    posted: Mapped[int] = mapped_column(sa.BigInteger)
    debits: Mapped[int] = mapped_column(sa.BigInteger)
    credits: Mapped[int] = mapped_column(sa.BigInteger)
    movements: Mapped[int]

    __table_args__ = (
        sa.Index("ix_daily_balance_day", "day", "account_id"),
        sa.Index("ix_daily_balance_negative", "account_id", "day", postgresql_where=sa.text("posted < 0")),
    )


class DailyTotal(Base):
    """Sums of a closed business day per currency and account type, in minor units."""

    __tablename__ = "daily_total"

    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"), primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    account_type: Mapped[str] = mapped_column(primary_key=True)
    #: accounts opened up to the end of the day
    accounts: Mapped[int] = mapped_column(sa.BigInteger)
    posted: Mapped[int] = mapped_column(sa.Numeric(30, 0))
    debits: Mapped[int] = mapped_column(sa.Numeric(30, 0))
    credits: Mapped[int] = mapped_column(sa.Numeric(30, 0))


class BalanceCheck(Base):
    """One run that compared stored balances with the transactions."""

    __tablename__ = "balance_check"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: touched: accounts moved since the last run; full: all; chosen: the given ones
    scope: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    accounts: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    differences: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    job_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("background_job.id"))
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("scope IN ('touched', 'full', 'chosen')", name="scope_known"),
        sa.Index("ix_balance_check_started_at", "started_at"),
    )


class BalanceFinding(Base):
    """A stored balance that differs from its transactions. It stays as found; a second person lets the rebuilt
    value stand, or it vanished by itself (`gone`)."""

    __tablename__ = "balance_finding"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    check_id: Mapped[UUID] = mapped_column(sa.ForeignKey("balance_check.id"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    found_at: Mapped[datetime]
    stored_posted: Mapped[int] = mapped_column(sa.BigInteger)
    stored_held: Mapped[int] = mapped_column(sa.BigInteger)
    rebuilt_posted: Mapped[int] = mapped_column(sa.BigInteger)
    rebuilt_held: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(server_default="open")
    closed_at: Mapped[datetime | None]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'accepted', 'gone')", name="state_known"),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_has_time"),
        sa.CheckConstraint("(state = 'accepted') = (approval_id IS NOT NULL)", name="accepted_by_two"),
        sa.Index("uq_balance_finding_open", "account_id", unique=True, postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_balance_finding_state", "state", "id"),
        sa.Index("ix_balance_finding_check", "check_id"),
    )


class OneTimePassword(Base):
    """A code sent to a client for one protected operation. Stored hashed; its tries survive refusals."""

    __tablename__ = "one_time_password"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account_owner.owner_id"))
    operation: Mapped[str]
    subject_id: Mapped[UUID]
    salt: Mapped[str]
    code_hash: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    delivered_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name="five_tries"),
        sa.CheckConstraint("used_at IS NULL OR verified_at IS NOT NULL", name="used_after_verified"),
        sa.Index("ix_one_time_password_owner", "owner_id", "created_at"),
    )


class OpeningImport(Base):
    """Opening balances from a file: read by one person, posted when a second one approves."""

    __tablename__ = "opening_import"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    file_name: Mapped[str]
    sha256: Mapped[str]
    rows: Mapped[int]
    #: currency to {"accounts": n, "credits": minor, "debits": minor}
    totals: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="read")
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    closed_at: Mapped[datetime | None]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("state IN ('read', 'posted', 'dropped')", name="state_known"),
        sa.CheckConstraint("state <> 'posted' OR approval_id IS NOT NULL", name="posted_by_two"),
        sa.Index("uq_opening_import_file", "sha256", unique=True, postgresql_where=sa.text("state <> 'dropped'")),
    )


class OpeningRow(Base):
    __tablename__ = "opening_row"

    import_id: Mapped[UUID] = mapped_column(sa.ForeignKey("opening_import.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    currency: Mapped[str]
    #: signed: positive is owed to the account's owner
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (sa.UniqueConstraint("import_id", "account_id"),)


class FileImport(Base):
    """How far a file of payments has been read; written with the payments of each chunk, so it is never ahead."""

    __tablename__ = "ledger_file_import"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    #: records of the file that are done, the head not counted
    lines: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    posted: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    refused: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


#: eleven digits of the IBANs that the house gives out
ACCOUNT_NUMBER = sa.Sequence("account_number", metadata=Base.metadata)
