"""A password that two people have taken away: by a code, handed over by who asked, the person chooses a new one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.staff import codes, services
from dashboard.staff.models import PasswordReset, StaffMember

CODE_LASTS = timedelta(hours=24)


def _member(staff_id: UUID) -> StaffMember:
    member = session().get(StaffMember, staff_id, with_for_update=True, populate_existing=True)
    if member is None:
        raise NotFound("There is no such staff member.")
    return member


def take_away(staff_id: UUID, *, approval_id: UUID, reason: str, by: Actor) -> None:
    """The password opens nothing any more, and all sessions of the person end. Raises NotFound."""
    member = _member(staff_id)
    ended = services.make_password_unusable(member)
    session().add(PasswordReset(staff_id=member.id, approval_id=approval_id, approved_at=member.password_changed_at))
    session().flush()
    audit.record(
        "staff.password_reset",
        by=by,
        object_type="staff_member",
        object_id=member.id,
        reason=reason,
        after={"sessions_ended": ended},
    )


def _stands(reset: PasswordReset, member: StaffMember) -> bool:
    """Not used, and no other way has given the person a password since."""
    return reset.used_at is None and reset.approved_at >= member.password_changed_at and member.disabled_at is None


def make_code(approval_id: UUID, *, by: Actor) -> str:
    """A fresh code, in place of one made before; stored nowhere. Raises NotFound, Conflict (no longer needed)."""
    reset = session().scalar(sa.select(PasswordReset).where(PasswordReset.approval_id == approval_id).with_for_update())
    if reset is None:
        raise NotFound("There is no such reset.")
    if not _stands(reset, _member(reset.staff_id)):
        raise Conflict("This person has chosen a password meanwhile, or may not sign in.", code="resetDone")
    code = codes.new_code()
    reset.secret_hash = services.digest(codes.as_typed(code))
    reset.expires_at = clock.now() + CODE_LASTS
    session().flush()
    audit.record("staff.password_code_made", by=by, object_type="staff_member", object_id=reset.staff_id)
    return code


def is_waiting(approval_id: UUID) -> bool:
    """Whether a code of this reset could still be used or made."""
    row = (
        session()
        .execute(
            sa.select(PasswordReset, StaffMember)
            .join(StaffMember, StaffMember.id == PasswordReset.staff_id)
            .where(PasswordReset.approval_id == approval_id)
        )
        .first()
    )
    return row is not None and _stands(*row)


def choose(code: str, *, new: str, address: str | None, request_id: str | None) -> None:
    """The person chooses a password by the code, once; a second factor is asked for at sign-in as ever. Raises Invalid
    naming `code` or `new`."""
    typed = codes.as_typed(code)
    reset = session().scalar(
        sa.select(PasswordReset).where(PasswordReset.secret_hash == services.digest(typed)).with_for_update()
    )
    member = _member(reset.staff_id) if reset is not None else None
    if (
        reset is None
        or member is None
        or reset.expires_at is None
        or reset.expires_at <= clock.now()
        or not _stands(reset, member)
    ):
        raise Invalid.one("code", "This code is wrong, was used, or is too old. Ask for another one.", "wrong")
    services.check_password(new, email=member.email, field="new")
    reset.used_at = clock.now()
    services.give_password(member, new)
    audit.record(
        "staff.password_changed",
        by=services.actor_of(member, address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member.id,
        after={"by": "code of a reset"},
    )
