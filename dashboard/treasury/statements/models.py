"""Tables of statements. Amounts are minor units, positive where money came to the house, negative where it left."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id

CURRENCY = "currency ~ '^[a-z]{3}$'"


class CsvMapping(Base):
    """How the columns of a bank account's CSV file are to be read. A change makes a new version."""

    __tablename__ = "csv_mapping"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    version: Mapped[int]
    #: encoding, delimiter, decimal mark, date format, and column by field
    rules: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]

    __table_args__ = (sa.Index("uq_csv_mapping_version", "bank_account_id", "version", unique=True),)


class StatementImport(Base):
    """One file. Nothing of a preview counts; a deleted one leaves its row."""

    __tablename__ = "statement_import"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    file_name: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(sa.BigInteger)
    #: camt.053, camt.052, camt.054, mt940, mt942, csv; None until it was recognized
    format: Mapped[str | None]
    #: page, inbox, command
    source: Mapped[str]
    state: Mapped[str]
    #: why it failed; no personal data
    reason: Mapped[str | None]
    mapping_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("csv_mapping.id"))
    #: what a CSV file is of; the others name their accounts themselves
    bank_account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("bank_account.id"))
    #: how far its stream was read, in a transaction with what was read: a reader that dies goes on there
    read_items: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    #: when all of it was read
    read_at: Mapped[datetime | None]
    statements: Mapped[int] = mapped_column(server_default="0")
    entries: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    #: entries that an earlier file had told
    repeated: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    refused: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    #: `rows`: the first thousand that could not be taken, each with `where`, `reason` and `reference`
    failures: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    job_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("background_job.id"))
    created_at: Mapped[datetime]
    created_by_kind: Mapped[str]
    created_by_id: Mapped[UUID | None]
    created_by: Mapped[str]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('preview', 'importing', 'imported', 'failed', 'deleted')", name="state_known"
        ),
        sa.CheckConstraint("source IN ('page', 'inbox', 'command')", name="source_known"),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed_says_why"),
        sa.Index("uq_statement_import_file", "sha256", unique=True,
                 postgresql_where=sa.text("state IN ('importing', 'imported') AND refused = 0")),
        sa.Index("ix_statement_import_newest", sa.text("id DESC")),
        sa.Index("ix_statement_import_state", "state", sa.text("id DESC")),
    )  # fmt: skip


class Statement(Base):
    """One statement, interim report or notification of one account, as the bank told it.

    A statement told again by another file stands once; what is new in it is added.
    """

    __tablename__ = "statement"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    import_id: Mapped[UUID] = mapped_column(sa.ForeignKey("statement_import.id"))
    #: its place in the file, from 1
    place: Mapped[int] = mapped_column(server_default="1")
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    currency: Mapped[str]
    #: statement | interim | notification
    kind: Mapped[str]
    #: the bank's own id of it, and its numbers
    bank_id: Mapped[str | None]
    sequence: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: of a statement that came on several pages
    page: Mapped[int | None]
    #: what tells the same statement again: account, id or number, days, balances
    key: Mapped[str]
    first_day: Mapped[date | None]
    #: the day whose end the closing balance is of: the reconciliation point
    last_day: Mapped[date]
    opening_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    closing_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: sum of its booked entries
    booked_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    entries: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    tie_out: Mapped[str] = mapped_column(server_default="unknown")
    continuity: Mapped[str] = mapped_column(server_default="unknown")
    #: what is odd about it, in sentences without personal data
    remarks: Mapped[list[str]] = mapped_column(server_default=sa.text("'{}'"))
    #: false until its import is committed, and again when that is deleted
    standing: Mapped[bool] = mapped_column(server_default=sa.false())
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("kind IN ('statement', 'interim', 'notification')", name="kind_known"),
        sa.CheckConstraint("tie_out IN ('passed', 'failed', 'unknown')", name="tie_out_known"),
        sa.CheckConstraint("continuity IN ('passed', 'failed', 'first', 'unknown')", name="continuity_known"),
        sa.Index("uq_statement_key", "bank_account_id", "key", unique=True, postgresql_where=sa.text("standing")),
        sa.Index("ix_statement_of_day", "bank_account_id", sa.text("last_day DESC"), sa.text("id DESC"),
                 postgresql_where=sa.text("standing")),
        sa.Index("uq_statement_place", "import_id", "place", unique=True),
    )  # fmt: skip


class StatementEntry(Base):
    """What moved the balance: one booking of the bank, with all its details."""

    __tablename__ = "statement_entry"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    statement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("statement.id"))
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    #: place within its statement, from 1
    number: Mapped[int]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    status: Mapped[str]
    reversal: Mapped[bool] = mapped_column(server_default=sa.false())
    booking_date: Mapped[date]
    value_date: Mapped[date | None]
    #: what tells the same entry again: `fingerprint` and which of several alike
    key: Mapped[str]
    #: digest of day, amount and the bank's reference; without a reference, of all that is told
    fingerprint: Mapped[UUID]
    #: whether the bank gave a reference of its own
    referenced: Mapped[bool] = mapped_column(server_default=sa.false())
    #: the bank's own reference, and the one of a batch
    bank_reference: Mapped[str | None]
    batch_reference: Mapped[str | None]
    #: the bank's code of what it is (ISO 20022 family and sub-family, or its own)
    code: Mapped[str | None]
    text: Mapped[str | None]
    standing: Mapped[bool] = mapped_column(server_default=sa.false())

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("status IN ('booked', 'pending', 'information')", name="status_known"),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.Index("uq_statement_entry_number", "statement_id", "number", unique=True),
        sa.Index("uq_statement_entry_standing", "bank_account_id", "key", unique=True,
                 postgresql_where=sa.text("standing")),
        sa.Index("ix_statement_entry_fingerprint", "bank_account_id", "fingerprint"),
        sa.Index("ix_statement_entry_account", "bank_account_id", "booking_date", "id"),
    )  # fmt: skip


class StatementLine(Base):
    """What is matched with the ledger: a detail of an entry, or the entry itself where it has none that add up.

    Only `matchable` ones are: booked, of a standing statement of a day. The others are kept and shown.
    """

    __tablename__ = "statement_line"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    entry_id: Mapped[UUID] = mapped_column(sa.ForeignKey("statement_entry.id"))
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    #: 0: the entry itself; from 1: its details
    position: Mapped[int]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    booking_date: Mapped[date]
    value_date: Mapped[date | None]
    end_to_end_id: Mapped[str | None]
    #: the bank's or provider's own reference of this one
    provider_reference: Mapped[str | None]
    batch_reference: Mapped[str | None]
    #: every reference it carries
    bank_references: Mapped[list[str]] = mapped_column(server_default=sa.text("'{}'"))
    counterparty: Mapped[str | None]
    counterparty_account: Mapped[str | None]
    remittance: Mapped[str | None]
    matchable: Mapped[bool] = mapped_column(server_default=sa.false())

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("amount_minor <> 0 OR NOT matchable", name="amount_not_zero"),
        sa.CheckConstraint("position >= 0", name="position_from_zero"),
        sa.Index("uq_statement_line_position", "entry_id", "position", unique=True),
        sa.Index("ix_statement_line_account", "bank_account_id", "booking_date", "id",
                 postgresql_where=sa.text("matchable")),
        sa.Index("ix_statement_line_amount", "bank_account_id", "amount_minor", "booking_date", "id",
                 postgresql_where=sa.text("matchable")),
        # whether another line says the same
        sa.Index("ix_statement_line_end_to_end_id", "bank_account_id", "end_to_end_id",
                 postgresql_where=sa.text("end_to_end_id IS NOT NULL AND matchable")),
        sa.Index("ix_statement_line_provider_reference", "bank_account_id", "provider_reference",
                 postgresql_where=sa.text("provider_reference IS NOT NULL AND matchable")),
    )  # fmt: skip
