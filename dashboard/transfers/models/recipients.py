"""To whom clients pay, and the references by which their own payers name them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class Recipient(Base):
    """`client_id` None: a recipient of the house (T2-01). `account_key` is the account without blanks, upper case;
    of a UK account sort code and number."""

    __tablename__ = "recipient"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(sa.Text(collation="C"))
    #: iban, sortCode or other
    account_format: Mapped[str]
    account_key: Mapped[str]
    bic: Mapped[str | None]
    bank_name: Mapped[str | None]
    #: ISO 3166-1 alpha-2 of the account, upper case
    country: Mapped[str | None]
    address: Mapped[str | None]
    visible: Mapped[bool] = mapped_column(server_default=sa.true())
    created_at: Mapped[datetime]
    created_by_kind: Mapped[str]
    created_by_id: Mapped[UUID | None]

    __table_args__ = (
        sa.CheckConstraint("account_format IN ('iban', 'sortCode', 'other')", name="account_format_known"),
        sa.Index("uq_recipient_account", sa.text("coalesce(client_id, '00000000-0000-0000-0000-000000000000')"),
                 "account_key", "name_key", unique=True),
        sa.Index("ix_recipient_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_recipient_account", "account_key"),
    )  # fmt: skip


class ClientReference(Base):
    """A reference that a client was given for its payers; found in a remittance text it names the account.

    `reference_key`: letters and digits only, upper case. `expected_minor`: what the payer is asked for.
    """

    __tablename__ = "client_reference"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    reference: Mapped[str]
    reference_key: Mapped[str]
    expected_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str]
    expires_on: Mapped[date | None]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("expected_minor IS NULL OR expected_minor > 0", name="expected_positive"),
        sa.CheckConstraint("length(reference_key) BETWEEN 6 AND 35", name="reference_length"),
        sa.Index("uq_client_reference_key", "reference_key", unique=True),
        sa.Index("ix_client_reference_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_client_reference_expected", "currency", "expected_minor",
                 postgresql_where=sa.text("expected_minor IS NOT NULL AND revoked_at IS NULL")),
    )  # fmt: skip
