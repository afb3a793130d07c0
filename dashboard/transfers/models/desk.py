"""The desk for unrecognized money: positions, decisions, what was asked and answered, standing rules.

A receipt is a position of its own: who decides locks its row, nothing is paid out of it twice, and the suspense
account as a whole has no guard (docs/adr).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.transfers.models.transfers import one_of
from dashboard.transfers.vocabulary import (
    Cause,
    DispositionKind,
    DispositionState,
    ReceiptState,
    ScreeningResult,
)


class Receipt(Base):
    """Money on suspense. `allocate_by` and `resolve_by` count from the bank's booking time and never stop."""

    __tablename__ = "receipt"

    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"), primary_key=True)
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: what no disposition has taken
    remaining_minor: Mapped[int] = mapped_column(sa.BigInteger)
    suspense_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    cause: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=ReceiptState.OPEN.value)
    booked_at: Mapped[datetime]
    allocate_by: Mapped[datetime]
    resolve_by: Mapped[datetime]
    #: half of the time to resolve is over
    warn_at: Mapped[datetime]
    #: when it first reached a client or was sent back; undo takes it away
    settled_at: Mapped[datetime | None]
    #: said by whoever decides after `allocate_by`
    late_reason: Mapped[str | None]
    keep_until: Mapped[date | None]
    keep_reason: Mapped[str | None]
    asked_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")

    __table_args__ = (
        sa.CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name="remaining_in_range"),
        sa.CheckConstraint(one_of("state", ReceiptState), name="state_known"),
        sa.CheckConstraint(one_of("cause", Cause), name="cause_known"),
        sa.CheckConstraint(
            "(state = 'kept') = (keep_until IS NOT NULL AND keep_reason IS NOT NULL)", name="kept_says_why_and_until"
        ),
        sa.CheckConstraint(
            "state NOT IN ('assigned', 'returned', 'reversed') OR remaining_minor = 0", name="settled_is_empty"
        ),
        sa.CheckConstraint("allocate_by <= resolve_by AND warn_at <= resolve_by", name="clocks_in_order"),
        sa.Index("ix_receipt_desk", "allocate_by", sa.text("amount_minor DESC"), "transfer_id",
                 postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')")),
        sa.Index("ix_receipt_resolve", "resolve_by",
                 postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')")),
        # sums by currency, from the index alone
        sa.Index("ix_receipt_open", "currency", postgresql_include=["amount_minor", "allocate_by"],
                 postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')")),
        sa.Index("ix_receipt_settled", "settled_at", postgresql_where=sa.text("settled_at IS NOT NULL")),
    )  # fmt: skip


class PayerRule(Base):
    """ "Always assign this payer to this client": two people approve it, and only then it posts by itself."""

    __tablename__ = "payer_rule"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    payer_key: Mapped[str]
    payer_name: Mapped[str]
    currency: Mapped[str]
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    state: Mapped[str] = mapped_column(server_default="requested")
    reason: Mapped[str]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint("state IN ('requested', 'active', 'ended')", name="state_known"),
        sa.CheckConstraint("state <> 'active' OR approval_id IS NOT NULL", name="active_by_two"),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended_has_time"),
        sa.Index("uq_payer_rule_live", "payer_key", "currency", unique=True,
                 postgresql_where=sa.text("state <> 'ended'")),
        sa.Index("ix_payer_rule_client", "client_id", sa.text("id DESC")),
    )  # fmt: skip


class Disposition(Base):
    """A decision about a receipt: to a client's account, or back to where it came from. One lives at a time.

    `shown` is what the person saw: candidates, reasons for and against, rule versions.
    """

    __tablename__ = "disposition"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("receipt.transfer_id"))
    #: from 1 within the receipt
    number: Mapped[int] = mapped_column(sa.SmallInteger)
    kind: Mapped[str]
    state: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    #: of a return: what is kept back, and who bears it (payer or house)
    fee_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    fee_bearer: Mapped[str | None]
    return_transfer_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfer.id"))
    comment: Mapped[str | None]
    rule_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payer_rule.id"))
    shown: Mapped[dict[str, Any]]
    rules_version: Mapped[str]
    payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    undo_payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    undo_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    undo_reason: Mapped[str | None]
    #: what the client had spent when the assignment was undone
    receivable_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    made_at: Mapped[datetime]
    made_by_kind: Mapped[str]
    made_by_id: Mapped[UUID | None]
    made_by_name: Mapped[str]
    posted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(one_of("kind", DispositionKind), name="kind_known"),
        sa.CheckConstraint(one_of("state", DispositionState), name="state_known"),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("fee_minor >= 0 AND receivable_minor >= 0", name="not_negative"),
        sa.CheckConstraint("fee_bearer IN ('payer', 'house')", name="fee_bearer_known"),
        sa.CheckConstraint(
            "(kind = 'assign') = (account_id IS NOT NULL AND client_id IS NOT NULL)", name="assign_names_an_account"
        ),
        sa.CheckConstraint("state NOT IN ('posted', 'undone') OR payment_id IS NOT NULL", name="posted_has_a_payment"),
        sa.CheckConstraint("state <> 'undone' OR undo_payment_id IS NOT NULL", name="undone_has_a_payment"),
        sa.CheckConstraint("receivable_minor = 0 OR undo_approval_id IS NOT NULL", name="receivable_by_two"),
        sa.Index("uq_disposition_live", "transfer_id", unique=True,
                 postgresql_where=sa.text("state IN ('waiting', 'posted')")),
        sa.Index("uq_disposition_number", "transfer_id", "number", unique=True),
        sa.Index("ix_disposition_payment", "payment_id", postgresql_where=sa.text("payment_id IS NOT NULL")),
        sa.Index("ix_disposition_client", "client_id", sa.text("id DESC")),
        # few are undone: what was undone of a payer is looked for from here
        sa.Index("ix_disposition_undone", "transfer_id", postgresql_where=sa.text("state = 'undone'")),
        sa.Index("ix_disposition_return_transfer", "return_transfer_id",
                 postgresql_where=sa.text("return_transfer_id IS NOT NULL")),
    )  # fmt: skip


class ReceiptEvent(Base):
    """The log of a receipt: attempts, notes, questions, replies. Never changed."""

    __tablename__ = "receipt_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("receipt.transfer_id"))
    kind: Mapped[str]
    text: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint(
            "kind IN ('attempt', 'note', 'question', 'reply', 'kept', 'reopened', 'decision', 'undone', 'late')",
            name="kind_known",
        ),
        sa.Index("ix_receipt_event_transfer", "transfer_id", "id"),
    )


class ReceiptFile(Base):
    """What the payer sent, or what belongs to the question. Sniffed, served as an attachment only."""

    __tablename__ = "receipt_file"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("receipt.transfer_id"))
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    content: Mapped[bytes]
    at: Mapped[datetime]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("size BETWEEN 1 AND 5242880", name="size_in_range"),
        sa.Index("ix_receipt_file_transfer", "transfer_id", "id"),
    )


class Screening(Base):
    """A search of the payer in a sanctions list before money goes back. Never changed."""

    __tablename__ = "screening"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("receipt.transfer_id"))
    list_name: Mapped[str]
    list_version: Mapped[str]
    result: Mapped[str]
    note: Mapped[str | None]
    at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint(one_of("result", ScreeningResult), name="result_known"),
        sa.Index("ix_screening_transfer", "transfer_id", "id"),
    )
