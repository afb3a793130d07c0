"""One-time passwords: six digits sent to a client, which prove for a few minutes that the client wants one operation.

`issue` makes one, and must be committed before its message leaves the house; `delivered` says that it left: only then
it can be verified. `verify` counts each try and gives a refusal instead of raising it, so that the caller commits the
count. `use` takes a verified one, once, in the transaction of the operation that it protects.
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
from dashboard.ledger.models import Account, AccountOwner, OneTimePassword
from dashboard.ledger.vocabulary import AccountStatus
from dashboard.notifier import Message

LIFETIME = timedelta(minutes=5)
MOST_TRIES = 5
MOST_SENDS = 5
SENDS_WITHIN = timedelta(minutes=15)
DIGITS = 6


class Operation(StrEnum):
    """What a client confirms by a one-time password."""

    CLOSE_ACCOUNT = "closeAccount"


class TooManySends(DomainError):
    """So many codes went out already that another one must wait; `retry_after` says how long."""

    status = 429
    code = "tooManyOneTimePasswords"


class OneTimePasswordRequired(Forbidden):
    """The operation needs a verified one-time password; `details` say which and how to get it."""

    code = "oneTimePasswordRequired"


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
    account_id: UUID
    verified_at: datetime
    expires_at: datetime


def _hash(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()


def _message(address: str, code: str, account: Account, expires_at: datetime) -> Message:
    zone = clock.calendar().zone
    return Message(
        to=address,
        subject="Your code to close an account",
        text=(
            f"{code} is your code to close the {account.currency.upper()} account ending in {account.number[-4:]}.\n\n"
            f"It is valid until {expires_at.astimezone(zone):%H:%M} ({zone.key}), once, for this account alone.\n"
            "Tell it to nobody: we never ask for it. If you did not ask for it, tell us at once.\n"
        ),
    )


def _check_rate(owner_id: UUID, moment: datetime) -> None:
    sent = (
        session()
        .scalars(
            sa.select(OneTimePassword.created_at)
            .where(OneTimePassword.owner_id == owner_id, OneTimePassword.created_at > moment - SENDS_WITHIN)
            .order_by(OneTimePassword.created_at.desc())
            .limit(MOST_SENDS)
        )
        .all()
    )
    if len(sent) < MOST_SENDS:
        return
    refused = TooManySends(
        f"{MOST_SENDS} codes were sent within {SENDS_WITHIN.seconds // 60} minutes. Wait before asking for another."
    )
    refused.retry_after = max(1, int((sent[-1] + SENDS_WITHIN - moment).total_seconds()) + 1)
    raise refused


def issue(operation: Operation, account_id: UUID, *, owner_id: UUID) -> Issued:
    """A fresh password for one operation on one own account. It counts as sent, even if the delivery fails.

    Raises NotFound `accountNotFound`, Refused `accountClosed`, `noAddress`, TooManySends.
    """
    # locked, so that sends of one client are counted one after the other
    session().execute(
        sa.select(AccountOwner.owner_id).where(AccountOwner.owner_id == owner_id).with_for_update(key_share=True)
    )
    account = session().scalar(sa.select(Account).where(Account.id == account_id, Account.owner_id == owner_id))
    if account is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    if account.status != AccountStatus.OPEN:
        raise Refused("The account is closed.", code="accountClosed")
    moment = clock.now()
    _check_rate(owner_id, moment)
    address = owners.directory().email(owner_id)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    try:
        message = _message(address or "", code, account, moment + LIFETIME)
    except Invalid:
        raise Refused(
            "There is no e-mail address to which a code could be sent. Give one to the institution first.",
            code="noAddress",
        ) from None
    salt = secrets.token_hex(16)
    password = OneTimePassword(
        id=new_id(),
        owner_id=owner_id,
        operation=operation.value,
        subject_id=account_id,
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
    audit.record("one_time_password.sent", by=by, object_type="account", object_id=subject_id, client_id=owner_id,
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


def verify(password_id: UUID, code: str, *, owner_id: UUID, by: Actor) -> Verified | Refused:
    """One try, counted before it is looked at. Commit whatever this gives, then raise the refusal if it is one:
    `wrongCode`, `codeExpired`, `noTriesLeft`, `codeAlreadyUsed`.

    Raises NotFound `oneTimePasswordNotFound`, alike for somebody else's.
    """
    password = session().scalar(
        sa.select(OneTimePassword)
        .where(OneTimePassword.id == password_id, OneTimePassword.owner_id == owner_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if password is None:
        raise NotFound("There is no such one-time password.", code="oneTimePasswordNotFound")
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
        audit.record("one_time_password.verified", by=by, object_type="account", object_id=password.subject_id,
                     client_id=owner_id,
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
