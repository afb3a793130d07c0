"""Verbs of staff: make a member, sign in and out, change a password."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session, transaction
from dashboard.errors import Conflict, DomainError, FieldError, Invalid, NotFound, Refused
from dashboard.staff.models import HalfSignIn, SignInFailure, StaffMember, StaffSession
from dashboard.staff.slow_hashing import hashed as _hash
from dashboard.staff.slow_hashing import is_outdated
from dashboard.staff.slow_hashing import matches as _matches

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(minutes=15)
FORGET_FAILURES_AFTER = timedelta(hours=1)
#: of the failures of an address from all networks together (`tries`), the time in which one is forgotten
ONE_FORGOTTEN_IN = timedelta(minutes=6)

#: checked when the address is unknown, so that both answers take as long
_NOBODY = _hash(secrets.token_urlsafe(16))


class SignInRefused(DomainError):
    """Address or password wrong, or the member disabled: the answer never says which."""

    status = 422
    code = "signInRefused"


class LockedOut(DomainError):
    """Too many failures; `until` is when the next try is taken."""

    status = 429
    code = "lockedOut"

    def __init__(self, until: datetime) -> None:
        super().__init__("Too many failed sign-ins.")
        self.until = until


@dataclass(frozen=True)
class SignedIn:
    """A new session; `secret` goes into the cookie and is stored nowhere."""

    member: StaffMember
    session: StaffSession
    secret: str


def digest(text: str) -> str:
    """SHA-256 in hex: how random secrets and addresses are stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def check_password(password: str, *, email: str, field: str = "password") -> None:
    """NIST SP 800-63B: length over composition, and not the obvious. Raises Invalid."""
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid.one(field, f"Use at least {SHORTEST_PASSWORD} characters.", "tooShort")
    if len(password) > LONGEST_PASSWORD:
        raise Invalid.one(field, f"Use at most {LONGEST_PASSWORD} characters.", "tooLong")
    local = email.partition("@")[0].lower()
    if len(set(password)) < 4 or password.lower() in {email.lower(), local * 2, local * 3}:
        raise Invalid.one(field, "This is too easy to guess.", "tooEasy")


def checked_address(email: str) -> str:
    """The address as it is kept. Raises Invalid."""
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Invalid.one("email", "This is no e-mail address.", "email") from None
    return email.strip()


def address_taken(email: str) -> bool:
    """Whether somebody signs in, or has signed in, with this address."""
    return session().scalar(sa.select(StaffMember.id).where(StaffMember.email_key == address_key(email))) is not None


def _added(*, email: str, role: Role, password: str, name: str | None) -> StaffMember:
    errors: list[FieldError] = []
    for check in (lambda: checked_address(email), lambda: check_password(password, email=email)):
        try:
            check()
        except Invalid as refusal:
            errors += refusal.errors
    if errors:
        raise Invalid(errors)
    if address_taken(email):
        raise Conflict("There is a staff member with this address already.", code="emailTaken")
    key = email.strip().lower()
    moment = clock.now()
    member = StaffMember(
        email=email.strip(),
        email_key=key,
        name=name or key.partition("@")[0].replace(".", " ").title(),
        role=role.value,
        password_hash=_hash(password),
        created_at=moment,
        password_changed_at=moment,
    )
    session().add(member)
    session().flush()
    return member


def create_member(*, email: str, role: Role, password: str, name: str | None = None, by: Actor) -> StaffMember:
    """The operator makes a staff member. Raises Invalid (address, password) and Conflict (address taken).

    The database lets a new member be by this evidence of the house itself, or by an accepted invitation.
    """
    member = _added(email=email, role=role, password=password, name=name)
    audit.record("staff.created", by=by, object_type="staff_member", object_id=member.id, after={"role": member.role})
    return member


def join(
    *, email: str, role: Role, password: str, name: str, address: str | None, request_id: str | None
) -> StaffMember:
    """A person who was invited makes their own account. The caller marks the invitation as accepted in the same
    transaction. Raises Invalid (password) and Conflict (address taken)."""
    member = _added(email=email, role=role, password=password, name=name)
    audit.record(
        "staff.joined",
        by=actor_of(member, address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member.id,
        after={"role": member.role},
    )
    return member


def actor_of(member: StaffMember, *, address: str | None = None, request_id: str | None = None) -> Actor:
    """The member as services see them."""
    row = ROLES[Role(member.role)]
    return Actor(
        kind="staff",
        id=member.id,
        name=member.name,
        role=member.role,
        permissions=row.permissions,
        senior=row.senior,
        address=address,
        request_id=request_id,
    )


def actor_named(email: str) -> Actor:
    """The member whom a command names as the person who asks. Raises NotFound, also for one who was disabled."""
    member = session().scalar(
        sa.select(StaffMember).where(StaffMember.email_key == address_key(email), StaffMember.disabled_at.is_(None))
    )
    if member is None:
        raise NotFound("There is no staff member with this address.")
    return actor_of(member, address="command line")


def _lock_for(failures: int) -> timedelta | None:
    """1, 2, 4, 8, then 15 minutes from the fifth failure on."""
    if failures < FAILURES_BEFORE_LOCK:
        return None
    doublings: int = 2 ** min(failures - FAILURES_BEFORE_LOCK, 10)
    return min(FIRST_LOCK * doublings, LONGEST_LOCK)


def failures_of(key: str) -> SignInFailure:
    """The count under this key, locked; begun where there is none."""
    session().execute(
        postgresql.insert(SignInFailure)
        .values(email_hash=key, failures=0, last_failure_at=clock.now(), locked_until=None)
        # locks a row that is there: a right code of this moment may be about to delete it
        .on_conflict_do_update(index_elements=["email_hash"], set_={"failures": SignInFailure.failures})
    )
    return session().get_one(SignInFailure, key, with_for_update=True, populate_existing=True)


def count_try(key: str) -> datetime | None:
    """Count one try under this key. Raises LockedOut; gives the end of the pause that it brings should it fail."""
    moment = clock.now()
    row = failures_of(key)
    if row.locked_until is not None and row.locked_until > moment:
        raise LockedOut(row.locked_until)
    if row.last_failure_at < moment - FORGET_FAILURES_AFTER:
        row.failures = 0
    row.failures += 1
    row.last_failure_at = moment
    lock = _lock_for(row.failures)
    row.locked_until = moment + lock if lock else None
    return row.locked_until


def begin_attempt(key: str) -> datetime | None:
    """Count one try of somebody who is signed in (`of_signed_in`) before anything is checked. Raises LockedOut.

    Gives the end of the lock-out that this try brings should it fail; success forgets the count. The caller commits
    before the password is checked: of many tries at once only the first few are.
    """
    return count_try(digest(key))


def of_signed_in(staff_id: UUID) -> str:
    """What tries of somebody who is signed in are counted by: a stranger who knows the address must not end them."""
    return f"signed in {staff_id}"


def forget_attempts(key: str) -> None:
    """What was counted by `begin_attempt` is over: it was right."""
    session().execute(sa.delete(SignInFailure).where(SignInFailure.email_hash == digest(key)))


def address_key(email: str) -> str:
    """As addresses are compared; PostgreSQL text cannot hold NUL, and no address has one."""
    return email.replace("\0", "").strip().lower()


def tell_refusal(email: str, *, locked: datetime | None, address: str | None, request_id: str | None) -> None:
    """Evidence of a refused sign-in; the address that was typed is not kept."""
    member_id = session().scalar(sa.select(StaffMember.id).where(StaffMember.email_key == address_key(email)))
    audit.record(
        "staff.locked_out" if locked else "staff.sign_in_refused",
        by=Actor(kind="system", id=None, name="sign-in", role="system", address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member_id,
        after={"locked_until": locked.isoformat()} if locked else None,
    )


def locked(staff_id: UUID | None, *, refresh: bool = True) -> StaffMember:
    """The member, locked and as stored now, for whoever changes them or what they sign in with. Raises NotFound."""
    member = session().get(StaffMember, staff_id, with_for_update=True, populate_existing=refresh) if staff_id else None
    if member is None:
        raise NotFound("There is no such staff member.")
    return member


def held(ids: Iterable[UUID | None], *, changing: UUID | None = None) -> dict[UUID, StaffMember]:
    """Members whose role and state stay as they are until the transaction ends, by id; `changing` is one of them that
    is about to be changed. All in the order of their ids, so that nobody waits for one another."""
    wanted = sorted({one for one in (*ids, changing) if one is not None})
    found = {}
    for shared, some in itertools.groupby(wanted, key=lambda one: one != changing):
        for member in session().scalars(
            sa.select(StaffMember)
            .where(StaffMember.id.in_(list(some)))
            .order_by(StaffMember.id)
            .with_for_update(read=shared)
            .execution_options(populate_existing=True)
        ):
            found[member.id] = member
    return found


def hold(staff_id: UUID) -> StaffMember:
    """The person as they are now, held until the commit against whoever changes what they sign in with. Comes before
    any other lock on what is theirs."""
    return session().get_one(
        StaffMember, staff_id, with_for_update={"read": True, "key_share": True}, populate_existing=True
    )


def recognize(*, email: str, password: str) -> StaffMember:
    """Whose address and password these are. The caller has committed the count of this try, and forgets it where this
    does not refuse. Raises SignInRefused."""
    member = session().scalar(sa.select(StaffMember).where(StaffMember.email_key == address_key(email)))
    right = _matches(member.password_hash if member else _NOBODY, password[:LONGEST_PASSWORD])
    looked_at = member.password_hash if member else None
    if member is not None and right:
        # held, and as it is now: a new password, an end or a second factor may have come while this one was looked at
        member = hold(member.id)
    if member is None or not right or member.disabled_at is not None or member.password_hash != looked_at:
        raise SignInRefused("E-mail address or password is wrong.")
    if is_outdated(member.password_hash):
        member.password_hash = _hash(password)
    return member


def open_session(
    member: StaffMember,
    *,
    by_what: str,
    address: str | None,
    browser: str | None,
    request_id: str | None,
    half: UUID | None = None,
) -> SignedIn:
    """Open a session for somebody who has shown all that it needs; `by_what` says so in the audit. `half`: the half of
    a sign-in that this completes."""
    moment = clock.now()
    secret = secrets.token_urlsafe(32)
    opened = StaffSession(
        staff_id=member.id,
        secret_hash=digest(secret),
        created_at=moment,
        seen_at=moment,
        address=address,
        browser=(browser or "")[:200] or None,
    )
    session().add(opened)
    session().flush()
    audit.record(
        "staff.signed_in",
        by=actor_of(member, address=address, request_id=request_id),
        object_type="staff_member",
        object_id=member.id,
        after={"by": by_what, **({"half": str(half)} if half else {})},
    )
    return SignedIn(member, opened, secret)


_OF_COOKIE = (
    sa.select(StaffMember, StaffSession)
    .join(StaffSession, StaffSession.staff_id == StaffMember.id)
    .where(StaffSession.secret_hash == sa.bindparam("digest", type_=StaffSession.secret_hash.type))
)


def session_of(secret: str, *, idle: timedelta, longest: timedelta) -> tuple[StaffMember, StaffSession] | None:
    """The member and session behind a cookie; None when it has ended in whatever way."""
    row = session().execute(_OF_COOKIE, {"digest": digest(secret)}).first()
    if row is None:
        return None
    member, current = row
    moment = clock.now()
    if current.ended_at is not None or member.disabled_at is not None:
        return None
    if moment - current.seen_at > idle or moment - current.created_at > longest:
        return None
    return member, current


def mark_seen(session_id: UUID) -> None:
    """Remember that the session is in use (the edge calls this at most once a minute)."""
    session().execute(sa.update(StaffSession).where(StaffSession.id == session_id).values(seen_at=clock.now()))


def sign_out(session_id: UUID, *, by: Actor) -> None:
    """End one session."""
    session().execute(
        sa.update(StaffSession)
        .where(StaffSession.id == session_id, StaffSession.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
    audit.record("staff.signed_out", by=by, object_type="staff_member", object_id=by.id)


def sign_out_one(session_id: UUID, *, by: Actor) -> None:
    """End one other session of the person. Raises NotFound: also for somebody else's and for one that has ended."""
    ended = session().execute(
        sa.update(StaffSession)
        .where(StaffSession.id == session_id, StaffSession.staff_id == by.id, StaffSession.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
    if not ended.rowcount:  # type: ignore[attr-defined]
        raise NotFound("This session has ended already.")
    audit.record("staff.session_ended", by=by, object_type="staff_member", object_id=by.id)


def end_half_sign_ins(staff_id: UUID) -> None:
    """What waits for its code waits no longer."""
    session().execute(
        sa.update(HalfSignIn)
        .where(HalfSignIn.staff_id == staff_id, HalfSignIn.ended_at.is_(None))
        .values(ended_at=clock.now())
    )


def sign_out_everywhere(*, by: Actor, except_session: UUID | None = None) -> int:
    """End every session of the person (but the given one); gives how many ended."""
    if by.id is not None:
        end_half_sign_ins(by.id)
    mine = [StaffSession.staff_id == by.id, StaffSession.ended_at.is_(None)]
    if except_session is not None:
        mine.append(StaffSession.id != except_session)
    ended = session().execute(sa.update(StaffSession).where(*mine).values(ended_at=clock.now()))
    count: int = ended.rowcount  # type: ignore[attr-defined]
    audit.record(
        "staff.signed_out_everywhere", by=by, object_type="staff_member", object_id=by.id, after={"sessions": count}
    )
    return count


def change_password(*, current: str, new: str, session_id: UUID, by: Actor) -> None:
    """Change one's own password and end all other sessions. Raises Invalid naming the field."""
    member = session().get(StaffMember, by.id, with_for_update=True)
    if member is None:
        raise NotFound("There is no such staff member.")
    if not _matches(member.password_hash, current[:LONGEST_PASSWORD]):
        raise Invalid.one("current", "This is not your current password.", "wrong")
    check_password(new, email=member.email, field="new")
    if current == new:
        raise Invalid.one("new", "This is the password you have already.", "same")
    member.password_hash = _hash(new)
    member.password_changed_at = clock.now()
    forget_attempts(of_signed_in(member.id))
    audit.record("staff.password_changed", by=by, object_type="staff_member", object_id=member.id)
    sign_out_everywhere(by=by, except_session=session_id)


def tell_password_refusal(*, locked: datetime | None, by: Actor) -> None:
    """Evidence that somebody who is signed in did not know the password that they wanted to change."""
    audit.record(
        "staff.password_change_refused",
        by=by,
        object_type="staff_member",
        object_id=by.id,
        after={"locked_until": locked.isoformat()} if locked else None,
    )


def member_named(email: str) -> StaffMember:
    """Whom a command names, locked. Raises NotFound."""
    key = email.strip().lower()
    member = session().scalar(sa.select(StaffMember).where(StaffMember.email_key == key).with_for_update())
    if member is None:
        raise NotFound("There is no staff member with this address.")
    return member


def end_sessions(member: StaffMember) -> int:
    """End every session of the person, and every sign-in that waits for its code; gives how many sessions."""
    end_half_sign_ins(member.id)
    ended = session().execute(
        sa.update(StaffSession)
        .where(StaffSession.staff_id == member.id, StaffSession.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
    count: int = ended.rowcount  # type: ignore[attr-defined]
    return count


def give_password(member: StaffMember, password: str) -> None:
    """Store a password that has been checked, and forget the failures before it, wherever they came from."""
    member.password_hash = _hash(password)
    member.password_changed_at = clock.now()
    session().execute(sa.delete(SignInFailure).where(SignInFailure.email_hash.startswith(digest(member.email_key))))


def make_password_unusable(member: StaffMember) -> int:
    """Nobody knows the person's password from now on, and all sessions end; gives how many."""
    give_password(member, secrets.token_urlsafe(32))
    return end_sessions(member)


def set_password(email: str, *, new: str, by: Actor) -> StaffMember:
    """The operator gives a person a new password: all sessions end, a lock-out too. Raises NotFound, Invalid."""
    member = member_named(email)
    check_password(new, email=member.email)
    give_password(member, new)
    ended = end_sessions(member)
    audit.record(
        "staff.password_set", by=by, object_type="staff_member", object_id=member.id, after={"sessions_ended": ended}
    )
    return member


def refuse_if_needed(member: StaffMember, *, becomes: Role | None) -> None:
    """Somebody has to give people and tokens what they need, and another one to decide it. `becomes`: the role to come;
    None where the member goes. Raises Refused `lastAdministrator`, `lastSecondPerson`, `lastRuleKeeper`."""
    if member.disabled_at is not None:
        return
    if Permission.STAFF_DECIDE in member.role_row.permissions:
        _refuse_if_decides_last(member, becomes)
    keepers = {role for told in _rule_keepers for role in told()}
    if member.role in keepers and becomes not in keepers:
        another = sa.select(StaffMember.id).where(
            StaffMember.disabled_at.is_(None), StaffMember.id != member.id, StaffMember.role.in_(keepers)
        )
        if session().scalar(another.limit(1)) is None:
            raise _needed(member, "lastRuleKeeper")


#: the roles that a rule leaves to decide about rules, which a higher package knows; empty where none leaves out any
_rule_keepers: list[Callable[[], Collection[str]]] = []


def learn_rule_keepers(roles: Callable[[], Collection[str]]) -> None:
    """Take the roles of whom one always stays; called once by the application factory."""
    _rule_keepers[:] = [roles]


def _refuse_if_decides_last(member: StaffMember, becomes: Role | None) -> None:
    others = [
        Role(role)
        for role in session().scalars(
            sa.select(StaffMember.role).where(
                StaffMember.disabled_at.is_(None),
                StaffMember.id != member.id,
                StaffMember.role.in_([role.value for role, row in ROLES.items() if _DECIDES in row.permissions]),
            )
        )
    ]
    if member.role == Role.ADMIN and becomes != Role.ADMIN and Role.ADMIN not in others:
        raise _needed(member, "lastAdministrator")
    if len(others) + (becomes is not None and _DECIDES in ROLES[becomes].permissions) < 2:
        raise _needed(member, "lastSecondPerson")


_DECIDES = Permission.STAFF_DECIDE
#: rules of the database, and what they refuse in words
_NEEDED = {
    "lastAdministrator": "{} is the last active administrator. Make another one first.",
    "lastSecondPerson": "Without {} one person alone would be left to decide about staff and tokens. Make another"
    " administrator or senior officer first.",
    "lastRuleKeeper": "By the rules of approval {} is the last one who decides about rules. Let another role decide"
    " about them first, or give somebody such a role.",
}
_NEEDED_BY = {
    "staff_member_last_administrator": "lastAdministrator",
    "staff_member_second_person_stays": "lastSecondPerson",
    "staff_member_last_rule_keeper": "lastRuleKeeper",
}


def _needed(member: StaffMember, code: str) -> Refused:
    return Refused(_NEEDED[code].format(member.name), code=code)


@contextmanager
def keeping_two(member: StaffMember, *, becomes: Role | None) -> Iterator[None]:
    """Around what takes a member's role or access.

    Raises as `refuse_if_needed`, also when another one goes at the same moment.
    """
    refuse_if_needed(member, becomes=becomes)
    try:
        with savepoint():
            yield
            session().flush()
    except sa.exc.IntegrityError as error:
        code = _NEEDED_BY.get(constraint_of(error) or "")
        if code is None:
            raise
        raise _needed(member, code) from None


def revoke_tokens(member: StaffMember, *, by_two_only: bool) -> list[str]:
    """Refuse the tokens that the person answers for from now on; gives their ids. `by_two_only`: those alone that
    somebody without power over staff would not get without a second person."""
    which = [ApiToken.owner_id == member.id, ApiToken.revoked_at.is_(None)]
    if by_two_only:
        which.append(tokens.TAKES_TWO)
    revoked = session().execute(sa.update(ApiToken).where(*which).values(revoked_at=clock.now()).returning(ApiToken.id))
    return sorted(str(token_id) for token_id in revoked.scalars())


def tell_token(token: ApiToken) -> None:
    """Evidence of a token that the operator made."""
    audit.record(
        "token.created",
        by=system("command line"),
        object_type="api_token",
        object_id=token.id,
        client_id=token.client_id,
        after={
            "audience": token.audience,
            "scopes": token.scopes,
            "partner": token.partner,
            "owner": str(token.owner_id) if token.owner_id else None,
            "expires": token.expires_at.isoformat(),
        },
    )


#: what ends with a person's power and belongs to higher packages
_goings: list[Callable[[StaffMember, Actor], None]] = []


def learn_going(ends: Callable[[StaffMember, Actor], None]) -> None:
    """Take what of higher packages ends when somebody is disabled; called once by the application factory."""
    _goings[:] = [ends]


def disable(email: str, *, by: Actor, reason: str | None = None) -> StaffMember:
    """The person can no longer sign in, and all sessions end; tokens that they answer for are revoked, their open
    invitations and requests end.

    Raises NotFound, Conflict (disabled already), Refused (`refuse_if_needed`).
    """
    member = member_named(email)
    if member.disabled_at is not None:
        raise Conflict("This staff member is disabled already.", code="alreadyDisabled")
    with keeping_two(member, becomes=None):
        member.disabled_at = clock.now()
    # what the person answers for stops with the person
    revoked = revoke_tokens(member, by_two_only=False)
    ended = end_sessions(member)
    audit.record(
        "staff.disabled",
        by=by,
        object_type="staff_member",
        object_id=member.id,
        after={"sessions_ended": ended, **({"tokens_revoked": revoked} if revoked else {})},
        reason=reason,
    )
    for end in _goings:
        end(member, by)
    return member


def enable(email: str, *, owner: sa.Engine, by: Actor) -> StaffMember:
    """The operator lets somebody in again, for the day on which no two people can. The application's role may not: it
    is done as who owns the tables. Raises NotFound, Conflict (can sign in)."""
    key = email.strip().lower()
    with owner.begin() as connection:
        found = connection.execute(
            sa.select(StaffMember.id, StaffMember.disabled_at).where(StaffMember.email_key == key).with_for_update()
        ).first()
        if found is None:
            raise NotFound("There is no staff member with this address.")
        if found.disabled_at is None:
            raise Conflict("This staff member can sign in. Nothing would change.", code="nothingChanges")
        connection.execute(sa.update(StaffMember).where(StaffMember.id == found.id).values(disabled_at=None))
        member = session().get_one(StaffMember, found.id)
        # committed before the change is, so that the change never stands without it
        with transaction():
            audit.record(
                "staff.enabled", by=by, object_type="staff_member", object_id=found.id, after={"role": member.role}
            )
    return member


def sweep(*, idle: timedelta, longest: timedelta) -> tuple[int, int]:
    """End sessions whose time is over and forget old failed sign-ins; gives how many of each."""
    moment = clock.now()
    ended = session().execute(
        sa.update(StaffSession)
        .where(
            StaffSession.ended_at.is_(None),
            sa.or_(StaffSession.seen_at < moment - idle, StaffSession.created_at < moment - longest),
        )
        .values(ended_at=moment)
        .execution_options(synchronize_session=False)
    )
    # a count that somebody adds to at this moment is left alone, and so is a bucket that is not yet empty
    over = (
        sa.select(SignInFailure.email_hash)
        .where(
            SignInFailure.last_failure_at < moment - FORGET_FAILURES_AFTER,
            SignInFailure.last_failure_at < moment - SignInFailure.failures * ONE_FORGOTTEN_IN,
            sa.or_(SignInFailure.locked_until.is_(None), SignInFailure.locked_until < moment),
        )
        .with_for_update(skip_locked=True)
    )
    forgotten = session().execute(
        sa.delete(SignInFailure).where(SignInFailure.email_hash.in_(over)).execution_options(synchronize_session=False)
    )
    session().execute(
        sa.delete(HalfSignIn).where(HalfSignIn.expires_at < moment).execution_options(synchronize_session=False)
    )
    return ended.rowcount, forgotten.rowcount  # type: ignore[attr-defined]


def set_theme(theme: str, *, by: Actor) -> None:
    """Keep the person's choice: light, dark or system. Raises Invalid."""
    if theme not in {"light", "dark", "system"}:
        raise Invalid.one("theme", "Choose light, dark or system.")
    session().execute(sa.update(StaffMember).where(StaffMember.id == by.id).values(theme=theme))


def set_density(density: str, *, by: Actor) -> None:
    """Keep how closely the rows of the person's lists stand: comfortable or compact. Raises Invalid."""
    if density not in {"comfortable", "compact"}:
        raise Invalid.one("density", "Choose comfortable or compact.", "enum")
    session().execute(sa.update(StaffMember).where(StaffMember.id == by.id).values(density=density))


def set_keys(off: bool, *, by: Actor) -> None:
    """Switch single-letter shortcuts off or on."""
    session().execute(sa.update(StaffMember).where(StaffMember.id == by.id).values(keys_off=off))
