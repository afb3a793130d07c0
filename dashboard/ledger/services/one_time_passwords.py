"""One-time passwords: six digits sent to a client, which prove for a few minutes that the client wants one operation.

What is confirmed is a subject: the domain that owns it says in words what the message must name, so that who reads it
sees what they sign.

`issue` makes one, and must be committed before its message leaves the house; `delivered` says that it left: only then
it can be verified. `verify` counts each try and gives a refusal instead of raising it, so that the caller commits the
count. `use` takes a verified one, once, in the transaction of the operation that it protects; `take` does both for
the newest one of a subject, and a code sent before no longer counts.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import DomainError, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger import owners
from dashboard.ledger.models import AccountOwner, OneTimePassword
from dashboard.notifier import Message

LIFETIME = timedelta(minutes=5)
MOST_TRIES = 5
MOST_SENDS = 5
SENDS_WITHIN = timedelta(minutes=15)
DIGITS = 6
#: codes for transfers that one client is sent within the same time; each transfer has MOST_SENDS of its own
MOST_SENDS_FOR_TRANSFERS = 20
#: wrong codes for transfers after which a client's codes count no more for a day: guessing ends here
MOST_WRONG = 20
WRONG_WITHIN = timedelta(days=1)


class Operation(StrEnum):
    """What a client confirms by a one-time password."""

    CLOSE_ACCOUNT = "closeAccount"
    CONFIRM_TRANSFER = "confirmTransfer"


#: what the subject of an operation is, for the evidence
OBJECT_TYPES = {Operation.CLOSE_ACCOUNT: "account", Operation.CONFIRM_TRANSFER: "transfer"}


class TooManySends(DomainError):
    """So many codes went out already that another one must wait; `retry_after` says how long."""

    status = 429
    code = "tooManyOneTimePasswords"


class OneTimePasswordRequired(Forbidden):
    """The operation needs a verified one-time password; `details` say which and how to get it."""

    code = "oneTimePasswordRequired"


@dataclass(frozen=True, repr=False)
class Subject:
    """The one thing that a code confirms. `deed` stands after "your code to", `alone` after "for"; `title` is the
    subject line of the message and names nobody."""

    id: UUID
    title: str
    deed: str
    alone: str


# its representation is left out: the message holds the code, which must not reach a log by accident
@dataclass(frozen=True, repr=False)
class Issued:
    """A password and the message that takes it to the client."""

    id: UUID
    expires_at: datetime
    message: Message


@dataclass(frozen=True)
class Verified:
    id: UUID
    operation: str
    subject_id: UUID
    verified_at: datetime
    expires_at: datetime


def _hash(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()


def _message(address: str, code: str, subject: Subject, expires_at: datetime) -> Message:
    zone = clock.calendar().zone
    return Message(
        to=address,
        subject=subject.title,
        text=(
            # names and numbers in the deed come from people: a line of theirs must not look like one of ours
            f"{code} is your code to {' '.join(subject.deed.split())}.\n\n"
            f"It is valid until {expires_at.astimezone(zone):%H:%M} ({zone.key}), once, for {subject.alone} alone.\n"
            "Tell it to nobody: we never ask for it. If you did not ask for it, tell us at once.\n"
        ),
    )


def _check_rate(operation: Operation, subject_id: UUID, owner_id: UUID, moment: datetime) -> None:
    if operation is Operation.CONFIRM_TRANSFER:
        _require_room(owner_id, moment, MOST_SENDS_FOR_TRANSFERS, OneTimePassword.operation == operation.value)
        _require_room(owner_id, moment, MOST_SENDS, OneTimePassword.subject_id == subject_id)
    else:
        _require_room(owner_id, moment, MOST_SENDS, OneTimePassword.operation != Operation.CONFIRM_TRANSFER.value)


def _require_room(owner_id: UUID, moment: datetime, most: int, counted: sa.ColumnElement[bool]) -> None:
    sent = (
        session()
        .scalars(
            sa.select(OneTimePassword.created_at)
            .where(OneTimePassword.owner_id == owner_id, OneTimePassword.created_at > moment - SENDS_WITHIN, counted)
            .order_by(OneTimePassword.created_at.desc())
            .limit(most)
        )
        .all()
    )
    if len(sent) < most:
        return
    refused = TooManySends(
        f"{most} codes were sent within {SENDS_WITHIN.seconds // 60} minutes. Wait before asking for another."
    )
    refused.retry_after = max(1, int((sent[-1] + SENDS_WITHIN - moment).total_seconds()) + 1)
    raise refused


def no_address() -> Refused:
    """Nobody could read a code."""
    return Refused(
        "There is no e-mail address to which a code could be sent. Give one to the institution first.",
        code="noAddress",
    )


def issue(operation: Operation, subject: Subject, *, owner_id: UUID) -> Issued:
    """A fresh password for one operation on one subject. It counts as sent, even if the delivery fails.

    Raises Refused `noAddress`, TooManySends.
    """
    # locked, so that sends of one client are counted one after the other
    session().execute(
        sa.select(AccountOwner.owner_id).where(AccountOwner.owner_id == owner_id).with_for_update(key_share=True)
    )
    moment = clock.now()
    _check_rate(operation, subject.id, owner_id, moment)
    address = owners.directory().email(owner_id)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    try:
        message = _message(address or "", code, subject, moment + LIFETIME)
    except Invalid:
        raise no_address() from None
    salt = secrets.token_hex(16)
    password = OneTimePassword(
        id=new_id(),
        owner_id=owner_id,
        operation=operation.value,
        subject_id=subject.id,
        salt=salt,
        code_hash=_hash(salt, code),
        created_at=moment,
        expires_at=moment + LIFETIME,
        tries=0,
    )
    session().add(password)
    session().flush()
    return Issued(password.id, password.expires_at, message)


def delivered(password_id: UUID, *, by: Actor) -> None:
    """The message left the house: from now on the code counts."""
    operation, subject_id, owner_id = (
        session()
        .execute(
            sa.update(OneTimePassword)
            .where(OneTimePassword.id == password_id)
            .values(delivered_at=clock.now())
            .returning(OneTimePassword.operation, OneTimePassword.subject_id, OneTimePassword.owner_id)
        )
        .one()
    )
    audit.record("one_time_password.sent", by=by, object_type=OBJECT_TYPES[Operation(operation)],
                 object_id=subject_id, client_id=owner_id,
                 after={"operation": operation, "oneTimePasswordId": str(password_id)})  # fmt: skip


def _refusal(password: OneTimePassword, moment: datetime) -> Refused | None:
    """Why no code can be right any more."""
    if password.verified_at is not None:
        return Refused("This code was verified already. Each code counts once.", code="codeAlreadyUsed")
    if password.tries >= MOST_TRIES:
        return Refused(f"All {MOST_TRIES} tries are used up. Ask for a new code.", code="noTriesLeft")
    if password.delivered_at is None or password.expires_at <= moment:
        return Refused("This code is no longer valid. Ask for a new one.", code="codeExpired")
    return None


def verify(operation: Operation, password_id: UUID, code: str, *, owner_id: UUID, by: Actor) -> Verified | Refused:
    """One try, counted before it is looked at. Commit whatever this gives, then raise the refusal if it is one:
    `wrongCode`, `codeExpired`, `noTriesLeft`, `codeAlreadyUsed`.

    Raises NotFound `oneTimePasswordNotFound`, alike for somebody else's and for another operation's.
    """
    password = session().scalar(
        sa.select(OneTimePassword)
        .where(
            OneTimePassword.id == password_id,
            OneTimePassword.owner_id == owner_id,
            OneTimePassword.operation == operation.value,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if password is None:
        raise NotFound("There is no such one-time password.", code="oneTimePasswordNotFound")
    return _try(password, code, by=by)


def _try(password: OneTimePassword, code: str, *, by: Actor) -> Verified | Refused:
    """The password is locked."""
    moment = clock.now()
    refused = _refusal(password, moment)
    if refused is not None:
        return refused
    password.tries += 1
    if not hmac.compare_digest(_hash(password.salt, code), password.code_hash):
        left = MOST_TRIES - password.tries
        hope = f"Tries left: {left}." if left else "No try is left: ask for a new one."
        refused = Refused(f"The code is wrong. {hope}", code="wrongCode", details={"triesLeft": left})
    else:
        password.verified_at = moment
        audit.record("one_time_password.verified", by=by, object_type=OBJECT_TYPES[Operation(password.operation)],
                     object_id=password.subject_id, client_id=password.owner_id,
                     after={"operation": password.operation, "oneTimePasswordId": str(password.id)})  # fmt: skip
    session().flush()
    if refused is not None:
        return refused
    return Verified(password.id, password.operation, password.subject_id, moment, password.expires_at)


def use(operation: Operation, account_id: UUID, *, owner_id: UUID) -> UUID:
    """Take the verified password for exactly this operation and account; a refusal later in the caller's transaction
    gives it back. Raises OneTimePasswordRequired."""
    moment = clock.now()
    password = session().scalar(
        sa.select(OneTimePassword)
        .where(
            OneTimePassword.owner_id == owner_id,
            OneTimePassword.created_at > moment - LIFETIME,
            OneTimePassword.operation == operation.value,
            OneTimePassword.subject_id == account_id,
            OneTimePassword.verified_at.is_not(None),
            OneTimePassword.used_at.is_(None),
            OneTimePassword.expires_at > moment,
        )
        .order_by(OneTimePassword.created_at.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if password is None:
        raise OneTimePasswordRequired(
            "This needs a one-time password: ask for one with POST /Accounts/send-otp, verify the code with"
            " POST /Accounts/otp-verification, then repeat this request within the code's 5 minutes.",
            details={"operation": operation.value, "accountId": str(account_id)},
        )
    password.used_at = moment
    session().flush()
    return password.id


def take(operation: Operation, subject_id: UUID, code: str, *, owner_id: UUID, by: Actor) -> UUID | Refused:
    """Verify the newest password of a subject and use it at once. Commit whatever this gives, as with `verify`.

    A refusal is `wrongCode`, `codeExpired`, `noTriesLeft` or `codeAlreadyUsed`. Who asks has locked the subject.
    """
    password = session().scalar(
        sa.select(OneTimePassword)
        .where(
            OneTimePassword.owner_id == owner_id,
            OneTimePassword.operation == operation.value,
            OneTimePassword.subject_id == subject_id,
        )
        .order_by(OneTimePassword.created_at.desc(), OneTimePassword.id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if password is None:
        return Refused("No code was sent for this yet. Ask for one.", code="codeExpired")
    if _wrong_ones(operation, owner_id) >= MOST_WRONG:
        return Refused("Too many wrong codes. Codes are taken again tomorrow.", code="noTriesLeft")
    outcome = _try(password, code, by=by)
    if isinstance(outcome, Refused):
        return outcome
    password.used_at = outcome.verified_at
    session().flush()
    return password.id


def _wrong_ones(operation: Operation, owner_id: UUID) -> int:
    """Wrong codes of a client within the day; of a verified password the last try was right."""
    right = sa.case((OneTimePassword.verified_at.is_not(None), 1), else_=0)
    return int(
        session().scalar(
            sa.select(sa.func.coalesce(sa.func.sum(OneTimePassword.tries - right), 0)).where(
                OneTimePassword.owner_id == owner_id,
                OneTimePassword.operation == operation.value,
                OneTimePassword.created_at > clock.now() - WRONG_WITHIN,
            )
        )
        or 0
    )
