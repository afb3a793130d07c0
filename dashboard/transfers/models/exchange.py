"""Exchange rates with their source, margins, and quotes that fix both amounts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.ledger.models import CURRENCY

RATE = sa.Numeric(20, 10)


class FxRate(Base):
    """One unit of `base` costs `rate` units of `quote`. Never changed: a later one counts."""

    __tablename__ = "fx_rate"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    base: Mapped[str]
    quote: Mapped[str]
    rate: Mapped[Decimal] = mapped_column(RATE)
    #: ecb, manual …
    source: Mapped[str]
    #: what the source says it is of
    as_of: Mapped[datetime]
    loaded_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("rate > 0", name="rate_positive"),
        sa.CheckConstraint("base <> quote", name="two_currencies"),
        sa.UniqueConstraint("base", "quote", "source", "as_of"),
        sa.Index("ix_fx_rate_newest", "base", "quote", sa.text("as_of DESC")),
        sa.Index("ix_fx_rate_loaded", sa.text("id DESC")),
    )


class FxMargin(Base):
    """What the house earns on an exchange, in basis points of the sold amount. Without a client: the default."""

    __tablename__ = "fx_margin"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    basis_points: Mapped[int]
    changed_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("basis_points BETWEEN 0 AND 2000", name="margin_in_range"),
        sa.Index("uq_fx_margin_client", sa.text("coalesce(client_id, '00000000-0000-0000-0000-000000000000')"),
                 unique=True),
    )  # fmt: skip

    @classmethod
    def of(cls, *clients: UUID | None) -> sa.ColumnElement[bool]:
        """The margins of these, None being the default: spelled as the unique index is, which finds them."""
        nobody = UUID(int=0)
        # the constant stands in the statement: a parameter would not be taken for the one of the index
        whose = sa.func.coalesce(cls.client_id, sa.literal_column(f"'{nobody}'::uuid"), type_=sa.Uuid())
        return whose.in_([client_id or nobody for client_id in clients])


class FxQuote(Base):
    """Both amounts, fixed until `expires_at`. What the customer gets is rounded down.

    `margin_minor` is the part of `sell_minor` that goes to income; the rest is changed at `rate`.
    """

    __tablename__ = "fx_quote"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    sell_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    buy_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    sell_currency: Mapped[str]
    sell_minor: Mapped[int] = mapped_column(sa.BigInteger)
    buy_currency: Mapped[str]
    buy_minor: Mapped[int] = mapped_column(sa.BigInteger)
    rate: Mapped[Decimal] = mapped_column(RATE)
    margin_minor: Mapped[int] = mapped_column(sa.BigInteger)
    margin_basis_points: Mapped[int]
    #: the rates it was made of: one, or two through a third currency
    rate_source: Mapped[str]
    rate_as_of: Mapped[datetime]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("sell_minor > 0 AND buy_minor > 0 AND margin_minor >= 0", name="amounts_positive"),
        sa.CheckConstraint("margin_minor < sell_minor", name="margin_below_amount"),
        sa.CheckConstraint("sell_currency <> buy_currency", name="two_currencies"),
        sa.CheckConstraint("rate > 0", name="rate_positive"),
        sa.CheckConstraint("expires_at > created_at", name="expires_later"),
        sa.CheckConstraint(CURRENCY.replace("currency", "sell_currency"), name="currency_is_code"),
        sa.Index("ix_fx_quote_client", "client_id", sa.text("id DESC")),
    )
