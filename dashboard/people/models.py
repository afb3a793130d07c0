"""Invitations. What protects people stands here a second time, as named constraints, and in triggers (0022)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.staff.models import COUNTERSIGN_IS_WHOLE, Countersigned


class StaffInvitation(Countersigned, Base):
    """Two people let somebody join with this address in this role. Accepted once, by a link that was e-mailed and shown
    to nobody, or by one that was shown once together with the code of who approved."""

    __tablename__ = "staff_invitation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    email_key: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    #: who asked for it
    invited_by: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"), index=True)
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)
    created_at: Mapped[datetime]
    #: SHA-256 of the random secret in the newest link; None before the first
    secret_hash: Mapped[str | None] = mapped_column(unique=True)
    #: the newest link went to the invited address alone, and counts without the second person's code
    link_mailed: Mapped[bool] = mapped_column(default=False)
    #: who made the newest link, and so has seen it unless it was e-mailed
    link_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    link_expires_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    member_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"), unique=True)
    ended_at: Mapped[datetime | None]
    #: withdrawn, replaced by a newer invitation, or who invited may no longer invite
    ended_because: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(
            "role IN ('officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin', 'auditor')",
            name="role_known",
        ),
        sa.CheckConstraint(
            "(secret_hash IS NULL) = (link_expires_at IS NULL) AND (secret_hash IS NULL) = (link_by IS NULL)",
            name="link_is_whole",
        ),
        sa.CheckConstraint(COUNTERSIGN_IS_WHOLE, name="countersign_is_whole"),
        sa.CheckConstraint("link_mailed OR countersign_by <> link_by", name="link_and_code_by_two"),
        sa.CheckConstraint("(accepted_at IS NULL) = (member_id IS NULL)", name="accepted_by_somebody"),
        sa.CheckConstraint("accepted_at IS NULL OR ended_at IS NULL", name="accepted_or_ended"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_because IS NULL)", name="ended_why"),
        sa.CheckConstraint("ended_because IN ('withdrawn', 'replaced', 'inviterGone')", name="why_known"),
        sa.Index(
            "uq_staff_invitation_open",
            "email_key",
            unique=True,
            postgresql_where=sa.text("accepted_at IS NULL AND ended_at IS NULL"),
        ),
    )
