"""References that clients give their payers: creditor references of ISO 11649 (RF, check digits, then our own part).

A payer's bank checks the two digits, so a slip of the pen is found before the money leaves.
"""

from __future__ import annotations

import secrets
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clock import calendar
from dashboard.database import new_id, session
from dashboard.errors import Invalid, NotFound, Refused
from dashboard.ledger import numbers
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import AccountStatus
from dashboard.transfers.models import ClientReference

#: no 0, O, 1 and I, which people take for each other
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
#: thirty-two to the tenth: guessing one is hopeless, and a second equal one as good as impossible
OWN_PART = 10
MOST_TRIES = 5


def key_of(reference: str) -> str:
    """Letters and digits only, upper case: what is compared."""
    return "".join(letter for letter in reference.upper() if letter.isascii() and letter.isalnum())


def made(own: str) -> str:
    """`RF` with its check digits, in groups of four as ISO 11649 prints it."""
    return numbers.in_groups("RF" + numbers.check_digits("RF", own) + own)


def is_valid(reference: str) -> bool:
    """Whether the check digits of an RF reference are right."""
    key = key_of(reference)
    if not key.startswith("RF") or not 5 <= len(key) <= 25 or not key[2:4].isdigit():
        return False
    return numbers.check_digits("RF", key[4:]) == key[2:4]


def currency_of(account_id: UUID) -> str:
    """Raises NotFound `accountNotFound`."""
    found = session().scalar(sa.select(Account.currency).where(Account.id == account_id))
    if found is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    return found


def give(
    *,
    client_id: UUID,
    account_id: UUID,
    by: Actor,
    expected_minor: int | None = None,
    expires_on: date | None = None,
) -> ClientReference:
    """A reference that leads to one of the client's accounts.

    Raises NotFound `accountNotFound`, also for another client's; Refused `accountClosed`; Invalid.
    """
    account = (
        session()
        .execute(
            sa.select(Account.currency, Account.status).where(Account.id == account_id, Account.owner_id == client_id)
        )
        .one_or_none()
    )
    if account is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    if account.status == AccountStatus.CLOSED:
        raise Refused("The account is closed.", code="accountClosed")
    if expires_on is not None and expires_on < calendar().today():
        raise Invalid.one("expiresOn", "This day is over.", "range")
    for _ in range(MOST_TRIES):
        reference = made("".join(secrets.choice(ALPHABET) for _ in range(OWN_PART)))
        stored = session().scalar(
            postgresql.insert(ClientReference)
            .values(
                id=new_id(),
                client_id=client_id,
                account_id=account_id,
                reference=reference,
                reference_key=key_of(reference),
                expected_minor=expected_minor,
                currency=account.currency,
                expires_on=expires_on,
                created_at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["reference_key"])
            .returning(ClientReference.id)
        )
        if stored is not None:
            audit.record("reference.given", by=by, object_type="client_reference", object_id=stored,
                         client_id=client_id, after={"account": str(account_id)})  # fmt: skip
            return session().get_one(ClientReference, stored)
    raise RuntimeError("no free reference was found")  # pragma: no cover


def of_client(client_id: UUID, *, size: int, after: UUID | None = None) -> list[ClientReference]:
    """Newest first, revoked ones included."""
    query = sa.select(ClientReference).where(ClientReference.client_id == client_id)
    if after is not None:
        query = query.where(ClientReference.id < after)
    return list(session().scalars(query.order_by(ClientReference.id.desc()).limit(size)))


def revoke(reference_id: UUID, *, by: Actor, client_id: UUID | None = None) -> ClientReference:
    """It leads nowhere from now on; nothing happens where it was revoked before. Raises NotFound."""
    query = sa.select(ClientReference).where(ClientReference.id == reference_id)
    if client_id is not None:
        query = query.where(ClientReference.client_id == client_id)
    found = session().scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such reference.", code="referenceNotFound")
    if found.revoked_at is None:
        found.revoked_at = clock.now()
        session().flush()
        audit.record("reference.revoked", by=by, object_type="client_reference", object_id=found.id,
                     client_id=found.client_id)  # fmt: skip
    return found
