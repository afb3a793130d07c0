"""Incoming requests: what providers tell of money that came in, each told credit once."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.ledger.models import CURRENCY
from dashboard.transfers.models.transfers import one_of
from dashboard.transfers.vocabulary import RequestState


class IncomingRequest(Base):
    """A provider's notification, raw and read. Unique by provider and reference; a reversal is told apart.

    `amount_minor` None: the notification could not be read as money, and waits to be mended.
    """

    __tablename__ = "incoming_request"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(sa.ForeignKey("provider.key"))
    provider_reference: Mapped[str]
    reversal: Mapped[bool] = mapped_column(server_default=sa.false())
    #: api, sandbox, camt.054, camt.053
    source: Mapped[str]
    body_hash: Mapped[bytes]
    raw: Mapped[dict[str, Any]]
    message_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("provider_message.id"))
    bank_account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("bank_account.id"))
    currency: Mapped[str | None]
    amount_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    creditor_account: Mapped[str | None]
    creditor_name: Mapped[str | None]
    debtor_name: Mapped[str | None]
    debtor_account: Mapped[str | None]
    debtor_bic: Mapped[str | None]
    debtor_country: Mapped[str | None]
    remittance: Mapped[str | None]
    end_to_end_id: Mapped[str | None]
    #: our end-to-end id, where the credit is a transfer of ours coming back
    returns: Mapped[str | None]
    #: every reference the bank gave (AcctSvcrRef, EndToEndId, UETR …), to know the same credit told twice
    references: Mapped[list[str]] = mapped_column("bank_references", server_default=sa.text("'{}'"))
    #: the bank's own booking time, never ours: deadlines count from it
    booked_at: Mapped[datetime]
    value_date: Mapped[date | None]
    #: payer data that Reg. (EU) 2023/1113 Art. 4 asks for and the message lacks
    missing: Mapped[list[str]] = mapped_column("missing_data", server_default=sa.text("'{}'"))
    #: folded words of names, numbers, remittance and references (clients.folding)
    search_text: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default=RequestState.RECEIVED.value)
    failure_code: Mapped[str | None]
    failure: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    transfer_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfer.id"))
    #: the request that told the same credit first
    linked_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("incoming_request.id"))
    created_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(one_of("state", RequestState), name="state_known"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("state <> 'processed' OR transfer_id IS NOT NULL", name="processed_has_a_transfer"),
        sa.CheckConstraint("(state = 'linked') = (linked_id IS NOT NULL)", name="linked_names_the_first"),
        sa.CheckConstraint("(state = 'failed') = (failure_code IS NOT NULL)", name="failed_says_why"),
        sa.Index("uq_incoming_request_reference", "provider", "provider_reference", "reversal", unique=True),
        # one credit makes one transfer
        sa.Index("uq_incoming_request_transfer", "transfer_id", unique=True,
                 postgresql_where=sa.text("transfer_id IS NOT NULL AND state = 'processed' AND NOT reversal")),
        # and one credit goes back once
        sa.Index("uq_incoming_request_reversal", "transfer_id", unique=True,
                 postgresql_where=sa.text("transfer_id IS NOT NULL AND state = 'processed' AND reversal")),
        sa.Index("ix_incoming_request_transfer", "transfer_id", postgresql_where=sa.text("transfer_id IS NOT NULL")),
        sa.Index("ix_incoming_request_message", "message_id", postgresql_where=sa.text("message_id IS NOT NULL")),
        sa.Index("ix_incoming_request_linked", "linked_id", postgresql_where=sa.text("linked_id IS NOT NULL")),
        sa.Index("ix_incoming_request_newest", sa.text("id DESC")),
        sa.Index("ix_incoming_request_state", "state", sa.text("id DESC")),
        sa.Index("ix_incoming_request_provider", "provider", sa.text("id DESC")),
        sa.Index("ix_incoming_request_waiting", "id",
                 postgresql_where=sa.text("state = 'received'")),
        sa.Index("ix_incoming_request_references", "bank_references", postgresql_using="gin"),
        sa.Index("ix_incoming_request_early", "bank_account_id", "currency", "amount_minor",
                 postgresql_where=sa.text("state = 'waiting'")),
        sa.Index("ix_incoming_request_search", sa.text("trigrams(search_text)"), postgresql_using="gin"),
        sa.Index("ix_incoming_request_source", "source", sa.text("id DESC")),
        sa.Index("ix_incoming_request_reversal", sa.text("id DESC"), postgresql_where=sa.text("reversal")),
        sa.Index("ix_incoming_request_lacking", sa.text("id DESC"),
                 postgresql_where=sa.text("cardinality(missing_data) > 0")),
        sa.Index("ix_incoming_request_credit", "bank_account_id", "currency", "amount_minor", "booked_at"),
    )  # fmt: skip


class IncomingCorrection(Base):
    """What a person or a machine put right, beside what the bank sent and never over it. Never changed.

    `fields`: the API's names to what was given, JSON-ready.
    """

    __tablename__ = "incoming_correction"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    request_id: Mapped[UUID] = mapped_column(sa.ForeignKey("incoming_request.id"))
    fields: Mapped[dict[str, Any]]
    comment: Mapped[str | None]
    at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (sa.Index("ix_incoming_correction_request", "request_id", "id"),)


class IncomingLink(Base):
    """Tells which first tellings a linked request repeats: one, or all that a statement sums up. Never changed.

    `source` is the linked request's: each source repeats a credit once. `part`: it is one of several in the first.
    """

    __tablename__ = "incoming_link"

    request_id: Mapped[UUID] = mapped_column(sa.ForeignKey("incoming_request.id"), primary_key=True)
    first_id: Mapped[UUID] = mapped_column(sa.ForeignKey("incoming_request.id"), primary_key=True)
    source: Mapped[str]
    part: Mapped[bool] = mapped_column(server_default=sa.false())

    __table_args__ = (
        sa.Index("uq_incoming_link_source", "first_id", "source", unique=True, postgresql_where=sa.text("NOT part")),
        sa.Index("ix_incoming_link_first", "first_id"),
    )
