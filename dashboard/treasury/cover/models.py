"""Tables of covers. Amounts are minor units."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.cover.vocabulary import CoverKind
from dashboard.treasury.register.models import POOLS

_KINDS = f"kind IN ({', '.join(repr(kind.value) for kind in CoverKind)})"


class Cover(Base):
    """What covers clients' money of a pool and currency beside the bank. Added and changed by two people; what it is
    and how much never changes, only until when it is valid and when it is looked at again."""

    __tablename__ = "treasury_cover"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    pool: Mapped[str]
    currency: Mapped[str]
    kind: Mapped[str]
    #: insurer, guarantor, or who keeps the assets
    issuer: Mapped[str]
    reference: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    valid_from: Mapped[date]
    #: the last day; None: assets without an end
    valid_to: Mapped[date | None]
    review_on: Mapped[date]
    version: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]
    #: None: laid down with the installation
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(POOLS, name="pool_known"),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_is_code"),
        sa.CheckConstraint(_KINDS, name="kind_known"),
        sa.CheckConstraint("amount_minor > 0", name="amount_positive"),
        sa.CheckConstraint("valid_to >= valid_from", name="valid_in_order"),
        sa.CheckConstraint("kind = 'secureAssets' OR valid_to IS NOT NULL", name="promise_has_an_end"),
        sa.CheckConstraint(
            "length(btrim(issuer)) BETWEEN 1 AND 100 AND length(btrim(reference)) BETWEEN 1 AND 100",
            name="issuer_and_reference",
        ),
        sa.Index(
            "uq_treasury_cover_reference", "currency", "kind", "issuer", "reference", "valid_from", unique=True
        ),
    )  # fmt: skip

    def valid_on(self, day: date) -> bool:
        """Whether it counts on that day, the first and the last one included."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class CoverVersion(Base):
    """What stood, version by version: written by the database with every change, never changed."""

    __tablename__ = "treasury_cover_version"

    cover_id: Mapped[UUID] = mapped_column(sa.ForeignKey("treasury_cover.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    pool: Mapped[str]
    currency: Mapped[str]
    kind: Mapped[str]
    issuer: Mapped[str]
    reference: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    review_on: Mapped[date]
    changed_at: Mapped[datetime]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (sa.Index("uq_treasury_cover_version_approval", "approval_id", unique=True),)
