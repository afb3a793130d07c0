"""Requests for approval, and the rules of each kind. What protects people stands here a second time, as named
constraints."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id

STATES = ("requested", "approved", "rejected", "withdrawn", "expired", "stale")

#: in which an item stands for each request that somebody has taken (`taking`)
QUEUE = "approvals"


class ApprovalRequest(Base):
    __tablename__ = "approval_request"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID]
    client_id: Mapped[UUID | None]
    #: what it is about, in words: the client's name
    subject: Mapped[str]
    state: Mapped[str] = mapped_column(default="requested")
    maker_kind: Mapped[str]
    maker_id: Mapped[UUID]
    maker_name: Mapped[str]
    maker_senior: Mapped[bool]
    #: the owner of the token that asked: never decides
    maker_owner_id: Mapped[UUID | None]
    reason: Mapped[str]
    #: reason and decision reason need clients:read-restricted
    restricted: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[dict[str, Any]]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    fingerprint: Mapped[dict[str, Any]]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    decider_name: Mapped[str | None]
    decider_senior: Mapped[bool | None]
    closed_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    #: when its maker's word about the coming end was last begun (also shown on Home), and when it was sent
    warned_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'rejected', 'withdrawn', 'expired', 'stale')", name="state_known"
        ),
        sa.CheckConstraint("maker_kind IN ('staff', 'token')", name="maker_kind_known"),
        sa.CheckConstraint(
            "decided_by IS NULL OR (decided_by <> maker_id AND decided_by IS DISTINCT FROM maker_owner_id)",
            name="two_people",
        ),
        sa.CheckConstraint("decided_by IS DISTINCT FROM object_id", name="nobody_decides_about_themself"),
        sa.CheckConstraint(
            "kind NOT IN ('staff.changeRole', 'staff.enable') OR maker_id <> object_id",
            name="nobody_asks_for_themself",
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR (decider_senior IS TRUE) OR (maker_senior AND maker_kind = 'staff')",
            name="one_of_two_is_senior",
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR length(btrim(coalesce(decision_reason, ''))) > 0", name="rejection_has_a_reason"
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)", name="decided_by_somebody"
        ),
        sa.CheckConstraint("(state = 'requested') = (closed_at IS NULL)", name="closed_has_a_time"),
        sa.CheckConstraint("told_at IS NULL OR warned_at IS NOT NULL", name="told_after_warned"),
        sa.Index(
            "uq_approval_request_live",
            "kind",
            "object_id",
            unique=True,
            postgresql_where=sa.text("state = 'requested'"),
        ),
        sa.Index("ix_approval_request_live", "expires_at", "id", postgresql_where=sa.text("state = 'requested'")),
        sa.Index("ix_approval_request_newest", sa.text("id DESC")),
        sa.Index("ix_approval_request_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_approval_request_maker", "maker_id", sa.text("id DESC")),
        sa.Index("ix_approval_request_object", "object_id", sa.text("id DESC")),
    )


class ApprovalRule(Base):
    """A version of how requests of a kind are decided; the newest counts. Only added, each by an approved request
    (trigger `approval_rule_by_two`).

    `hours`: business hours until one expires; None: as the installation sets it. `deciders`: the roles that decide,
    among those that have the permission; None: all of them.
    """

    __tablename__ = "approval_rule"

    kind: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hours: Mapped[int | None] = mapped_column(sa.SmallInteger)
    deciders: Mapped[list[str] | None]
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)

    __table_args__ = (
        sa.CheckConstraint("hours BETWEEN 1 AND 240", name="hours_in_range"),
        sa.CheckConstraint("cardinality(deciders) > 0", name="somebody_named"),
        sa.CheckConstraint("array_ndims(deciders) = 1", name="deciders_in_a_row"),
        sa.CheckConstraint("version > 0", name="version_positive"),
    )
