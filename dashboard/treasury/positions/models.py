"""Tables of positions. Amounts are minor units; None is unknown, never nought."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.positions.vocabulary import ActionAbout, ActionKind, Result, ThresholdKind
from dashboard.treasury.register.models import POOLS

CURRENCY = "currency ~ '^[a-z]{3}$'"


def _one_of(column: str, words: type[Result | ThresholdKind | ActionKind | ActionAbout]) -> str:
    return f"{column} IN ({', '.join(repr(word.value) for word in words)})"


class ClientSum(Base):
    """Balances of client accounts at the end of a closed business day, added one by one, by pool and currency.

    A closed day does not change any more; the row is worked out anew only where an account changed its pool since.
    """

    __tablename__ = "client_sum"

    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"), primary_key=True)
    pool: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    #: accounts whose balance was not nought
    accounts: Mapped[int] = mapped_column(sa.BigInteger)
    positive_minor: Mapped[int] = mapped_column(sa.BigInteger)
    negative_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: part of the positive ones: accounts that were frozen when this was worked out
    frozen_minor: Mapped[int] = mapped_column(sa.BigInteger)
    computed_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(POOLS, name="pool_known"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint("positive_minor >= 0 AND negative_minor <= 0", name="signs"),
        sa.CheckConstraint("frozen_minor BETWEEN 0 AND positive_minor", name="frozen_is_part"),
    )


class TreasuryPosition(Base):
    """The figures of one version of a treasury day. While the day is open they are worked out again; from its
    preparation on they never change."""

    __tablename__ = "treasury_position"

    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_day.id"), primary_key=True)
    computed_at: Mapped[datetime]
    #: set by the preparation
    frozen_at: Mapped[datetime | None]
    client_minor: Mapped[int] = mapped_column(sa.BigInteger)
    negative_minor: Mapped[int] = mapped_column(sa.BigInteger)
    frozen_minor: Mapped[int] = mapped_column(sa.BigInteger)
    unrecognized_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: received at the bank, not booked; posted out, not left the bank
    received_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    sent_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: where what is in transit is unknown, it is at least this
    requirement_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: at the banks and otherwise
    resource_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: of the resource, what covers that is not at a bank
    other_minor: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    excess_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    unexplained_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: in accounts of the pool that are not designated; of this, there since the business day before
    lying_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    late_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    breaks: Mapped[int | None]
    breaks_without_owner: Mapped[int | None]
    #: age of the oldest, in business days
    breaks_oldest: Mapped[int | None]
    internal: Mapped[str]
    segregation: Mapped[str]
    external: Mapped[str]
    #: money of the house beside that of clients; all None: whose it is, is not known
    fees_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    income_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    own_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    fx_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    receivable_minor: Mapped[int | None] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint("other_minor >= 0", name="other_not_negative"),
        sa.CheckConstraint(
            "num_nonnulls(fees_minor, income_minor, own_minor, fx_minor, receivable_minor) IN (0, 5)",
            name="house_known_together",
        ),
        sa.CheckConstraint(_one_of("internal", Result), name="internal_known"),
        sa.CheckConstraint(_one_of("segregation", Result), name="segregation_known"),
        sa.CheckConstraint(_one_of("external", Result), name="external_known"),
        sa.CheckConstraint(
            "requirement_minor = client_minor + unrecognized_minor + coalesce(received_minor, 0)"
            " + coalesce(sent_minor, 0)",
            name="requirement_is_its_parts",
        ),
        sa.CheckConstraint("(excess_minor IS NULL) = (resource_minor IS NULL OR received_minor IS NULL"
                           " OR sent_minor IS NULL)", name="excess_needs_all"),
        sa.CheckConstraint("excess_minor = resource_minor - requirement_minor", name="excess_is_difference"),
        sa.CheckConstraint("client_minor >= 0 AND negative_minor <= 0 AND unrecognized_minor >= 0"
                           " AND received_minor >= 0 AND sent_minor >= 0", name="signs"),
        sa.CheckConstraint("(internal = 'noData') = (excess_minor IS NULL)", name="no_result_without_data"),
    )  # fmt: skip


class PositionAccount(Base):
    """What a position says of one bank account of its pool."""

    __tablename__ = "position_account"

    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_position.treasury_day_id"), primary_key=True)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    purpose: Mapped[str]
    #: designated as a safeguarding account on the day: its balance is resource
    designated: Mapped[bool]
    ledger_minor: Mapped[int] = mapped_column(sa.BigInteger)
    suspense_minor: Mapped[int] = mapped_column(sa.BigInteger)
    #: None: no statement of the day
    statement_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    statement_id: Mapped[UUID | None]
    #: the day whose end the statement is of, and when it came
    statement_day: Mapped[date | None]
    statement_at: Mapped[datetime | None]
    tie_out: Mapped[str | None]
    #: the holiday or weekend on which the bank gives no statement
    holiday: Mapped[str | None]
    received_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    sent_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: explained parts of bank − ledger
    timing_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    breaks_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    unexplained_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    lying_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    late_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: lines of the bank that nothing matched by the end of the day: how many, their amounts without signs, the oldest
    unmatched: Mapped[int | None]
    unmatched_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    unmatched_since: Mapped[date | None]

    __table_args__ = (
        sa.CheckConstraint(
            "(unmatched IS NULL) = (unmatched_minor IS NULL)"
            " AND (coalesce(unmatched, 0) > 0) = (unmatched_since IS NOT NULL)",
            name="unmatched_has_all",
        ),
        sa.CheckConstraint("(statement_id IS NULL) = (statement_minor IS NULL)", name="balance_of_a_statement"),
        sa.CheckConstraint("NOT designated OR purpose = 'safeguarding'", name="designated_is_safeguarding"),
    )


class PositionItem(Base):
    """What was in transit when a day was prepared, the lines and ledger transactions behind *received* and *sent*; and
    the lines that nothing matched (*unmatched*), in the bank's signs."""

    __tablename__ = "position_item"

    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_position.treasury_day_id"), primary_key=True)
    figure: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    bank_account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("bank_account.id"), primary_key=True)
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    booking_date: Mapped[date]

    __table_args__ = (sa.CheckConstraint("figure IN ('received', 'sent', 'unmatched')", name="figure_known"),)


class PositionCover(Base):
    """What covered clients' money beside the bank on the day, in the version that stood then."""

    __tablename__ = "position_cover"

    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_position.treasury_day_id"), primary_key=True)
    cover_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["cover_id", "version"], ["treasury_cover_version.cover_id", "treasury_cover_version.version"]
        ),
    )


class PositionFrozen(Base):
    """A client account that was frozen when a day was prepared, with what lay there at its end."""

    __tablename__ = "position_frozen"

    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_position.treasury_day_id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (sa.CheckConstraint("amount_minor > 0", name="amount_positive"),)


class PositionAction(Base):
    """What a person did about a shortfall or late money of one version of a day, in words. Never changed."""

    __tablename__ = "position_action"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    pool: Mapped[str]
    currency: Mapped[str]
    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"))
    #: the version that it was said of
    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_day.id"))
    about: Mapped[str]
    #: how large that was when it was said: a larger one is not answered by it; None: it was unknown, or there was none
    figure_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    kind: Mapped[str]
    amount_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    says: Mapped[str]
    at: Mapped[datetime]
    by_id: Mapped[UUID]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint(POOLS, name="pool_known"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint(_one_of("kind", ActionKind), name="kind_known"),
        sa.CheckConstraint(_one_of("about", ActionAbout), name="about_known"),
        sa.CheckConstraint("figure_minor > 0", name="figure_positive"),
        sa.CheckConstraint("length(btrim(says)) > 0", name="says_something"),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("kind = 'other' OR amount_minor IS NOT NULL", name="movement_has_amount"),
        sa.Index("ix_position_action_day", "pool", "currency", "day", "id"),
        sa.Index("ix_position_action_version", "treasury_day_id"),
    )


class EvidencePack(Base):
    """The files of one prepared or signed version of a day, in one archive. Never changed."""

    __tablename__ = "evidence_pack"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    treasury_day_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_day.id"))
    #: state of the version when it was made: prepared, signed, reopened
    state: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(sa.BigInteger)
    content: Mapped[bytes] = mapped_column(deferred=True)
    made_at: Mapped[datetime]
    made_by_kind: Mapped[str]
    made_by_id: Mapped[UUID | None]
    made_by: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("state IN ('prepared', 'signed', 'reopened')", name="state_known"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_digest"),
        sa.CheckConstraint("size = octet_length(content)", name="size_is_of_content"),
        # the same facts give the same bytes: they are kept once
        sa.Index("uq_evidence_pack_bytes", "treasury_day_id", "sha256", unique=True),
    )


class TreasuryThreshold(Base):
    """An amount that raises an alert for a pool and currency. Changed by two people; None: it raises none."""

    __tablename__ = "treasury_threshold"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    pool: Mapped[str]
    currency: Mapped[str]
    kind: Mapped[str]
    amount_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime]
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(POOLS, name="pool_known"),
        sa.CheckConstraint(CURRENCY, name="currency_is_code"),
        sa.CheckConstraint(_one_of("kind", ThresholdKind), name="kind_known"),
        sa.CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        sa.UniqueConstraint("pool", "currency", "kind"),
    )
