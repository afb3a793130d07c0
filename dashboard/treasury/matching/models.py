"""Tables of matching and breaks. Amounts are minor units as the bank sees them: positive came in, negative left."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.statements.models import CURRENCY


class MatchRuleSet(Base):
    """One version of the rules; the highest is in force. Never changed: a change is a new version, asked and approved.

    `rules` are what `rules.RuleSet` writes and reads.
    """

    __tablename__ = "match_rule_set"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int]
    rules: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    #: None: the first version, which came with the product
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.UniqueConstraint("version"),
        sa.CheckConstraint("version = 1 OR approval_id IS NOT NULL", name="changed_by_two"),
    )


class MatchPlace(Base):
    """How far a bank account has come. Whoever matches in an account locks its row first."""

    __tablename__ = "match_place"

    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    #: ledger rows booked up to this day are matched, or stand in `open_item`
    swept_on: Mapped[date | None]
    #: first day of the first standing statement, as the last run saw it: its opening balance covers what was booked
    #: before
    begins_on: Mapped[date | None]


class OpenItem(Base):
    """What is matched with nothing: a line of a bank, or a ledger row of a settlement account. Kept by the database:
    a line enters when it becomes matchable, and what a match takes leaves until the match is undone."""

    __tablename__ = "open_item"

    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    #: of the statement line or of the ledger transaction
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    booking_date: Mapped[date]

    __table_args__ = (
        sa.CheckConstraint("side IN ('ledger', 'bank')", name="side_known"),
        sa.Index("ix_open_item_booked", "bank_account_id", "booking_date"),
    )


class MatchRun(Base):
    """One run over one bank account as of the end of one business day. A dry one leaves nothing but this row."""

    __tablename__ = "match_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    day: Mapped[date]
    dry: Mapped[bool]
    state: Mapped[str]
    rules_version: Mapped[int] = mapped_column(sa.ForeignKey("match_rule_set.version"))
    job_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("background_job.id"))
    asked_at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]
    finished_at: Mapped[datetime | None]
    #: passes with what each found, breaks by kind, rows looked at: counts and minor units, no personal data
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))

    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'finished', 'failed', 'canceled')", name="state_known"
        ),
        sa.CheckConstraint(
            "(state IN ('finished', 'failed', 'canceled')) = (finished_at IS NOT NULL)", name="ended_has_time"
        ),
        sa.Index("ix_match_run_day", "bank_account_id", "day", sa.text("id DESC")),
        # one at a time for an account, so that asking twice is once
        sa.Index("uq_match_run_waiting", "bank_account_id", "day", "dry", unique=True,
                 postgresql_where=sa.text("state IN ('waiting', 'running')")),
    )  # fmt: skip


class ReconMatch(Base):
    """Rows of both sides that belong together: as many as it says, with the same sum on both. Never deleted, undone
    once. A proposal holds nothing until a person accepts it."""

    __tablename__ = "recon_match"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    currency: Mapped[str]
    state: Mapped[str]
    #: the name of the pass in the language is taken
    found_by: Mapped[str]
    #: what agreed, in words without personal data
    why: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    lines: Mapped[int]
    transactions: Mapped[int]
    #: earliest and latest booking date of all its rows
    first_on: Mapped[date]
    last_on: Mapped[date]
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("match_run.id"))
    rules_version: Mapped[int | None]
    made_at: Mapped[datetime]
    made_by_kind: Mapped[str]
    made_by_id: Mapped[UUID | None]
    made_by: Mapped[str]
    #: a proposal: who decided it
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[UUID | None]
    decided_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[UUID | None]
    undone_by: Mapped[str | None]
    undone_because: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint(
            "state IN ('proposed', 'live', 'undone', 'rejected', 'withdrawn')", name="state_known"
        ),
        sa.CheckConstraint(
            "found_by IN ('reference', 'text', 'batch', 'amount', 'sum', 'hand', 'booked')", name="pass_known"
        ),
        sa.CheckConstraint("lines > 0 AND transactions > 0", name="two_sides"),
        sa.CheckConstraint("last_on >= first_on", name="dates_in_order"),
        sa.CheckConstraint(
            "(state = 'undone') = (undone_at IS NOT NULL) AND (state <> 'undone' OR undone_because IS NOT NULL)",
            name="undone_says_why",
        ),
        sa.CheckConstraint("state <> 'rejected' OR decided_by_id IS NOT NULL", name="rejected_by_somebody"),
        sa.Index("ix_recon_match_proposed", "bank_account_id", "id", postgresql_where=sa.text("state = 'proposed'")),
        sa.Index("ix_recon_match_newest", "bank_account_id", "state", sa.text("id DESC")),
        # what ends after a day and begins before it was open on that day
        sa.Index("ix_recon_match_across", "bank_account_id", "last_on", "first_on",
                 postgresql_where=sa.text("state = 'live' AND first_on < last_on")),
        sa.Index("ix_recon_match_days", "bank_account_id", "last_on", "id", postgresql_where=sa.text("state = 'live'")),
        # the newest change
        sa.Index("ix_recon_match_decided", "decided_at"),
        sa.Index("ix_recon_match_undone", "undone_at", postgresql_where=sa.text("undone_at IS NOT NULL")),
        sa.Index("ix_recon_match_run", "run_id", postgresql_where=sa.text("run_id IS NOT NULL")),
    )  # fmt: skip


class MatchLine(Base):
    """A bank line in a match. `live` is its match's: a line stands in one live match only."""

    __tablename__ = "match_line"

    match_id: Mapped[UUID] = mapped_column(sa.ForeignKey("recon_match.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    booking_date: Mapped[date]
    live: Mapped[bool]

    __table_args__ = (
        sa.CheckConstraint("position > 0", name="position_from_one"),
        sa.Index("uq_match_line_live", "line_id", unique=True, postgresql_where=sa.text("live")),
        sa.Index("ix_match_line_other", "line_id", postgresql_where=sa.text("NOT live")),
    )


class MatchTransaction(Base):
    """A ledger row in a match, seen from one settlement account: a movement between two of ours stands in two."""

    __tablename__ = "match_transaction"

    match_id: Mapped[UUID] = mapped_column(sa.ForeignKey("recon_match.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[UUID]
    account_id: Mapped[UUID]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    booking_date: Mapped[date]
    live: Mapped[bool]

    __table_args__ = (
        sa.CheckConstraint("position > 0", name="position_from_one"),
        sa.Index("uq_match_transaction_live", "transaction_id", "account_id", unique=True,
                 postgresql_where=sa.text("live")),
        sa.Index("ix_match_transaction_other", "transaction_id", postgresql_where=sa.text("NOT live")),
    )  # fmt: skip


class ReconBreak(Base):
    """A difference between ledger and statement, with its rows. Resolved and reopened in place; its history is kept in
    `break_event`. `difference_minor` is bank minus ledger."""

    __tablename__ = "recon_break"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    currency: Mapped[str]
    kind: Mapped[str]
    cause: Mapped[str]
    line_id: Mapped[UUID | None]
    transaction_id: Mapped[UUID | None]
    bank_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    ledger_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    difference_minor: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Computed("coalesce(bank_minor, 0) - coalesce(ledger_minor, 0)", persisted=True)
    )
    bank_on: Mapped[date | None]
    ledger_on: Mapped[date | None]
    #: booking date of its earliest row: it is as old as that
    since: Mapped[date]
    #: of a duplicate: the row that the match has already
    twin_id: Mapped[UUID | None]
    state: Mapped[str]
    resolution: Mapped[str | None]
    #: of an accepted one: the amount up to which one person was enough
    limit_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    #: the event that holds what was seen when it was accepted
    evidence_id: Mapped[UUID | None]
    match_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("recon_match.id"))
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("match_run.id"))
    found_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    reopened: Mapped[int] = mapped_column(server_default="0")
    #: grows with every change
    version: Mapped[int] = mapped_column(server_default="1")

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint(
            "kind IN ('missingInLedger', 'missingInStatement', 'amountDiffers', 'duplicateAtBank',"
            " 'duplicateInLedger', 'wrongDate')",
            name="kind_known",
        ),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="state_known"),
        sa.CheckConstraint("resolution IN ('matched', 'booked', 'accepted', 'gone')", name="resolution_known"),
        sa.CheckConstraint(
            "(state = 'resolved') = (resolution IS NOT NULL) AND (state = 'resolved') = (resolved_at IS NOT NULL)",
            name="resolved_says_how",
        ),
        sa.CheckConstraint(
            "(line_id IS NULL) = (bank_minor IS NULL) AND (line_id IS NULL) = (bank_on IS NULL)"
            " AND (transaction_id IS NULL) = (ledger_minor IS NULL) AND (transaction_id IS NULL) = (ledger_on IS NULL)"
            " AND (line_id IS NOT NULL OR transaction_id IS NOT NULL)",
            name="has_its_rows",
        ),
        sa.CheckConstraint(
            "resolution IS DISTINCT FROM 'accepted' OR approval_id IS NOT NULL"
            " OR (limit_minor IS NOT NULL AND"
            " greatest(abs(coalesce(bank_minor, 0) - coalesce(ledger_minor, 0)),"
            " CASE WHEN kind = 'wrongDate' THEN abs(bank_minor) ELSE 0 END) <= limit_minor)",
            name="accepted_above_limit_by_two",
        ),
        sa.CheckConstraint(
            "resolution IS DISTINCT FROM 'accepted' OR evidence_id IS NOT NULL", name="accepted_has_evidence"
        ),
        sa.CheckConstraint(
            "coalesce(resolution NOT IN ('matched', 'booked'), true) OR match_id IS NOT NULL", name="matched_has_match"
        ),
        # a row is the subject of one break at a time, accepted ones included
        sa.Index("uq_recon_break_line", "line_id", unique=True,
                 postgresql_where=sa.text("line_id IS NOT NULL AND (state <> 'resolved' OR resolution = 'accepted')")),
        sa.Index("uq_recon_break_transaction", "transaction_id", "bank_account_id", unique=True,
                 postgresql_where=sa.text(
                     "transaction_id IS NOT NULL AND (state <> 'resolved' OR resolution = 'accepted')")),
        sa.Index("ix_recon_break_unresolved", "bank_account_id", "since", "id",
                 postgresql_where=sa.text("state <> 'resolved'")),
        # minus amounts first, then larger ones, then older ones
        sa.Index("ix_recon_break_order", sa.text("(difference_minor >= 0)"), sa.text("(- abs(difference_minor))"),
                 "since", "id", postgresql_where=sa.text("state <> 'resolved'")),
        sa.Index("ix_recon_break_accepted", "bank_account_id", "since", "id",
                 postgresql_where=sa.text("resolution = 'accepted'")),
        sa.Index("ix_recon_break_account", "bank_account_id", sa.text("id DESC")),
        sa.Index("ix_recon_break_match", "match_id", postgresql_where=sa.text("match_id IS NOT NULL")),
    )  # fmt: skip


class MatchBooking(Base):
    """An adjusting payment that was asked for to book what is left between rows; approved, it is matched with them.
    Never changed."""

    __tablename__ = "match_booking"

    payment_id: Mapped[UUID] = mapped_column(primary_key=True)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    break_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("recon_break.id"))
    lines: Mapped[list[UUID]] = mapped_column(postgresql.ARRAY(postgresql.UUID(as_uuid=True)))
    transactions: Mapped[list[UUID]] = mapped_column(postgresql.ARRAY(postgresql.UUID(as_uuid=True)))
    booked_as: Mapped[str]
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("booked_as IN ('fee', 'interest', 'suspense')", name="booked_as_known"),
        sa.Index("ix_match_booking_account", "bank_account_id", "payment_id"),
        sa.Index("ix_match_booking_break", "break_id", postgresql_where=sa.text("break_id IS NOT NULL")),
    )


class CarriedIn(Base):
    """Two people let a difference from before the first statement stand. Never changed: it counts as long as comparing
    begins on that day with these two balances (minor units, as the bank sees them)."""

    __tablename__ = "carried_in"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"))
    begins_on: Mapped[date]
    opening_minor: Mapped[int] = mapped_column(sa.BigInteger)
    ledger_minor: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str]
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)
    accepted_at: Mapped[datetime]

    __table_args__ = (
        sa.UniqueConstraint(
            "bank_account_id", "begins_on", "opening_minor", "ledger_minor", name="uq_carried_in_bank_account_id"
        ),
        sa.CheckConstraint("opening_minor <> ledger_minor", name="differs"),
        sa.CheckConstraint("length(reason) BETWEEN 10 AND 500", name="reason_length"),
    )


class BreakEvent(Base):
    """What happened to a break. Never changed. `detail` of an acceptance is the evidence as it was seen then."""

    __tablename__ = "break_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    break_id: Mapped[UUID] = mapped_column(sa.ForeignKey("recon_break.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]
    text: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))

    __table_args__ = (sa.Index("ix_break_event_break", "break_id", "id"),)
