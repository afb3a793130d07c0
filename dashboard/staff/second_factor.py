"""Verbs of the second factor: begin and confirm an authenticator app, take a code, recovery codes, the end of it.

A code counts once: the row keeps the newest time step that was taken, under a lock. Tries are counted before anything
is looked at, in a transaction of their own, so that no refusal takes the count back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, DomainError, Invalid, Refused
from dashboard.staff import codes, pauses, sealing, services
from dashboard.staff.models import RecoveryCode, SecondFactor, SecondFactorFailure, StaffMember, StaffSession

#: a secret that was shown and not confirmed is forgotten
BEGUN_FOR = timedelta(hours=1)

#: said of a wrong code, of one that was used before, and while a pause lasts: the answer never tells which
NOT_TAKEN = (
    "This code was not taken. A code of the app counts once, and for about a minute; a recovery code counts once."
    " After five wrong ones of a kind, wait 15 minutes or longer, or use the other kind."
)

#: what is counted apart, so that wrong codes of an app do not take the printed ones away on the day they are needed
Kind = Literal["app", "recovery"]


class CodeRefused(DomainError):
    """Wrong, used before, or tried during a pause: the answer never says which."""

    status = 422
    code = "codeRefused"

    def __init__(self) -> None:
        super().__init__(NOT_TAKEN)


@dataclass(frozen=True)
class Standing:
    """How a person stands with their second factor. `used_at`: the last use of a recovery code of this factor."""

    since: datetime | None
    recovery_left: int
    used_at: datetime | None

    @property
    def on(self) -> bool:
        return self.since is not None


@dataclass(frozen=True)
class Begun:
    """A secret that waits for its first code."""

    factor_id: UUID
    secret: str


_IN_USE = (SecondFactor.confirmed_at.is_not(None), SecondFactor.ended_at.is_(None))
_VALID = (RecoveryCode.used_at.is_(None), RecoveryCode.replaced_at.is_(None))


#: asked on every page of people who need one: it stands ready
_ON = sa.select(SecondFactor.id).where(
    SecondFactor.staff_id == sa.bindparam("staff", type_=SecondFactor.staff_id.type), *_IN_USE
)


def is_on(staff_id: UUID) -> bool:
    """Whether the person has a second factor that counts."""
    return session().scalar(_ON, {"staff": staff_id}) is not None


def standing(staff_id: UUID) -> Standing:
    """What the account page tells."""
    factor = session().scalar(sa.select(SecondFactor).where(SecondFactor.staff_id == staff_id, *_IN_USE))
    if factor is None:
        return Standing(None, 0, None)
    left, used_at = session().execute(
        sa.select(sa.func.count().filter(*_VALID), sa.func.max(RecoveryCode.used_at)).where(
            RecoveryCode.factor_id == factor.id
        )
    ).one()  # fmt: skip
    return Standing(factor.confirmed_at, left, used_at)


def _in_use(staff_id: UUID) -> SecondFactor | None:
    """The one that counts, locked."""
    return session().scalar(
        sa.select(SecondFactor)
        .where(SecondFactor.staff_id == staff_id, *_IN_USE)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _not_confirmed(staff_id: UUID) -> SecondFactor | None:
    return session().scalar(
        sa.select(SecondFactor).where(
            SecondFactor.staff_id == staff_id, SecondFactor.confirmed_at.is_(None), SecondFactor.ended_at.is_(None)
        )
    )


def begin(*, session_id: UUID, by: Actor) -> Begun:
    """Make a secret for a new authenticator app; one that was begun before is forgotten. Nothing changes at sign-in
    until a code has confirmed it. Raises NotFound."""
    member = services.locked(by.staff_id)
    earlier = _not_confirmed(member.id)
    if earlier is not None:
        _close(earlier, "replaced")
    secret, factor_id = codes.new_secret(), new_id()
    session().add(
        SecondFactor(
            id=factor_id,
            staff_id=member.id,
            sealed_secret=sealing.seal(secret, of=factor_id),
            created_at=clock.now(),
            begun_in=session_id,
        )
    )
    session().flush()
    audit.record("staff.second_factor_begun", by=by, object_type="staff_member", object_id=member.id)
    return Begun(factor_id, secret)


def begun(staff_id: UUID, *, session_id: UUID) -> Begun | None:
    """The secret that waits for its first code; None when there is none, it waited too long, or another session made
    it: whoever had that one knows it."""
    factor = _not_confirmed(staff_id)
    if factor is None or factor.begun_in != session_id or factor.created_at < clock.now() - BEGUN_FOR:
        return None
    assert factor.sealed_secret is not None  # it has not ended
    return Begun(factor.id, sealing.unseal(factor.sealed_secret, of=factor.id))


def confirm(code: str, *, session_id: UUID, by: Actor) -> list[str]:
    """The first code of the app: from now on it counts, in place of an earlier one. All other sessions end.

    Gives the recovery codes, which are stored nowhere and cannot be shown again. Raises Conflict (nothing was begun)
    and Invalid naming `code`.
    """
    member = services.locked(by.staff_id)
    waiting = begun(member.id, session_id=session_id)
    if waiting is None:
        raise Conflict("There is no secret to confirm any more. Begin again.", code="nothingBegun")
    step = codes.matching_step(waiting.secret, codes.as_typed(code), clock.now(), after=None)
    if step is None:
        raise Invalid.one(
            "code",
            "This is not the code that the app shows. Type the newest, and check the phone's clock.",
            "wrong",
        )
    before = _in_use(member.id)
    if before is not None:
        _end(before, "replaced")
    factor = session().get_one(SecondFactor, waiting.factor_id, with_for_update=True)
    factor.confirmed_at = clock.now()
    factor.last_step = step
    _forget_failures(member.id)
    session().flush()
    audit.record(
        "staff.second_factor_confirmed",
        by=by,
        object_type="staff_member",
        object_id=member.id,
        before={"second factor": "on" if before else "off"},
        after={"second factor": "on"},
    )
    services.sign_out_everywhere(by=by, except_session=session_id)
    mark_stepped_up(session_id)
    return _new_recovery_codes(factor)


def _new_recovery_codes(factor: SecondFactor) -> list[str]:
    moment = clock.now()
    session().execute(
        sa.update(RecoveryCode).where(RecoveryCode.factor_id == factor.id, *_VALID).values(replaced_at=moment)
    )
    made = [codes.new_code() for _ in range(codes.RECOVERY_CODES)]
    session().add_all(
        RecoveryCode(factor_id=factor.id, code_hash=codes.recovery_hash(factor.id, code), made_at=moment)
        for code in made
    )
    session().flush()
    return made


def renew_recovery_codes(*, by: Actor) -> list[str]:
    """A new set in place of the old one, of which no code counts any more. Raises Conflict without a second factor."""
    factor = _in_use(services.locked(by.staff_id).id)
    if factor is None:
        raise Conflict("You have no second factor.", code="noSecondFactor")
    made = _new_recovery_codes(factor)
    audit.record("staff.recovery_codes_renewed", by=by, object_type="staff_member", object_id=by.id)
    return made


def _close(factor: SecondFactor, how: str, approval_id: UUID | None = None) -> None:
    factor.ended_at = clock.now()
    factor.ended_how = how
    factor.sealed_secret = None
    factor.approval_id = approval_id
    session().flush()


def _end(factor: SecondFactor, how: str, approval_id: UUID | None = None) -> None:
    session().execute(
        sa.update(RecoveryCode).where(RecoveryCode.factor_id == factor.id, *_VALID).values(replaced_at=clock.now())
    )
    _close(factor, how, approval_id)


def turn_off(*, required: bool, by: Actor) -> None:
    """Sign in by password alone from now on. Raises Refused where the role requires a factor, Conflict without one."""
    if required:
        raise Refused("Your role signs in with a second factor. Replace the device instead.", code="factorRequired")
    factor = _in_use(services.locked(by.staff_id).id)
    if factor is None:
        raise Conflict("You have no second factor.", code="noSecondFactor")
    _end(factor, "turned-off")
    audit.record(
        "staff.second_factor_off",
        by=by,
        object_type="staff_member",
        object_id=by.id,
        before={"second factor": "on"},
        after={"second factor": "off"},
    )


def live_factor(staff_id: UUID) -> UUID | None:
    """The id of the one that counts, with its row and the person locked: for a request to reset it. Raises NotFound."""
    factor = _in_use(services.locked(staff_id).id)
    return factor.id if factor else None


def reset(staff_id: UUID, *, approval_id: UUID | None, reason: str | None, by: Actor) -> StaffMember:
    """Take a lost factor away: all sessions of the person end, and a pause after wrong codes too.

    `approval_id` is the request that two people approved; None for the operator at the command line. Raises NotFound,
    Conflict (there is none).
    """
    member = services.locked(staff_id)
    factor = _in_use(member.id)
    if factor is None:
        raise Conflict("This person has no second factor.", code="noSecondFactor")
    _end(factor, "reset" if approval_id else "operator", approval_id)
    _forget_failures(member.id)
    ended = services.end_sessions(member)
    audit.record(
        "staff.second_factor_reset",
        by=by,
        object_type="staff_member",
        object_id=member.id,
        reason=reason,
        before={"second factor": "on"},
        after={"second factor": "off", "sessions_ended": ended},
    )
    return member


def _forget_failures(staff_id: UUID) -> None:
    session().execute(sa.delete(SecondFactorFailure).where(SecondFactorFailure.staff_id == staff_id))


def _kind_of(typed: str) -> Kind:
    """What was tried, by its looks: 80 random bits are not guessed by what looks otherwise."""
    return "recovery" if codes.is_recovery_code(codes.as_typed(typed)) else "app"


def begin_attempt(staff_id: UUID, typed: str) -> datetime | None:
    """Count one try before the code is looked at. Raises services.LockedOut during a pause of codes of its kind.

    Gives the end of the pause that this try brings should it fail. The caller commits before the code is looked at: of
    many tries at once only the first few are. Only a code that is taken forgets the counts.
    """
    moment, kind = clock.now(), _kind_of(typed)
    session().execute(
        postgresql.insert(SecondFactorFailure)
        .values(staff_id=staff_id, kind=kind, failures=0, last_failure_at=moment, locked_until=None)
        # locks a row that is there: a right code of this moment may be about to delete it
        .on_conflict_do_update(index_elements=["staff_id", "kind"], set_={"failures": SecondFactorFailure.failures})
    )
    row = session().get_one(SecondFactorFailure, (staff_id, kind), with_for_update=True, populate_existing=True)
    if row.locked_until is not None and row.locked_until > moment:
        raise services.LockedOut(row.locked_until)
    row.failures += 1
    row.last_failure_at = moment
    pause = pauses.after(row.failures)
    row.locked_until = moment + pause if pause else None
    return row.locked_until


def take(typed: str, *, by: Actor) -> str:
    """Take a code of the app or a recovery code; gives which it was, in words. The caller has committed
    `begin_attempt`. Raises CodeRefused."""
    code = codes.as_typed(typed)
    assert by.staff_id is not None  # only people have codes
    factor = _in_use(by.staff_id)
    if factor is None or factor.sealed_secret is None:
        raise CodeRefused
    if codes.is_code(code):
        secret = sealing.unseal(factor.sealed_secret, of=factor.id)
        step = codes.matching_step(secret, code, clock.now(), after=factor.last_step)
        if step is None:
            raise CodeRefused
        factor.last_step = step
        how = "password and code"
    elif codes.is_recovery_code(code) and _use_recovery_code(factor, code):
        audit.record(
            "staff.recovery_code_used",
            by=by,
            object_type="staff_member",
            object_id=by.id,
            after={"recovery codes left": standing(by.staff_id).recovery_left},
        )
        how = "password and recovery code"
    else:
        raise CodeRefused
    _forget_failures(by.staff_id)
    session().flush()
    return how


def _use_recovery_code(factor: SecondFactor, code: str) -> bool:
    used = session().execute(
        sa.update(RecoveryCode)
        .where(
            RecoveryCode.factor_id == factor.id,
            RecoveryCode.code_hash == codes.recovery_hash(factor.id, code),
            *_VALID,
        )
        .values(used_at=clock.now())
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]


def tell_refusal(*, locked: datetime | None, by: Actor) -> None:
    """Evidence of a code that was not taken at sign-in."""
    audit.record(
        "staff.code_refused",
        by=by,
        object_type="staff_member",
        object_id=by.id,
        after={"locked_until": locked.isoformat()} if locked else None,
    )


def tell_step_up_refusal(*, what: str, locked: datetime | None, by: Actor) -> None:
    """Evidence that somebody who is signed in could not show again that it is them; `what` they tried it by."""
    audit.record(
        "staff.step_up_refused",
        by=by,
        object_type="staff_member",
        object_id=by.id,
        after={"by": what, **({"locked_until": locked.isoformat()} if locked else {})},
    )


def mark_stepped_up(session_id: UUID) -> None:
    """The person has shown again that it is them, in this session."""
    session().execute(sa.update(StaffSession).where(StaffSession.id == session_id).values(stepped_up_at=clock.now()))


def step_up(session_id: UUID, *, how: str, by: Actor) -> None:
    """The same, with evidence."""
    mark_stepped_up(session_id)
    audit.record("staff.stepped_up", by=by, object_type="staff_member", object_id=by.id, after={"by": how})
