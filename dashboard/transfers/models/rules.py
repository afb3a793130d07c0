"""Rules that are data: limits, fees, countries, routes, holidays. Amounts are minor units."""

from __future__ import annotations

from datetime import date
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

    __table_args__ = (sa.CheckConstraint("risk_level BETWEEN 0 AND 4", name="risk_known"),)


class TransferFee(Base):
    """`fixed_minor` plus `basis_points` of the amount, rounded down, at most `most_minor`."""

    __tablename__ = "transfer_fee"

    type: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    fixed_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    basis_points: Mapped[int] = mapped_column(server_default="0")
    most_minor: Mapped[int | None] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint(one_of("type", TransferType), name="type_known"),
        sa.CheckConstraint("fixed_minor >= 0 AND basis_points BETWEEN 0 AND 10000", name="fee_in_range"),
    )


class CountryRule(Base):
    """Where money of clients goes only after a person looked, or never."""

    __tablename__ = "transfer_country_rule"

    country: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    note: Mapped[str]

    __table_args__ = (sa.CheckConstraint("outcome IN ('review', 'refused')", name="outcome_known"),)


class DeskLimit(Base):
    """Above it, assigning and returning unrecognized money takes two people. A currency without a row: always."""

    __tablename__ = "desk_limit"

    currency: Mapped[str] = mapped_column(primary_key=True)
    two_people_above_minor: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("two_people_above_minor >= 0", name="not_negative"),
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
