"""Tables of the register."""

from __future__ import annotations

from datetime import date, datetime, time
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base

POOLS = "pool IN ('eMoney', 'paymentServices')"


class TreasuryAccount(Base):
    """What treasury knows of a bank account of the ledger, beside its provider, number and currency.

    Changed by two people only; `version` counts the changes.
    """

    __tablename__ = "treasury_account"

    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    #: None: own funds, which serve no pool
    pool: Mapped[str | None]
    purpose: Mapped[str]
    #: from when until when it was designated as a safeguarding account
    designated_from: Mapped[date | None]
    designated_to: Mapped[date | None]
    #: None: the bank gives no statements
    statement_format: Mapped[str | None]
    #: time of day, in the institution's zone, on the calendar day after, by which the statement of a day is expected
    expected_at: Mapped[time | None]
    #: country whose holidays the bank keeps (two letters)
    calendar: Mapped[str]
    closed_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(f"pool IS NULL OR {POOLS}", name="pool_known"),
        sa.CheckConstraint("purpose IN ('safeguarding', 'settlement', 'ownFunds')", name="purpose_known"),
        sa.CheckConstraint("(purpose = 'ownFunds') = (pool IS NULL)", name="own_funds_serve_no_pool"),
        sa.CheckConstraint("statement_format IN ('camt', 'mt940', 'csv')", name="format_known"),
        sa.CheckConstraint("(statement_format IS NULL) = (expected_at IS NULL)", name="statement_has_a_time"),
        sa.CheckConstraint("calendar ~ '^[A-Z]{2}$'", name="calendar_is_country"),
        sa.CheckConstraint(
            "purpose <> 'safeguarding' OR designated_from IS NOT NULL", name="safeguarding_is_designated"
        ),
        sa.CheckConstraint("designated_to >= designated_from", name="designated_in_order"),
    )


class TreasuryAccountVersion(Base):
    """What stood in the register, version by version: written by the database with every change, never changed."""

    __tablename__ = "treasury_account_version"

    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    pool: Mapped[str | None]
    purpose: Mapped[str]
    designated_from: Mapped[date | None]
    designated_to: Mapped[date | None]
    statement_format: Mapped[str | None]
    expected_at: Mapped[time | None]
    calendar: Mapped[str]
    closed_on: Mapped[date | None]
    changed_at: Mapped[datetime]
    #: None: laid down with the installation
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (sa.Index("uq_treasury_account_version_approval", "approval_id", unique=True),)


class AccountPool(Base):
    """The pool of a client account that is not e-money. Accounts without a row belong to e-money; a suspense account
    belongs to the pool of its bank account."""

    __tablename__ = "account_pool"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    pool: Mapped[str]
    since: Mapped[datetime]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (sa.CheckConstraint(POOLS, name="pool_known"),)


class AccountPoolVersion(Base):
    """Which pool a client account was put into, and when: written by the database with every change, never changed. A
    day that was prepared reads its accounts by it."""

    __tablename__ = "account_pool_version"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    pool: Mapped[str]
    #: None: laid down with the installation
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (sa.Index("ix_account_pool_version_pool", "pool", "account_id"),)
