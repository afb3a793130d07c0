"""Staff members, their sessions, second factors, and failed sign-ins."""

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
    #: how closely the rows of lists stand
    density: Mapped[str] = mapped_column(default="comfortable", server_default="comfortable")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime]
    #: the requests by which two people gave this role, and let in again; a trigger (0030) lets each be used once
    role_approval_id: Mapped[UUID | None]
    enabling_approval_id: Mapped[UUID | None]

    __table_args__ = (
        sa.CheckConstraint(
            "role IN ('officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin', 'auditor')",
            name="role_known",
        ),
        sa.CheckConstraint("theme IN ('light', 'dark', 'system')", name="theme_known"),
        sa.CheckConstraint("density IN ('comfortable', 'compact')", name="density_known"),
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
    #: when the person last showed again that it is them; None: not since signing in, which counts as one
    stepped_up_at: Mapped[datetime | None]


class SignInFailure(Base):
    """Failed attempts per e-mail address, known or not: lock-out tells nobody which addresses exist (`tries`)."""

    __tablename__ = "sign_in_failure"

    #: SHA-256 of the address in lower case; with that of address and network behind it, tries from there alone
    email_hash: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_failure_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]


class SecondFactor(Base):
    """An authenticator app of a person. Begun with a secret, it counts once a code has confirmed it.

    A trigger (0021) lets it only go forward: the secret stays, no time step counts twice, an end is final, and a
    colleague's reset needs the approved request.
    """

    __tablename__ = "second_factor"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    #: encrypted (`sealing`); gone once the factor has ended
    sealed_secret: Mapped[str | None]
    created_at: Mapped[datetime]
    #: the session that saw the secret, and the only one that may confirm it
    begun_in: Mapped[UUID]
    confirmed_at: Mapped[datetime | None]
    #: the newest time step of which a code was taken (RFC 6238: 30 seconds each)
    last_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None]
    #: the request by which two people reset it
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)

    __table_args__ = (
        sa.CheckConstraint("ended_how IN ('replaced', 'turned-off', 'reset', 'operator')", name="ended_how_known"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="end_says_how"),
        sa.CheckConstraint("(ended_at IS NULL) = (sealed_secret IS NOT NULL)", name="ended_holds_no_secret"),
        sa.CheckConstraint("(confirmed_at IS NULL) = (last_step IS NULL)", name="confirmed_by_a_code"),
        sa.CheckConstraint(
            "(ended_how IS NOT DISTINCT FROM 'reset') = (approval_id IS NOT NULL)", name="reset_by_two_people"
        ),
        sa.Index(
            "uq_second_factor_in_use",
            "staff_id",
            unique=True,
            postgresql_where=sa.text("confirmed_at IS NOT NULL AND ended_at IS NULL"),
        ),
        sa.Index(
            "uq_second_factor_begun",
            "staff_id",
            unique=True,
            postgresql_where=sa.text("confirmed_at IS NULL AND ended_at IS NULL"),
        ),
    )


class RecoveryCode(Base):
    """One code of a printed set, for a day without the authenticator. Used once (a trigger says so too)."""

    __tablename__ = "recovery_code"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    factor_id: Mapped[UUID] = mapped_column(sa.ForeignKey("second_factor.id"), index=True)
    #: SHA-256 of factor and code: 80 random bits are not guessed back
    code_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    #: a newer set took its place
    replaced_at: Mapped[datetime | None]

    __table_args__ = (sa.CheckConstraint("used_at IS NULL OR replaced_at IS NULL", name="used_or_replaced"),)


class SecondFactorFailure(Base):
    """Codes that were tried and not taken, since the last one that was. Time alone forgets none of them.

    Codes of the app and recovery codes are counted apart.
    """

    __tablename__ = "second_factor_failure"

    staff_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_failure_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]

    __table_args__ = (sa.CheckConstraint("kind IN ('app', 'recovery')", name="kind_known"),)


class HalfSignIn(Base):
    """The password was right and the code is still to come. No session: it opens the page of the code alone."""

    __tablename__ = "half_sign_in"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"), index=True)
    #: SHA-256 of the random secret in the cookie
    secret_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + interval '10 minutes'", name="short_lived"
        ),
    )


class Countersigned:
    """What is handed over by two people: the second one's code, and the tries at it (`countersigns`).

    A trigger (0029) lets only who approved make one, and lets no try be forgotten without a new one.
    """

    #: argon2id of ten letters
    countersign_hash: Mapped[str | None]
    #: who made it, and so has seen it
    countersign_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    countersign_until: Mapped[datetime | None]
    countersign_failures: Mapped[int] = mapped_column(default=0)
    countersign_locked_until: Mapped[datetime | None]


#: of a table that is `Countersigned`
COUNTERSIGN_IS_WHOLE = (
    "(countersign_hash IS NULL) = (countersign_by IS NULL) AND (countersign_hash IS NULL) = (countersign_until IS NULL)"
)


class PasswordReset(Countersigned, Base):
    """Two people have taken a person's password away. Each of them hands over a code, and by both the person chooses a
    new one, once.

    A trigger (0021, 0029) asks for the approved request, for both codes, and lets them be used once.
    """

    __tablename__ = "password_reset"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"), index=True)
    approval_id: Mapped[UUID] = mapped_column(sa.ForeignKey("approval_request.id"), unique=True)
    approved_at: Mapped[datetime]
    #: SHA-256 of the random code of who asked; a newer one takes the place of the one before
    secret_hash: Mapped[str | None] = mapped_column(unique=True)
    #: who made it, and so has seen it
    secret_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(
            "(secret_hash IS NULL) = (expires_at IS NULL) AND (secret_hash IS NULL) = (secret_by IS NULL)",
            name="code_is_whole",
        ),
        sa.CheckConstraint("used_at IS NULL OR secret_hash IS NOT NULL", name="used_by_a_code"),
        sa.CheckConstraint(COUNTERSIGN_IS_WHOLE, name="countersign_is_whole"),
        sa.CheckConstraint("countersign_by <> secret_by", name="codes_by_two"),
    )
