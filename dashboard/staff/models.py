"""Staff members, their sessions, and failed sign-ins."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.access.permissions import ROLES, Role, RoleRow
from dashboard.database import Base, new_id


class StaffMember(Base):
    __tablename__ = "staff_member"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: as typed, for display; compared by `email_key`
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    #: argon2id, with its parameters
    password_hash: Mapped[str]
    theme: Mapped[str] = mapped_column(default="system")
    #: single-letter shortcuts switched off (WCAG 2.1.4)
    keys_off: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(
            "role IN ('officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin', 'auditor')",
            name="role_known",
        ),
        sa.CheckConstraint("theme IN ('light', 'dark', 'system')", name="theme_known"),
    )

    @property
    def role_row(self) -> RoleRow:
        return ROLES[Role(self.role)]


class StaffSession(Base):
    """One sign-in. It ends by sign-out, by idleness, by age, or when everything of the person is signed out."""

    __tablename__ = "staff_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"), index=True)
    #: SHA-256 of the random secret in the cookie
    secret_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    #: marked at most once a minute
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None]
    browser: Mapped[str | None]


class SignInFailure(Base):
    """Failed attempts per e-mail address, known or not: lock-out tells nobody which addresses exist."""

    __tablename__ = "sign_in_failure"

    #: SHA-256 of the address in lower case
    email_hash: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_failure_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]
