"""Transfers of all kinds, their history, what they were asked, and papers about them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.ledger.models import CURRENCY
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status, TransferType


def one_of(column: str, words: Any) -> str:
    """The condition that a column holds one of these words."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return f"{column} IN ({listed})"


class Transfer(Base):
    """`account_id` is our side: the client's account, or the house's for money without a client. `counterparty_…` is
    the other side as it was told. Amounts are minor units of `currency`; the fee is of the same currency.

    Who changes it locks its row first (`services.lifecycle.locked`).
    """

    __tablename__ = "transfer"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    status: Mapped[str]
    #: None until it is known: incoming money seldom tells
    type: Mapped[str | None]
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    #: the other account in this house: of an internal transfer, and the bought currency's of an exchange
    counter_account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    fee_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    #: of an exchange: what is bought
    counter_currency: Mapped[str | None]
    counter_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    recipient_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("recipient.id"))
    counterparty_name: Mapped[str | None]
    counterparty_account: Mapped[str | None]
    #: the account without blanks, upper case: by it a payer or a recipient is known again
    counterparty_key: Mapped[str | None]
    counterparty_bic: Mapped[str | None]
    counterparty_country: Mapped[str | None]
    remittance: Mapped[str | None]
    #: what the provider and the bank carry along; ours is made from the id
    end_to_end_id: Mapped[str | None]
    provider: Mapped[str | None]
    provider_reference: Mapped[str | None]
    #: the payment that books it; None until money is held
    payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    #: transfer or paymentRequest: parent type of its payment
    parent_type: Mapped[str] = mapped_column(server_default="transfer")
    #: the transfer it answers: what is returned, the outgoing side of an internal one
    related_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfer.id"))
    quote_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("fx_quote.id"))
    #: folded words of names, remittance, references and numbers (clients.folding)
    search_text: Mapped[str] = mapped_column(server_default="")
    value_date: Mapped[date | None]
    created_at: Mapped[datetime]
    #: unconfirmed, it ends then
    confirm_by: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    #: when it reached a final status; None again where it left it
    ended_at: Mapped[datetime | None]
    maker_kind: Mapped[str]
    maker_id: Mapped[UUID | None]
    maker_name: Mapped[str]
    #: the approved request behind a manual execution
    execute_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    #: grows with every change of status
    version: Mapped[int] = mapped_column(server_default="1")

    __table_args__ = (
        sa.CheckConstraint(one_of("kind", Kind), name="kind_known"),
        sa.CheckConstraint(one_of("status", Status), name="status_known"),
        sa.CheckConstraint(one_of("type", TransferType), name="type_known"),
        sa.CheckConstraint("parent_type IN ('transfer', 'paymentRequest')", name="parent_type_known"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("amount_minor > 0 AND amount_minor <= 10000000000000000", name="amount_in_range"),
        sa.CheckConstraint("fee_minor >= 0", name="fee_not_negative"),
        sa.CheckConstraint(
            "(kind = 'foreignExchange') = (counter_minor IS NOT NULL AND counter_currency IS NOT NULL)"
            " AND (counter_minor IS NULL OR counter_minor > 0)",
            name="exchange_has_two_sides",
        ),
        sa.CheckConstraint("kind <> 'foreignExchange' OR quote_id IS NOT NULL", name="exchange_has_a_quote"),
        sa.CheckConstraint(
            "kind <> 'incoming' OR status <> 'completed' OR client_id IS NOT NULL", name="completed_has_a_client"
        ),
        sa.CheckConstraint(
            "status NOT IN ('submitted', 'unknown', 'completed') OR payment_id IS NOT NULL", name="moved_has_a_payment"
        ),
        sa.Index("uq_transfer_end_to_end", "end_to_end_id", unique=True,
                 postgresql_where=sa.text("kind = 'outgoing'")),
        sa.Index("uq_transfer_payment", "payment_id", unique=True,
                 postgresql_where=sa.text("payment_id IS NOT NULL AND kind <> 'incoming'")),
        sa.Index("ix_transfer_payment", "payment_id", postgresql_where=sa.text("payment_id IS NOT NULL")),
        sa.Index("uq_transfer_quote", "quote_id", unique=True, postgresql_where=sa.text("quote_id IS NOT NULL")),
        sa.Index("ix_transfer_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_transfer_account", "account_id", sa.text("id DESC")),
        sa.Index("ix_transfer_counter_account", "counter_account_id", sa.text("id DESC"),
                 postgresql_where=sa.text("counter_account_id IS NOT NULL")),
        sa.Index("ix_transfer_kind", "kind", sa.text("id DESC")),
        sa.Index("ix_transfer_kind_status", "kind", "status", sa.text("id DESC")),
        sa.Index("ix_transfer_status", "status", sa.text("id DESC")),
        sa.Index("ix_transfer_type", "type", sa.text("id DESC")),
        sa.Index("ix_transfer_type_kind", "type", "kind", sa.text("id DESC")),
        sa.Index("ix_transfer_currency", "currency", sa.text("id DESC")),
        sa.Index("ix_transfer_currency_amount", "currency", "amount_minor", sa.text("id DESC")),
        sa.Index("ix_transfer_provider", "provider", sa.text("id DESC")),
        sa.Index("ix_transfer_provider_reference", "provider_reference",
                 postgresql_where=sa.text("provider_reference IS NOT NULL")),
        sa.Index("ix_transfer_related", "related_id", postgresql_where=sa.text("related_id IS NOT NULL")),
        sa.Index("ix_transfer_recipient", "recipient_id", sa.text("id DESC"),
                 postgresql_where=sa.text("recipient_id IS NOT NULL")),
        # whom this payer paid before; what went to this account before
        sa.Index("ix_transfer_counterparty", "counterparty_key", "kind", "client_id", sa.text("id DESC"),
                 postgresql_where=sa.text("counterparty_key IS NOT NULL")),
        sa.Index("ix_transfer_confirm_by", "confirm_by",
                 postgresql_where=sa.text("status = 'awaitingConfirmation'")),
        # limits of a day and a month, turnover
        sa.Index("ix_transfer_client_confirmed", "client_id", "currency", "confirmed_at",
                 postgresql_where=sa.text("kind = 'outgoing' AND confirmed_at IS NOT NULL")),
        sa.Index("ix_transfer_created_at", "created_at", postgresql_using="brin"),
        sa.Index("ix_transfer_search", sa.text("trigrams(search_text)"), postgresql_using="gin"),
    )  # fmt: skip


class StatusChange(Base):
    """The history of a transfer; a row for every change, the first without a `from_status`."""

    __tablename__ = "transfer_status_change"

    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    at: Mapped[datetime]
    #: stable, for machines
    code: Mapped[str | None]
    reason: Mapped[str | None]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (sa.CheckConstraint(one_of("to_status", Status), name="to_status_known"),)


class TransferCheck(Base):
    """What one check said in one round. `detail` holds identifiers and figures of the rows behind, JSON-ready."""

    __tablename__ = "transfer_check"

    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"), primary_key=True)
    round: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    #: minor units of the transfer's currency; None where the rule has none
    limit_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    measured_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(one_of("code", Check), name="code_known"),
        sa.CheckConstraint(one_of("outcome", CheckOutcome), name="outcome_known"),
    )


class TransferDocument(Base):
    """A paper about a transfer that its client may download. The name is hard to guess and holds no personal data."""

    __tablename__ = "transfer_document"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"))
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    file_name: Mapped[str]
    media_type: Mapped[str]
    sha256: Mapped[str]
    content: Mapped[bytes]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.UniqueConstraint("file_name"),
        sa.Index("ix_transfer_document_transfer", "transfer_id", sa.text("id DESC")),
        sa.Index(
            "ix_transfer_document_client",
            "client_id",
            sa.text("id DESC"),
            postgresql_where=sa.text("client_id IS NOT NULL"),
        ),
    )
