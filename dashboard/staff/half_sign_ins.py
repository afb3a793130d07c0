"""Between the password and the code: kept on the server for five minutes, and no session."""

from __future__ import annotations

import secrets
from datetime import timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.staff import second_factor, services
from dashboard.staff.models import HalfSignIn, StaffMember

LIVES = timedelta(minutes=5)


class TooLate(second_factor.CodeRefused):
    """The password was typed too long ago, or all of it was ended meanwhile."""


def begin(member: StaffMember, *, address: str | None, browser: str | None, request_id: str | None) -> str:
    """The password was right: give the secret for the cookie, which is stored nowhere. That somebody knew the password
    is evidence of its own: who stops here may be a thief."""
    moment, half_id = clock.now(), new_id()
    secret = secrets.token_urlsafe(32)
    session().add(
        HalfSignIn(
            id=half_id,
            staff_id=member.id,
            secret_hash=services.digest(secret),
            created_at=moment,
            expires_at=moment + LIVES,
        )
    )
    session().flush()
    audit.record(
        "staff.password_right",
        by=services.actor_of(member, address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member.id,
        after={"half": str(half_id), **({"browser": browser[:200]} if browser else {})},
    )
    return secret


def _live(secret: str) -> sa.Select[HalfSignIn, StaffMember]:
    return (
        sa.select(HalfSignIn, StaffMember)
        .join(StaffMember, StaffMember.id == HalfSignIn.staff_id)
        .where(
            HalfSignIn.secret_hash == services.digest(secret),
            HalfSignIn.ended_at.is_(None),
            HalfSignIn.expires_at > clock.now(),
            StaffMember.disabled_at.is_(None),
        )
    )


def member_of(secret: str | None) -> StaffMember | None:
    """Who has typed the password; None when that was too long ago, or the person may not sign in any more."""
    row = session().execute(_live(secret)).first() if secret else None
    return row[1] if row else None


def complete(
    secret: str, typed: str, *, address: str | None, browser: str | None, request_id: str | None
) -> services.SignedIn:
    """The code opens the session, once. The caller has committed `second_factor.begin_attempt`. Raises CodeRefused."""
    known = member_of(secret)
    if known is None:
        raise TooLate
    # the person before what is theirs, as whoever ends it does: two orders would be a deadlock
    services.hold(known.id)
    row = session().execute(
        _live(secret).with_for_update(of=HalfSignIn).execution_options(populate_existing=True)
    ).first()  # fmt: skip
    if row is None:
        raise TooLate
    half, member = row
    by = services.actor_of(member, address=address, request_id=request_id)
    how = second_factor.take(typed, by=by)
    half.ended_at = clock.now()
    return services.open_session(
        member, by_what=how, address=address, browser=browser, request_id=request_id, half=half.id
    )
