"""Rules that are data: limits, fees, countries, routes, holidays. Amounts are minor units.

Limits, fees and countries become only what two people approved (`approval_id`; trigger `rule_by_two`), and every
version is kept in `rule_change`; those without an approval were there from the beginning.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base
from dashboard.ledger.models import CURRENCY
from dashboard.transfers.models.transfers import one_of
from dashboard.transfers.vocabulary import TransferType


class TransferLimit(Base):
    """What a client of a risk level may send before a person looks. None: no limit."""

    __tablename__ = "transfer_limit"

    risk_level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    per_transfer_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    per_day_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    per_month_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("risk_level BETWEEN 0 AND 4", name="risk_known"),
        sa.CheckConstraint("least(per_transfer_minor, per_day_minor, per_month_minor) >= 0", name="not_negative"),
    )


class TransferFee(Base):
    """`fixed_minor` plus `basis_points` of the amount, rounded down, at most `most_minor`."""

    __tablename__ = "transfer_fee"

    type: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    fixed_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    basis_points: Mapped[int] = mapped_column(server_default="0")
    most_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(one_of("type", TransferType), name="type_known"),
        sa.CheckConstraint("fixed_minor >= 0 AND basis_points BETWEEN 0 AND 10000", name="fee_in_range"),
    )


class CountryRule(Base):
    """Where money of clients goes only after a person looked, or never; `allowed` as to any other country."""

    __tablename__ = "transfer_country_rule"

    country: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    note: Mapped[str]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (sa.CheckConstraint("outcome IN ('review', 'refused', 'allowed')", name="outcome_known"),)


class DeskLimit(Base):
    """Above it, assigning and returning unrecognized money takes two people. A currency without a row: always."""

    __tablename__ = "desk_limit"

    currency: Mapped[str] = mapped_column(primary_key=True)
    two_people_above_minor: Mapped[int] = mapped_column(sa.BigInteger)
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("two_people_above_minor >= 0", name="not_negative"),
    )


class RuleChange(Base):
    """A version of a rule that followed another: what it was (None: there was none) and what it became.

    Written by the trigger that lets the change pass, never by the application. `rule` is the table's name.
    """

    __tablename__ = "rule_change"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rule: Mapped[str]
    object_id: Mapped[UUID]
    was: Mapped[dict[str, Any] | None]
    becomes: Mapped[dict[str, Any]]
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)
    changed_at: Mapped[datetime]

    __table_args__ = (
        sa.Index("ix_rule_change_newest", sa.text("changed_at DESC")),
        sa.Index("ix_rule_change_object", "object_id", sa.text("changed_at DESC")),
    )


class ProviderRoute(Base):
    """Which provider carries a type of transfer in a currency; the lowest priority number that is active wins."""

    __tablename__ = "provider_route"

    type: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(sa.ForeignKey("provider.key"), primary_key=True)
    priority: Mapped[int] = mapped_column(sa.SmallInteger, server_default="1")

    __table_args__ = (sa.CheckConstraint(one_of("type", TransferType), name="type_known"),)


class CalendarDay(Base):
    """A day on which a country's calendar departs from what is known of it: a holiday added, or one worked."""

    __tablename__ = "calendar_day"

    country: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    working: Mapped[bool]
    name: Mapped[str]
    changed_by: Mapped[UUID | None]

    __table_args__ = (sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_is_code"),)
