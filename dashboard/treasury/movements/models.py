"""The table of movements between the house's own bank accounts."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class OwnMovement(Base):
    """One amount from one bank account of the house to another of the same currency.

    Its payment has two transactions of that amount, through the in-transit account of the bank account that it
    leaves; it is posted in the transaction in which the movement leaves, and never without an approved request.
    """

    __tablename__ = "own_movement"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    from_bank_account_id: Mapped[UUID]
    to_bank_account_id: Mapped[UUID]
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: file or atBank
    way: Mapped[str]
    #: ours: both statement legs carry it
    reference: Mapped[str]
    #: the bank's, where a person told it to the bank
    bank_reference: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[datetime]
    maker_id: Mapped[UUID]
    maker_name: Mapped[str]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    approved_at: Mapped[datetime | None]
    payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    file_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("provider_file.id"))
    sent_at: Mapped[datetime | None]
    #: booking dates of the two statement legs, as soon as the banks told them
    left_on: Mapped[date | None]
    arrived_on: Mapped[date | None]
    #: the lines that told it; a line tells of one movement
    left_line_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("statement_line.id"))
    arrived_line_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("statement_line.id"))
    #: when statements were last looked through for its legs
    looked_at: Mapped[datetime | None]
    #: the payment that booked it back
    reversal_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    ended_at: Mapped[datetime | None]
    #: why it was dropped, canceled or refused
    ended_because: Mapped[str | None]
    #: what kept it from leaving so far
    problem: Mapped[str | None]

    __table_args__ = (
        sa.ForeignKeyConstraint(["from_bank_account_id", "currency"], ["bank_account.id", "bank_account.currency"],
                                name="fk_own_movement_from"),
        sa.ForeignKeyConstraint(["to_bank_account_id", "currency"], ["bank_account.id", "bank_account.currency"],
                                name="fk_own_movement_to"),
        sa.CheckConstraint("from_bank_account_id <> to_bank_account_id", name="two_accounts"),
        sa.CheckConstraint("amount_minor > 0 AND amount_minor <= 10000000000000000", name="amount_in_range"),
        sa.CheckConstraint("kind IN ('topUp', 'sweep', 'prefunding', 'segregation')", name="kind_known"),
        sa.CheckConstraint("way IN ('file', 'atBank')", name="way_known"),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'sent', 'settled', 'dropped', 'canceled', 'refused')",
            name="state_known",
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'sent', 'settled', 'canceled', 'refused')) = (approved_at IS NOT NULL)"
            " AND (approved_at IS NULL OR approval_id IS NOT NULL)",
            name="approved_by_two",
        ),
        sa.CheckConstraint(
            "(state IN ('sent', 'settled', 'refused')) = (payment_id IS NOT NULL)"
            " AND (payment_id IS NULL) = (sent_at IS NULL)",
            name="posted_when_sent",
        ),
        sa.CheckConstraint("state <> 'settled' OR left_on IS NOT NULL AND arrived_on IS NOT NULL",
                           name="settled_on_both_sides"),
        sa.CheckConstraint("(left_on IS NULL) = (left_line_id IS NULL)"
                           " AND (arrived_on IS NULL) = (arrived_line_id IS NULL)", name="told_by_statements"),
        sa.CheckConstraint("(state = 'refused') = (reversal_id IS NOT NULL)", name="refused_is_booked_back"),
        sa.CheckConstraint("(state IN ('dropped', 'canceled', 'refused')) = (ended_because IS NOT NULL)",
                           name="ended_says_why"),
        sa.CheckConstraint("(state IN ('settled', 'dropped', 'canceled', 'refused')) = (ended_at IS NOT NULL)",
                           name="ended_has_time"),
        sa.CheckConstraint("file_id IS NULL OR way = 'file'", name="file_of_its_way"),
        sa.Index("uq_own_movement_reference", "reference", unique=True),
        sa.Index("uq_own_movement_payment", "payment_id", unique=True,
                 postgresql_where=sa.text("payment_id IS NOT NULL")),
        sa.Index("uq_own_movement_file", "file_id", unique=True, postgresql_where=sa.text("file_id IS NOT NULL")),
        sa.Index("uq_own_movement_left_line", "left_line_id", unique=True,
                 postgresql_where=sa.text("left_line_id IS NOT NULL")),
        sa.Index("uq_own_movement_arrived_line", "arrived_line_id", unique=True,
                 postgresql_where=sa.text("arrived_line_id IS NOT NULL")),
        # one booking of the bank is one movement
        sa.Index("uq_own_movement_bank_reference", "from_bank_account_id", "bank_reference", unique=True,
                 postgresql_where=sa.text("bank_reference IS NOT NULL"
                                          " AND state NOT IN ('dropped', 'canceled', 'refused')")),
        sa.Index("ix_own_movement_newest", sa.text("id DESC")),
        sa.Index("ix_own_movement_state", "state", sa.text("id DESC")),
        sa.Index("ix_own_movement_currency", "currency", sa.text("id DESC")),
        sa.Index("ix_own_movement_from", "from_bank_account_id", sa.text("id DESC")),
        sa.Index("ix_own_movement_to", "to_bank_account_id", sa.text("id DESC")),
        sa.Index("ix_own_movement_reversal", "reversal_id", postgresql_where=sa.text("reversal_id IS NOT NULL")),
    )  # fmt: skip
