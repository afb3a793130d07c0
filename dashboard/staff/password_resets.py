"""A password that two people have taken away: each of the two hands over a code, and by both the person chooses a new
one. Neither of them could do it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.staff import codes, countersigns, services
from dashboard.staff.models import PasswordReset, SecondFactor, StaffMember

CODE_LASTS = timedelta(hours=24)


def take_away(staff_id: UUID, *, approval_id: UUID, reason: str, by: Actor) -> None:
    """The password opens nothing any more, and all sessions of the person end. Raises NotFound."""
    member = services.locked(staff_id)
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
    """Not used, no other way has given the person a password since, and they are who two people approved it of: a role
    or a lost second factor would make more of it than was looked at. The database says the same (0030). Nor does a code
    of somebody outlive them, who may have been shut out for what they did."""
    if reset.used_at is not None or reset.approved_at < member.password_changed_at or member.disabled_at is not None:
        return False
    gave = [one for one in (reset.secret_by, reset.countersign_by) if one is not None]
    gone = sa.select(StaffMember.id).where(StaffMember.id.in_(gave), StaffMember.disabled_at.is_not(None))
    if gave and session().scalar(gone.limit(1)) is not None:
        return False
    since = sa.select(SecondFactor.id).where(
        SecondFactor.staff_id == member.id,
        SecondFactor.ended_how.in_(("reset", "operator")),
        SecondFactor.ended_at > reset.approved_at,
    )
    return session().scalar(since) is None and not any(tell(member.id, reset.approved_at) for tell in _role_turns)


#: whether two people gave a person another role since: requests are of a higher package
_role_turns: list[Callable[[UUID, datetime], bool]] = []


def learn_role_turns(tell: Callable[[UUID, datetime], bool]) -> None:
    """Take what knows of other roles; called once by the application factory."""
    _role_turns[:] = [tell]


def _to_hand_over(approval_id: UUID) -> PasswordReset:
    reset = session().scalar(
        sa.select(PasswordReset)
        .where(PasswordReset.approval_id == approval_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if reset is None:
        raise NotFound("There is no such reset.")
    if not _stands(reset, services.locked(reset.staff_id)):
        raise Conflict(
            "This reset is over: the person has chosen a password, may not sign in, or has another role or no second"
            " factor since it was approved; or who made a code of it has left. Ask for another one.",
            code="resetDone",
        )
    return reset


def make_code(approval_id: UUID, *, by: Actor) -> str:
    """The first code, of who asked (the caller has looked), in place of one made before; stored nowhere. Raises
    NotFound, Conflict (no longer needed)."""
    reset = _to_hand_over(approval_id)
    code = codes.new_code()
    reset.secret_hash = services.digest(codes.as_typed(code))
    reset.secret_by = by.staff_id
    reset.expires_at = clock.now() + CODE_LASTS
    session().flush()
    audit.record("staff.password_code_made", by=by, object_type="staff_member", object_id=reset.staff_id)
    return code


def make_countersign(approval_id: UUID, *, by: Actor) -> str:
    """The second code, of who approved (the caller has looked), in place of one made before; stored nowhere. Raises
    NotFound, Conflict (no longer needed)."""
    reset = _to_hand_over(approval_id)
    assert by.staff_id is not None  # only people decide
    code = countersigns.make(reset, by=by.staff_id, until=clock.now() + CODE_LASTS)
    session().flush()
    audit.record("staff.password_countersign_made", by=by, object_type="staff_member", object_id=reset.staff_id)
    return code


def is_waiting(approval_id: UUID) -> bool:
    """Whether codes of this reset could still be used or made."""
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


def _by_code(code: str) -> tuple[PasswordReset, StaffMember]:
    reset = session().scalar(
        sa.select(PasswordReset)
        .where(PasswordReset.secret_hash == services.digest(codes.as_typed(code)))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if reset is not None and reset.expires_at is not None and reset.expires_at > clock.now():
        member = services.locked(reset.staff_id)
        if _stands(reset, member):
            return reset, member
    raise Invalid.one("code", "This code is wrong, was used, or is too old. Ask for another one.", "wrong")


def begin_attempt(code: str, *, new: str) -> datetime | None:
    """Count one try at the second code of this reset before it is looked at; the caller commits. Gives the end of the
    pause that it brings should it fail. Raises Invalid naming `code` or `new` (nothing is counted), and
    countersigns.Paused."""
    reset, member = _by_code(code)
    services.check_password(new, email=member.email, field="new")
    return countersigns.begin_try(reset)


def choose(code: str, second: str, *, new: str, address: str | None, request_id: str | None) -> None:
    """The person chooses a password by both codes, once; a second factor is asked for at sign-in as ever. The caller
    has committed `begin_attempt`. Raises Invalid naming `code` or `new`, and countersigns.Wrong naming `second`."""
    reset, member = _by_code(code)
    countersigns.check(reset, second, field="second")
    services.check_password(new, email=member.email, field="new")
    reset.used_at = clock.now()
    services.give_password(member, new)
    audit.record(
        "staff.password_changed",
        by=services.actor_of(member, address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member.id,
        after={"by": "codes of a reset"},
    )


def tell_refusal(code: str, *, locked: datetime | None, address: str | None, request_id: str | None) -> None:
    """Evidence of a second code that was wrong or tried during a pause, by somebody who has the first."""
    staff_id = session().scalar(
        sa.select(PasswordReset.staff_id).where(PasswordReset.secret_hash == services.digest(codes.as_typed(code)))
    )
    audit.record(
        "staff.password_code_refused",
        by=replace(system("sign-in"), address=address, request_id=request_id),
        object_type="staff_member",
        object_id=staff_id,
        after={"locked_until": locked.isoformat()} if locked else None,
    )
